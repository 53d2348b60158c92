#include "cli/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/command_line.h"
#include "cli/filter_judge.h"
#include "supervisor/settings.h"

#define NAME "filter"
#define PATTERN_MOST ((size_t)64 * 1024)
#define EVENTS_MOST ((size_t)64 * 1024 * 1024)
#define WHY_MOST ((size_t)4 * 1024 * 1024)
#define BAD_MOST 100 // wrong events that are told of; then it is over

struct arguments {
    const char *config, *trigger, *source; // NULL: not given
    bool data, whole;                      // whole: data, not line by line
    bool has_view;                         // of `source`
    enum pattern_view view;
    struct command_words events;
};

// All events so far.
struct run {
    const struct arguments *arguments;
    struct filter_judge *judge;
    size_t matching, others, bad;
    bool lacks_input;
};

static const struct source {
    const char *name;
    enum pattern_view view;
} sources[] = {{"sqs", PATTERN_VIEW_SQS},
               {"kinesis", PATTERN_VIEW_KINESIS},
               {"dynamodb", PATTERN_VIEW_DYNAMODB},
               {"event", PATTERN_VIEW_EVENT},
               {0}};

// ---- one event -------------------------------------------------------------

// Where an event stands in what was given.
struct place {
    const struct filter_text *text;
    bool is_alone;       // nothing else stands there
    size_t line, record; // record: from 1; 0: not one of `Records`
};

static void print_place(const struct place *place)
{
    command_print(stdout, place->text->name);
    if (!place->is_alone)
        (void)printf(":%zu", place->line);
    if (place->record)
        (void)printf(": record %zu", place->record);
    (void)fputs(": ", stdout);
}

// The verdict's lines, each with its place; what explains it is indented.
static void print_verdict(const struct place *place, struct buffer *why)
{
    const char *at = buffer_text(why);

    while (*at) {
        size_t size = strcspn(at, "\n");
        AUTO_FREE char *line = mem_strndup(at, size);

        if (*line != ' ')
            print_place(place);
        command_print(stdout, line);
        (void)putchar('\n');
        at += size + (at[size] == '\n');
    }
}

static void judge(struct run *run, const struct place *place,
                  struct bytes event)
{
    struct buffer why;

    buffer_init(&why, WHY_MOST);
    switch (run->arguments->data
                ? filter_judge_data(run->judge, place->text, event, &why)
                : filter_judge_event(run->judge, place->text, event, &why)) {
    case FILTER_MATCH:
        run->matching++;
        break;
    case FILTER_NO_MATCH:
        run->others++;
        break;
    case FILTER_BAD:
        run->bad++;
    }
    print_verdict(place, &why);
    buffer_finish(&why);
}

// ---- all that was given ----------------------------------------------------

static bool is_over(const struct run *run)
{
    return run->bad >= BAD_MOST;
}

static bool complain(struct run *run, const struct filter_text *text,
                     size_t offset, const char *message)
{
    filter_text_complain(text, offset, message);
    run->bad++;
    return false;
}

static void judge_records(struct run *run, const struct place *event,
                          struct bytes records)
{
    AUTO_FREE char *copy = mem_strndup(records.data, records.size);
    struct place place = *event;
    struct json_read in;
    struct bytes one;

    json_read_init(&in, copy, records.size);
    (void)json_read_array(&in);
    while (!is_over(run) && json_read_element(&in) &&
           json_read_raw(&in, &one)) {
        place.record++;
        judge(run, &place,
              (struct bytes){records.data + (one.data - copy), one.size});
    }
    if (!place.record)
        (void)complain(run, place.text,
                       (size_t)(records.data - place.text->content.data),
                       "there is no record");
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Up to what comes next, which is on that line.
static void pass_space(struct bytes *text, size_t *line)
{
    while (text->size && is_space(*text->data)) {
        *line += *text->data == '\n';
        text->data++;
        text->size--;
    }
}

static void pass(struct bytes *text, size_t size, size_t *line)
{
    for (size_t i = 0; i < size; i++)
        *line += text->data[i] == '\n';
    text->data += size;
    text->size -= size;
    pass_space(text, line);
}

// The JSON that `rest` begins with.
static bool take_document(struct run *run, const struct filter_text *text,
                          struct bytes rest, struct bytes *event)
{
    size_t from = (size_t)(rest.data - text->content.data);
    struct json_read in;
    AUTO_FREE char *message = NULL;

    json_read_init(&in, text->content.data + from, rest.size);
    if (json_read_raw(&in, event))
        return true;
    message = mem_printf("not JSON: %s", in.error);
    return complain(run, text, from + json_read_offset(&in), message);
}

// JSON after JSON, on one line or many. Returns how many there were.
static size_t judge_documents(struct run *run, const struct filter_text *text)
{
    struct bytes rest = buffer_bytes(&text->content);
    size_t count = 0, line = 1;

    pass_space(&rest, &line);
    for (; rest.size && !is_over(run); count++) {
        struct place place = {.text = text, .line = line};
        struct bytes event, records;

        if (!take_document(run, text, rest, &event))
            return count;
        pass(&rest, event.size, &line);
        place.is_alone = !count && !rest.size;
        if (filter_judge_has_records(run->judge, event, &records))
            judge_records(run, &place, records);
        else
            judge(run, &place, event);
    }
    return count;
}

// As `pollard send` takes them.
static size_t judge_lines(struct run *run, const struct filter_text *text)
{
    struct bytes rest = buffer_bytes(&text->content);
    struct place place = {.text = text};

    while (rest.size && !is_over(run)) {
        const char *end = memchr(rest.data, '\n', rest.size);
        struct bytes line = {rest.data,
                             end ? (size_t)(end - rest.data) : rest.size};

        place.line++;
        if (line.size)
            judge(run, &place, line);
        rest.data += line.size + (end != NULL);
        rest.size -= line.size + (end != NULL);
    }
    return place.line;
}

static void judge_text(struct run *run, struct filter_text *text)
{
    struct bytes all;
    size_t count = 1, valid;

    if (!run->arguments->data)
        filter_text_skip_mark(text);
    all = buffer_bytes(&text->content);
    valid = utf8_valid_size(all);
    if (run->arguments->whole)
        judge(run, &(struct place){.text = text, .is_alone = true}, all);
    else if (run->arguments->data)
        count = judge_lines(run, text);
    else if (valid < all.size)
        (void)complain(run, text, valid, "not UTF-8");
    else
        count = judge_documents(run, text);
    if (!count && !run->bad)
        (void)complain(run, text, 0, "there is no event");
}

static void say(const struct filter_text *text, const struct error *err)
{
    (void)fflush(stdout);
    (void)fputs("pollard filter: ", stderr);
    command_print(stderr, text->name);
    (void)fprintf(stderr, ": %s\n", err->message);
}

static int status_of_read(const struct error *err)
{
    return err->code == ERROR_NOT_FOUND ? COMMAND_NO_INPUT : COMMAND_DATA;
}

static void judge_given(struct run *run, const char *given, size_t number)
{
    AUTO_FREE char *name = run->arguments->events.count > 1
                               ? mem_printf("event %zu", number)
                               : mem_strdup("event");
    struct filter_text text;
    struct error err = {0};

    if (filter_text_read(&text, given, name, EVENTS_MOST, &err)) {
        judge_text(run, &text);
    } else {
        say(&text, &err);
        run->bad++;
        run->lacks_input |= status_of_read(&err) == COMMAND_NO_INPUT;
    }
    filter_text_finish(&text);
}

static int judge_all(const struct arguments *arguments,
                     struct filter_judge *judge)
{
    struct run run = {.arguments = arguments, .judge = judge};
    size_t count;

    for (size_t i = 0; i < arguments->events.count && !is_over(&run); i++)
        judge_given(&run, arguments->events.list[i], i + 1);
    if (!arguments->events.count)
        judge_given(&run, "-", 1);
    if (is_over(&run))
        (void)fprintf(stderr, "pollard filter: %d wrong events are enough\n",
                      BAD_MOST);
    count = run.matching + run.others;
    if (count > 1)
        (void)printf("%zu of %zu match\n", run.matching, count);
    if (fflush(stdout) || ferror(stdout))
        return COMMAND_INTERNAL;
    if (run.bad)
        return run.lacks_input ? COMMAND_NO_INPUT : COMMAND_DATA;
    return run.others ? 1 : COMMAND_OK;
}

// ---- the command line ------------------------------------------------------

static int test_pattern(struct arguments *arguments, const char *given)
{
    struct filter_text pattern;
    struct filter_judge *judge;
    struct error err = {0};
    int status = COMMAND_DATA;

    if (filter_text_read(&pattern, given, "pattern", PATTERN_MOST, &err)) {
        filter_text_skip_mark(&pattern);
        judge = filter_judge_create(
            &pattern, arguments->has_view ? &arguments->view : NULL);
        if (judge)
            status = judge_all(arguments, judge);
        filter_judge_destroy(judge);
    } else {
        say(&pattern, &err);
        status = status_of_read(&err);
    }
    filter_text_finish(&pattern);
    return status;
}

static int test_trigger(const struct arguments *arguments)
{
    const char *path =
        arguments->config ? arguments->config : command_default_config();
    struct settings *settings = command_load_settings(path);
    const struct trigger_config *trigger;
    struct filter_judge *judge;
    int status = COMMAND_USAGE;

    if (!settings)
        return COMMAND_CONFIG;
    trigger = command_find_trigger(NAME, settings, arguments->trigger);
    if (trigger) {
        judge = filter_judge_create_of(trigger);
        status = judge_all(arguments, judge);
        filter_judge_destroy(judge);
    }
    settings_destroy(settings);
    return status;
}

static int find_source(struct arguments *arguments)
{
    if (!arguments->source)
        return COMMAND_OK;
    for (const struct source *one = sources; one->name; one++)
        if (!strcmp(one->name, arguments->source)) {
            arguments->view = one->view;
            arguments->has_view = true;
            return COMMAND_OK;
        }
    return command_usage(NAME,
                         "there is no source '%s': sqs, kinesis, dynamodb or "
                         "event",
                         arguments->source);
}

static const struct command_option filter_option_rows[] = {
    {"config", 'c', COMMAND_TEXT(struct arguments, config)},
    {"trigger", 0, COMMAND_TEXT(struct arguments, trigger)},
    {"source", 0, COMMAND_TEXT(struct arguments, source)},
    {"data", 0, COMMAND_FLAG(struct arguments, data)},
    {"whole", 0, COMMAND_FLAG(struct arguments, whole)},
    {0}};

static int check(const struct arguments *arguments, const char *pattern)
{
    size_t inputs = pattern && !strcmp(pattern, "-");

    if (arguments->config && !arguments->trigger)
        return command_usage(NAME, "-c is for --trigger NAME");
    if (arguments->trigger && arguments->has_view)
        return command_usage(NAME, "--source is the trigger's own");
    if (!arguments->trigger && !pattern)
        return command_usage(NAME, "a pattern is missing, or --trigger NAME");
    if (arguments->data && !arguments->trigger && !arguments->has_view)
        return command_usage(NAME,
                             "data alone does not say its source: --source or "
                             "--trigger is missing");
    for (size_t i = 0; i < arguments->events.count; i++)
        inputs += !strcmp(arguments->events.list[i], "-");
    if (inputs + !arguments->events.count > 1)
        return command_usage(NAME, "standard input can be read once only");
    return COMMAND_OK;
}

static int test(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct command_words *events = &arguments.events;
    const char *pattern = NULL;
    int status = command_line_read(NAME, argc, argv, filter_option_rows,
                                   &arguments, SIZE_MAX, events);

    if (status == COMMAND_OK)
        status = find_source(&arguments);
    if (status != COMMAND_OK)
        return status;
    arguments.data |= arguments.whole;
    if (!arguments.trigger && events->count) {
        pattern = *events->list++;
        events->count--;
    }
    status = check(&arguments, pattern);
    if (status != COMMAND_OK)
        return status;
    return pattern ? test_pattern(&arguments, pattern)
                   : test_trigger(&arguments);
}

int filter_main(int argc, char **argv)
{
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return command_help(NAME);
    if (argc == 1)
        return command_usage(NAME, "test is missing");
    if (strcmp(argv[1], "test") != 0)
        return command_usage(NAME, "there is no '%s': test", argv[1]);
    return test(argc - 1, argv + 1);
}
