#include "poller/response.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_read.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "handler/handler.h"
#include "poller/batch.h"
#include "poller/id_index.h"

#define SHOWN_ID_LIMIT 100 // bytes of a stranger's id in a log line

// One response on its way into a verdict.
struct reading {
    const struct response_rules *rules;
    struct response_verdict *verdict;
    const char *text; // the handler's own bytes; `in` reads a copy
    struct json_read in;
    struct id_index ids;
    size_t count;     // of the batch
    size_t entry;     // of the list, for messages
    bool has_list;    // batchItemFailures was there
    bool state_taken; // the ABI's set_state has the word
};

static void fail_all(struct response_verdict *verdict, size_t count)
{
    free(verdict->failed);
    verdict->failed = NULL;
    verdict->all_failed = true;
    verdict->failed_count = count;
}

static bool refuse(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The first thing that is wrong is told. Returns false. */
static bool refuse(struct reading *reading, const char *format, ...)
{
    struct response_verdict *verdict = reading->verdict;
    va_list args;

    if (verdict->is_invalid)
        return false;
    verdict->is_invalid = true;
    va_start(args, format);
    (void)vsnprintf(verdict->why, sizeof(verdict->why), format, args);
    va_end(args);
    return false;
}

static void mark(struct response_verdict *verdict, size_t count, size_t index)
{
    if (!verdict->failed)
        verdict->failed = mem_calloc(count, sizeof(*verdict->failed));
    verdict->failed_count += !verdict->failed[index];
    verdict->failed[index] = true;
}

/* As much as a log line should hold of it, whole characters only. */
static struct bytes shown(struct bytes id)
{
    if (id.size <= SHOWN_ID_LIMIT)
        return id;
    id.size = SHOWN_ID_LIMIT;
    id.size = utf8_valid_size(id);
    return id;
}

/* All records with this id: were one copy of an SQS message deleted, the
 * message would be gone. */
static bool mark_all(struct reading *reading, struct bytes id)
{
    size_t index = id_index_find(&reading->ids, id);
    bool is_there = index != ID_INDEX_NONE;

    for (; index != ID_INDEX_NONE;
         index = id_index_take_next(&reading->ids, index))
        mark(reading->verdict, reading->count, index);
    return is_there;
}

/* The one part of an aggregated record. */
static bool mark_part(struct reading *reading, struct bytes id)
{
    size_t index = id_index_find_part(&reading->ids, id);

    if (index == ID_INDEX_NONE)
        return false;
    mark(reading->verdict, reading->count, index);
    return true;
}

static bool mark_id(struct reading *reading, struct bytes id)
{
    struct bytes part = shown(id);

    return mark_all(reading, id) || mark_part(reading, id) ||
           refuse(reading,
                  "batchItemFailures[%zu].itemIdentifier \"%.*s%s\" is not "
                  "in this batch",
                  reading->entry, BYTES_ARGS(part),
                  part.size < id.size ? "..." : "");
}

static const char *name_of(enum json_read_type type)
{
    switch (type) {
    case JSON_READ_OBJECT:
        return "an object";
    case JSON_READ_ARRAY:
        return "a list";
    case JSON_READ_STRING:
        return "a string";
    case JSON_READ_NUMBER:
        return "a number";
    case JSON_READ_TRUE:
    case JSON_READ_FALSE:
        return "a boolean";
    case JSON_READ_NULL:
        return "null";
    case JSON_READ_NOTHING:
        break;
    }
    return "nothing";
}

/* A number is refused even when its digits are those of a record: AWS fails the
 * batch for ids of the wrong type (lambda-esm.md section 3.1). */
static void read_id(struct reading *reading)
{
    enum json_read_type type = json_read_peek(&reading->in);
    struct bytes id = {0};

    if (type != JSON_READ_STRING) {
        json_read_skip(&reading->in);
        refuse(reading,
               "batchItemFailures[%zu].itemIdentifier is %s, not a string",
               reading->entry, name_of(type));
        return;
    }
    json_read_string(&reading->in, &id);
    if (!id.size)
        refuse(reading, "batchItemFailures[%zu].itemIdentifier is empty",
               reading->entry);
    else
        mark_id(reading, id);
}

static void read_entry(struct reading *reading)
{
    enum json_read_type type = json_read_peek(&reading->in);
    struct bytes name;
    size_t ids = 0;

    if (type != JSON_READ_OBJECT) {
        json_read_skip(&reading->in);
        refuse(reading, "batchItemFailures[%zu] is %s, not an object",
               reading->entry, name_of(type));
        return;
    }
    json_read_object(&reading->in);
    while (json_read_member(&reading->in, &name)) {
        if (!bytes_equal(name, BYTES("itemIdentifier"))) {
            json_read_skip(&reading->in);
            continue;
        }
        ids++;
        read_id(reading);
    }
    if (ids != 1)
        refuse(reading, "batchItemFailures[%zu] has %s itemIdentifier",
               reading->entry, ids ? "more than one" : "no");
}

/* null is an empty list, as on AWS. A second list is refused, though AWS seems
 * to take the last: what one of them says would be lost. */
static void read_list(struct reading *reading)
{
    enum json_read_type type = json_read_peek(&reading->in);

    if (reading->has_list)
        refuse(reading, "batchItemFailures is there twice");
    reading->has_list = true;
    if (type != JSON_READ_ARRAY) {
        json_read_skip(&reading->in);
        if (type != JSON_READ_NULL)
            refuse(reading, "batchItemFailures is %s, not a list",
                   name_of(type));
        return;
    }
    json_read_array(&reading->in);
    for (; json_read_element(&reading->in); reading->entry++)
        read_entry(reading);
}

/* The object as the handler wrote it. null is no state. */
static void read_state(struct reading *reading)
{
    enum json_read_type type = json_read_peek(&reading->in);
    size_t start = json_read_offset(&reading->in);

    json_read_skip(&reading->in);
    if (reading->state_taken || type == JSON_READ_NULL)
        return;
    if (type != JSON_READ_OBJECT) {
        refuse(reading, "state is %s, not an object", name_of(type));
        return;
    }
    if (reading->verdict->has_state)
        refuse(reading, "state is there twice");
    reading->verdict->has_state = true;
    reading->verdict->state = (struct bytes){
        reading->text + start, json_read_offset(&reading->in) - start};
}

static void read_member(struct reading *reading, struct bytes name)
{
    if (reading->rules->reads_response &&
        bytes_equal(name, BYTES("batchItemFailures")))
        read_list(reading);
    else if (reading->rules->wants_state && bytes_equal(name, BYTES("state")))
        read_state(reading);
    else
        json_read_skip(&reading->in);
}

/* An object that names no failures is a success whatever else it says; so are
 * null, "" and [], which AWS reads as an empty object (recorded for Kinesis,
 * taken to be the same elsewhere). Other values are none that it could read as
 * a report: its documentation fails the batch. */
static void read_document(struct reading *reading)
{
    enum json_read_type type = json_read_peek(&reading->in);
    struct json_read *in = &reading->in;
    struct bytes text = {0};
    bool is_empty = false;

    if (type == JSON_READ_OBJECT) {
        json_read_object(in);
        while (json_read_member(in, &text))
            read_member(reading, text);
        return;
    }
    if (type == JSON_READ_STRING)
        is_empty = json_read_string(in, &text) && !text.size;
    else if (type == JSON_READ_ARRAY && json_read_array(in))
        for (is_empty = true; json_read_element(in); is_empty = false)
            json_read_skip(in);
    else
        json_read_skip(in);
    if (!is_empty && type != JSON_READ_NULL && !in->error)
        refuse(reading, "the response is %s, not an object", name_of(type));
}

/* What is not JSON is told before what is wrong in it. */
static void check_end(struct reading *reading)
{
    if (json_read_end(&reading->in))
        return;
    reading->verdict->is_invalid = false;
    refuse(reading, "the response is not JSON: %s at byte %zu",
           reading->in.error, json_read_offset(&reading->in));
}

/* No bytes at all are a success (recorded on AWS with a custom runtime). */
static void read_response(struct reading *reading, struct bytes response)
{
    size_t valid = utf8_valid_size(response);
    AUTO_FREE char *copy = NULL;

    if (!response.size)
        return;
    if (valid < response.size) {
        refuse(reading, "the response is not UTF-8 at byte %zu", valid);
        return;
    }
    copy = mem_strndup(response.data, response.size);
    reading->text = response.data;
    json_read_init(&reading->in, copy, response.size);
    read_document(reading);
    check_end(reading);
}

static void read_marks(const struct outcome *outcome, size_t count,
                       struct response_verdict *verdict)
{
    for (size_t i = 0; outcome->failed && i < count; i++)
        if (outcome->failed[i])
            mark(verdict, count, i);
}

static void read_report(struct reading *reading, const struct outcome *outcome)
{
    const struct response_rules *rules = reading->rules;

    if (outcome->invalid_report) {
        refuse(reading, "%s", outcome->invalid_why);
        return;
    }
    if (outcome->response_too_large) {
        refuse(reading, "the response is over 6 MiB");
        return;
    }
    read_marks(outcome, reading->count, reading->verdict);
    if (outcome->has_response && (rules->reads_response || rules->wants_state))
        read_response(reading, buffer_bytes(&outcome->response));
    if (rules->wants_state && !reading->verdict->has_state)
        refuse(reading, "a tumbling window's handler must respond with a "
                        "state, and did not");
}

static void read_done(const struct outcome *outcome, const struct batch *batch,
                      const struct response_rules *rules,
                      struct response_verdict *verdict)
{
    struct reading reading = {
        .rules = rules, .verdict = verdict, .count = batch->count};

    id_index_init(&reading.ids, batch);
    if (rules->wants_state && outcome->has_state) {
        reading.state_taken = true;
        verdict->has_state = true;
        verdict->state = buffer_bytes(&outcome->state);
    }
    read_report(&reading, outcome);
    if (verdict->is_invalid)
        fail_all(verdict, batch->count);
    id_index_finish(&reading.ids);
}

void response_read(const struct outcome *outcome, const struct batch *batch,
                   const struct response_rules *rules,
                   struct response_verdict *verdict)
{
    *verdict = (struct response_verdict){0};
    switch (outcome->kind) {
    case OUTCOME_DONE:
        read_done(outcome, batch, rules, verdict);
        break;
    case OUTCOME_FAILED:
    case OUTCOME_TIMED_OUT:
        fail_all(verdict, batch->count);
        verdict->is_unhandled = true;
        break;
    case OUTCOME_UNSTARTED:
        verdict->is_unstarted = true;
        break;
    }
}

void response_verdict_finish(struct response_verdict *verdict)
{
    free(verdict->failed);
    *verdict = (struct response_verdict){0};
}

bool response_is_failed(const struct response_verdict *verdict, size_t index)
{
    return verdict->all_failed || (verdict->failed && verdict->failed[index]);
}

size_t response_done_prefix(const struct response_verdict *verdict,
                            size_t count)
{
    size_t done = 0;

    if (verdict->is_unstarted)
        return 0;
    while (done < count && !response_is_failed(verdict, done))
        done++;
    return done;
}
