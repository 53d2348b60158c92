#include "case_told.h"

#include <string.h>

#include "case_world.h"
#include "destination/failure_report.h"
#include "destination/object_name.h"
#include "destination/on_failure.h"
#include "poller/batch.h"
#include "poller/pipeline.h"
#include "record/event.h"
#include "supervisor/settings.h"
#include "test.h"

// ---- Calls ----

static json_t *names_of(const struct case_world *world,
                        const struct batch *batch)
{
    struct buffer text;
    json_t *names;

    buffer_init(&text, 1 << 20);
    for (size_t i = 0; i < batch->count; i++)
        buffer_printf(&text, "%s%s", i ? " " : "",
                      case_world_message(world, batch->records[i]->id)->name);
    names = json_string(buffer_text(&text));
    buffer_finish(&text);
    return names;
}

static json_t *receives_of(const struct batch *batch)
{
    json_t *receives = json_array();

    for (size_t i = 0; i < batch->count; i++)
        json_array_append_new(receives,
                              json_integer(batch->records[i]->receive_count));
    return receives;
}

static json_t *offset_of(int64_t wall)
{
    return json_integer(wall - CASE_ARRIVES_MS);
}

static void tell_window(const struct event_window *window, json_t *told)
{
    json_object_set_new(told, "window",
                        json_pack("[o, o]", offset_of(window->start_ms),
                                  offset_of(window->end_ms)));
    json_object_set_new(
        told, "state",
        json_loadb(window->state.data, window->state.size, 0, NULL));
    json_object_set_new(told, "final", json_boolean(window->is_final));
    json_object_set_new(told, "early",
                        json_boolean(window->is_terminated_early));
}

static void tell_event(struct case_world *world, const struct batch *batch)
{
    const struct record *const *records =
        (const struct record *const *)batch->records;
    struct buffer text;

    buffer_init(&text, 2 * EVENT_LIMIT);
    if (batch->window)
        event_write_window(&text, records, batch->count, batch->window);
    else
        event_write(&text, records, batch->count);
    assert_true(buffer_ok(&text));
    assert_true(text.size <= EVENT_LIMIT || batch->count == 1);
    json_array_append_new(world->events, json_stringn(text.data, text.size));
    buffer_finish(&text);
}

void case_told_call(struct case_world *world, const struct batch *batch)
{
    json_t *told = json_pack(
        "{s:o, s:o, s:I, s:i}", "records", names_of(world, batch), "receives",
        receives_of(batch), "at", (json_int_t)(world->now_ms - CASE_START_MS),
        "attempt", (int)batch->attempt);

    if (batch->window)
        tell_window(batch->window, told);
    json_array_append_new(world->invocations, told);
    tell_event(world, batch);
}

// ---- Reports ----

static enum failure_condition condition_of(const struct discard *discard)
{
    switch (discard->condition) {
    case DISCARD_ATTEMPTS:
        return FAILURE_RETRY_ATTEMPTS_EXHAUSTED;
    case DISCARD_AGE:
        return FAILURE_RECORD_AGE_EXCEEDED;
    case DISCARD_FILTERED:
        break;
    }
    return FAILURE_FILTERED;
}

#define UUID "316aa6d0-8154-4a5e-9af7-85d5f4a6bc81"

/* What a bucket calls the report. */
static void tell_object(struct case_world *world, const struct discard *discard)
{
    char mapping[UUID_SIZE];
    struct buffer name;

    object_uuid_of_trigger(world->settings->triggers[0].name, mapping);
    buffer_init(&name, 1024);
    object_name_report(&name, mapping,
                       discard->batch->records[0]->origin->shard,
                       discard->discarded_at_ms, UUID);
    json_array_append_new(world->objects, json_string(buffer_text(&name)));
    buffer_finish(&name);
}

static bool is_in_bucket(const struct case_world *world)
{
    const struct destination_config *config =
        &world->settings->triggers[0].destination_config;

    return world->has_destination &&
           !strncmp(config->on_failure.destination, "arn:aws:s3:", 11);
}

/* The report, as a queue or a bucket would get it. */
static void tell_document(struct case_world *world,
                          const struct discard *discard)
{
    struct failure failure = {
        .condition = condition_of(discard),
        .invoke_count = discard->invoke_count,
        .is_unhandled = discard->is_unhandled,
        .failed_wall_ms = discard->discarded_at_ms,
        .records = discard->batch->records,
        .count = discard->batch->count,
        .window = discard->batch->window,
    };
    struct buffer text;

    if (world->is_queue)
        return;
    buffer_init(&text, FAILURE_REPORT_LIMIT);
    failure_report_write(
        &text,
        &(struct failure_report){.failure = &failure,
                                 .function = world->settings->triggers[0].name,
                                 .request_id = UUID,
                                 .has_payload = is_in_bucket(world)});
    json_array_append_new(world->documents, json_stringn(text.data, text.size));
    buffer_finish(&text);
    if (is_in_bucket(world))
        tell_object(world, discard);
}

void case_told_discard(struct case_world *world, const struct discard *discard)
{
    const char *condition = failure_condition_name(condition_of(discard));
    json_t *told = json_pack("{s:s, s:o, s:i, s:I}", "condition", condition,
                             "records", names_of(world, discard->batch),
                             "invoke_count", (int)discard->invoke_count, "at",
                             (json_int_t)(world->now_ms - CASE_START_MS));

    json_object_set_new(told, "error",
                        discard->is_unhandled ? json_string("Unhandled")
                                              : json_null());
    json_array_append_new(world->reports, told);
    tell_document(world, discard);
}
