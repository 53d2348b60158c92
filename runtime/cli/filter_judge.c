#include "cli/filter_judge.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "cli/filter_record.h"
#include "filter/filter.h"
#include "filter/filter_config.h"
#include "filter/trial.h"
#include "poller/trigger_config.h"

#define VIEWS (PATTERN_VIEW_DYNAMODB + 1)

struct filter_judge {
    const struct filter_text *pattern; // borrowed; NULL: of a trigger
    struct trial *trials[VIEWS];       // owned; made when first needed
    struct filter *filter;             // owned; of a trigger
    bool is_fixed;                     // the view is:
    enum pattern_view view;
};

// ---- the pattern -----------------------------------------------------------

static bool check_length(const struct filter_text *pattern)
{
    struct bytes text = buffer_bytes(&pattern->content);
    AUTO_FREE char *message = NULL;
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    if (count <= FILTER_PATTERN_LIMIT)
        return true;
    message = mem_printf("%zu characters are too many: at most %d", count,
                         FILTER_PATTERN_LIMIT);
    filter_text_complain(pattern, 0, message);
    return false;
}

// NULL: the pattern is wrong by that source's rules, and that was said.
static struct trial *trial_of(struct filter_judge *judge,
                              enum pattern_view view)
{
    struct trial *trial = judge->trials[view];
    struct error err = {0};
    size_t offset = 0;

    if (trial)
        return trial;
    trial = trial_create(view, buffer_bytes(&judge->pattern->content), &offset,
                         &err);
    if (!trial)
        filter_text_complain(judge->pattern, offset, err.message);
    return judge->trials[view] = trial;
}

struct filter_judge *filter_judge_create(const struct filter_text *pattern,
                                         const enum pattern_view *view)
{
    struct filter_judge *judge = mem_calloc(1, sizeof(*judge));

    judge->pattern = pattern;
    judge->is_fixed = view != NULL;
    judge->view = view ? *view : PATTERN_VIEW_EVENT;
    if (check_length(pattern) && trial_of(judge, judge->view))
        return judge;
    filter_judge_destroy(judge);
    return NULL;
}

static enum record_kind kind_of_source(enum source_type type)
{
    switch (type) {
    case SOURCE_TYPE_SQS:
        break;
    case SOURCE_TYPE_KINESIS:
        return RECORD_KINESIS;
    case SOURCE_TYPE_DYNAMODB:
        return RECORD_DYNAMODB;
    }
    return RECORD_SQS;
}

struct filter_judge *
filter_judge_create_of(const struct trigger_config *trigger)
{
    struct filter_judge *judge = mem_calloc(1, sizeof(*judge));
    enum record_kind kind = kind_of_source(trigger->source.type);
    struct error err = {0};

    judge->is_fixed = true;
    judge->view = pattern_view_of(kind);
    judge->filter = filter_create(&trigger->filter_criteria, kind, &err);
    assert(judge->filter); // the settings were checked when they were read
    return judge;
}

void filter_judge_destroy(struct filter_judge *judge)
{
    if (!judge)
        return;
    for (size_t i = 0; i < VIEWS; i++)
        trial_destroy(judge->trials[i]);
    filter_destroy(judge->filter);
    free(judge);
}

// ---- what is judged --------------------------------------------------------

static bool kind_of_view(enum pattern_view view, enum record_kind *kind)
{
    for (*kind = RECORD_SQS; *kind <= RECORD_DYNAMODB; ++*kind)
        if (pattern_view_of(*kind) == view)
            return true;
    return false;
}

// The `Records` of an event; false when there is no such list.
static bool find_records(struct bytes event, struct bytes *records)
{
    AUTO_FREE char *copy = mem_strndup(event.data, event.size);
    struct bytes name, list;
    struct json_read in;
    bool found = false;

    json_read_init(&in, copy, event.size);
    if (json_read_peek(&in) != JSON_READ_OBJECT || !json_read_object(&in))
        return false;
    while (json_read_member(&in, &name)) {
        bool is_it = bytes_equal(name, BYTES("Records")) &&
                     json_read_peek(&in) == JSON_READ_ARRAY;

        (void)json_read_raw(&in, &list);
        if (!is_it || in.error)
            continue;
        found = true;
        *records = (struct bytes){event.data + (list.data - copy), list.size};
    }
    return found && !in.error;
}

static bool first_is_known(struct bytes records)
{
    AUTO_FREE char *copy = mem_strndup(records.data, records.size);
    enum record_kind kind;
    struct json_read in;
    struct bytes first;

    json_read_init(&in, copy, records.size);
    return json_read_array(&in) && json_read_element(&in) &&
           json_read_raw(&in, &first) && filter_record_kind(first, &kind);
}

bool filter_judge_has_records(const struct filter_judge *judge,
                              struct bytes event, struct bytes *records)
{
    if (judge->is_fixed && judge->view == PATTERN_VIEW_EVENT)
        return false;
    return find_records(event, records) &&
           (judge->is_fixed || first_is_known(*records));
}

static enum filter_answer complain(const struct filter_text *text,
                                   struct bytes event, size_t offset,
                                   const char *message)
{
    filter_text_complain(
        text, (size_t)(event.data - text->content.data) + offset, message);
    return FILTER_BAD;
}

static enum filter_answer answer_of(bool matches)
{
    return matches ? FILTER_MATCH : FILTER_NO_MATCH;
}

static enum filter_answer judge_record(struct filter_judge *judge,
                                       enum pattern_view view,
                                       const struct record *record,
                                       struct buffer *why)
{
    struct trial *trial;

    if (judge->filter)
        return answer_of(filter_explain(judge->filter, record, why));
    trial = trial_of(judge, view);
    return trial ? answer_of(trial_record(trial, record, why)) : FILTER_BAD;
}

static enum filter_answer judge_as_it_is(struct filter_judge *judge,
                                         const struct filter_text *text,
                                         struct bytes event, struct buffer *why)
{
    struct trial *trial = trial_of(judge, PATTERN_VIEW_EVENT);
    struct error err = {0};
    bool matches;

    if (!trial)
        return FILTER_BAD;
    if (!trial_event(trial, event, &matches, why, &err))
        return complain(text, event, 0, err.message);
    if (!matches && !judge->is_fixed && filter_record_seems_one(event))
        buffer_append_text(why, "  (taken as it is, because it has no "
                                "eventSource; --source says what it is)\n");
    return answer_of(matches);
}

static enum filter_answer judge_kind(struct filter_judge *judge,
                                     const struct filter_text *text,
                                     struct bytes event, enum record_kind kind,
                                     struct buffer *why)
{
    struct filter_record record;
    struct error err = {0};
    enum filter_answer answer;
    size_t offset;

    if (filter_record_read(&record, kind, event, &offset, &err))
        answer =
            judge_record(judge, pattern_view_of(kind), &record.record, why);
    else
        answer = complain(text, event, offset, err.message);
    filter_record_finish(&record);
    return answer;
}

enum filter_answer filter_judge_event(struct filter_judge *judge,
                                      const struct filter_text *text,
                                      struct bytes event, struct buffer *why)
{
    enum record_kind kind = RECORD_SQS, said = RECORD_SQS;
    bool is_record = kind_of_view(judge->view, &kind);
    bool is_said = filter_record_kind(event, &said);
    AUTO_FREE char *message = NULL;

    if (judge->is_fixed && is_record && is_said && said != kind) {
        message = mem_printf("a record of %s, among what is to be of %s",
                             filter_record_kind_name(said),
                             filter_record_kind_name(kind));
        return complain(text, event, 0, message);
    }
    if (judge->is_fixed ? !is_record : !is_said)
        return judge_as_it_is(judge, text, event, why);
    return judge_kind(judge, text, event, is_record ? kind : said, why);
}

enum filter_answer filter_judge_data(struct filter_judge *judge,
                                     const struct filter_text *text,
                                     struct bytes data, struct buffer *why)
{
    struct filter_record record;
    enum filter_answer answer;
    enum record_kind kind;

    if (!kind_of_view(judge->view, &kind))
        return judge_as_it_is(judge, text, data, why);
    filter_record_of_data(&record, kind, data);
    answer = judge_record(judge, judge->view, &record.record, why);
    filter_record_finish(&record);
    return answer;
}
