/*
 * fuzz_pattern: a pattern up to the first line end, an event behind it.
 * Whatever they are: a mistake has its place within the pattern; the verdict in
 * words is the verdict; a record gets the same one as its event; findings and
 * steps of judging keep to their bounds.
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "filter/explain.h"
#include "filter/fields.h"
#include "filter/verdict.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct record_origin queue = {
    .kind = RECORD_SQS, .arn = "arn:q", .region = "r"};
static const struct record_origin shard = {.kind = RECORD_KINESIS,
                                           .arn = "arn:s",
                                           .region = "r",
                                           .shard = "shard",
                                           .identity = "role"};
static const struct record_origin table = {
    .kind = RECORD_DYNAMODB, .arn = "arn:t", .region = "r", .shard = "shard"};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct pattern *compile(enum pattern_view view, struct bytes text)
{
    struct pattern *pattern = pattern_create(view);
    struct error err = {0};
    size_t offset = SIZE_MAX;

    if (pattern_add(pattern, text, &offset, &err)) {
        pattern_seal(pattern);
        return pattern;
    }
    require(offset <= text.size && err.code == ERROR_INVALID && err.message[0]);
    pattern_destroy(pattern);
    return NULL;
}

static void check_bounds(const struct walk *walk)
{
    require(walk->elements.count <= ELEMENTS_LIMIT);
    require(walk->elements.effort <= ELEMENTS_EFFORT);
    require(walk->elements.gave_up || walk->elements.effort);
    require(walk->bound == 0 && walk->depth <= SCAN_DEPTH_LIMIT);
}

// The words begin with the verdict.
static void check_words(const struct buffer *out, bool wanted)
{
    static const char match[] = "match";

    require(buffer_ok(out) && out->size > 0);
    require(wanted == !strncmp(out->data, match, sizeof(match) - 1));
}

// -1: the event is no object.
static int judge_event(struct bytes text, struct bytes event)
{
    struct pattern *pattern = compile(PATTERN_VIEW_EVENT, text);
    struct buffer out;
    struct walk walk;
    struct verdict verdict;
    bool is_json;

    if (!pattern)
        return -1;
    buffer_init(&out, (size_t)64 * 1024 * 1024);
    walk_init(&walk, pattern);
    verdict = verdict_of_event(&walk, event);
    check_bounds(&walk);
    require(explain_event(&walk, event, &is_json, &out) ==
            (verdict.rule != NULL));
    require(is_json == (verdict.data == WALK_JSON_OBJECT));
    if (is_json)
        check_words(&out, verdict.rule != NULL);
    walk_finish(&walk);
    buffer_finish(&out);
    pattern_destroy(pattern);
    return is_json ? verdict.rule != NULL : -1;
}

// By the rules of a source; the verdict without words is the same.
static int judge_record(enum pattern_view view, struct bytes text,
                        const struct record *record)
{
    struct pattern *pattern = compile(view, text);
    struct buffer out;
    struct walk walk;
    bool wanted;

    if (!pattern)
        return -1;
    buffer_init(&out, (size_t)64 * 1024 * 1024);
    walk_init(&walk, pattern);
    wanted = verdict_is_wanted(&walk, record);
    check_bounds(&walk);
    require(explain_record(&walk, record, &out) == wanted);
    check_words(&out, wanted);
    require(verdict_is_wanted(&walk, record) == wanted); // leaves nothing
    walk_finish(&walk);
    buffer_finish(&out);
    pattern_destroy(pattern);
    return wanted;
}

// What is wanted of the event is wanted of the data, below its key.
static void check_data(enum pattern_view view, struct bytes text,
                       const struct record *record, int expected)
{
    struct buffer below;
    int found;

    buffer_init(&below, text.size + 100);
    buffer_printf(&below, "{\"%s\":", fields_data_key(view));
    buffer_append_bytes(&below, text);
    buffer_append_char(&below, '}');
    found = judge_record(view, buffer_bytes(&below), record);
    require(expected < 0 || found == expected);
    buffer_finish(&below);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    struct bytes text = {(const char *)data, end ? (size_t)(end - data) : size};
    struct bytes event = {(const char *)data + text.size + (end != NULL),
                          size - text.size - (end != NULL)};
    struct record_attribute system = {BYTES("SentTimestamp"), event};
    struct record_message_attribute user = {BYTES("a"), BYTES("String"), event,
                                            size & 1};
    const struct record message = {.origin = &queue,
                                   .id = event,
                                   .data = event,
                                   .attributes = &system,
                                   .attribute_count = 1,
                                   .message_attributes = &user,
                                   .message_attribute_count = 1};
    const struct record entry = {
        .origin = &shard, .id = event, .key = event, .data = event};
    const struct record change = {.origin = &table,
                                  .event_name = event,
                                  .user_identity = event,
                                  .data = event};
    int expected = judge_event(text, event);

    check_data(PATTERN_VIEW_SQS, text, &message, expected);
    check_data(PATTERN_VIEW_KINESIS, text, &entry, expected);
    check_data(PATTERN_VIEW_DYNAMODB, text, &change, expected);
    (void)judge_record(PATTERN_VIEW_SQS, text, &message);
    (void)judge_record(PATTERN_VIEW_KINESIS, text, &entry);
    (void)judge_record(PATTERN_VIEW_DYNAMODB, text, &change);
    return 0;
}
