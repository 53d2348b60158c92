#include "case_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "case_outcome.h"
#include "filter/filter.h"
#include "handler/handler.h"
#include "poller/pipeline.h"
#include "poller/response.h"
#include "poller/trigger_pipeline.h"
#include "record/event.h"
#include "settings_file.h"
#include "test.h"

#define STEPS 100000

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* ---- the source's lines of the file, by kind ------------------------------
 */

static const struct kind {
    const char *name, *source;
    bool is_queue, is_fifo;
    struct record_origin origin;
} kinds[] = {
    {"sqs",
     "sqs: {queue: q}",
     true,
     false,
     {RECORD_SQS, "arn:aws:sqs:us-east-1:000000000000:q", "us-east-1", NULL,
      NULL}},
    {"fifo",
     "sqs: {queue: q.fifo}",
     true,
     true,
     {RECORD_SQS, "arn:aws:sqs:us-east-1:000000000000:q.fifo", "us-east-1",
      NULL, NULL}},
    {"kinesis",
     "kinesis: {stream: s}",
     false,
     false,
     {RECORD_KINESIS, "arn:aws:kinesis:us-east-1:000000000000:stream/s",
      "us-east-1", "shardId-000000000000",
      "arn:aws:iam::000000000000:role/pollard"}},
    {"dynamodb",
     "arn: \"arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/"
     "2026-01-01T00:00:00.000\"",
     false,
     false,
     {RECORD_DYNAMODB,
      "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/"
      "2026-01-01T00:00:00.000",
      "us-east-1", "shardId-00000001700000000000-00000000", NULL}},
};

static const struct kind *kind_of(const json_t *spec)
{
    const char *name = text_of(spec, "source");

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (name && !strcmp(kinds[i].name, name))
            return &kinds[i];
    fail_msg("%s: no source \"%s\"", text_of(spec, "name"), name);
    return NULL;
}

/* JSON is YAML, so the case's settings go into the file as they are. */
static void put_settings(const json_t *settings, struct buffer *text)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)settings, key, value)
    {
        char *written = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

        buffer_printf(text, "    %s: %s\n", key, written);
        free(written);
    }
}

static char *with_destination(char *text)
{
    static const char mark[] = "$failed";
    char *at = strstr(text, mark), *made;

    if (!at)
        return text;
    made = mem_printf("%.*sarn:aws:sqs:us-east-1:000000000000:failed%s",
                      (int)(at - text), text, at + strlen(mark));
    free(text);
    return made;
}

/* A handler in place, or the name that the case gives it. */
static void put_handler(const json_t *spec, struct buffer *text)
{
    const char *timeout = text_of(spec, "handler_timeout");
    const char *name = text_of(spec, "handler_name");

    if (name)
        buffer_printf(text, "    handler: %s\n", name);
    else
        buffer_printf(text, "    handler: {library: a.so, timeout: %s}\n",
                      timeout ? timeout : "1s");
}

/* The kind's, or what the case gives: "" is none. */
static void put_source(const json_t *spec, const struct kind *kind,
                       struct buffer *text)
{
    const char *given = text_of(spec, "source_text");

    if (!given || *given)
        buffer_printf(text, "    source: {%s}\n", given ? given : kind->source);
}

static bool is_set(const json_t *spec, const char *key)
{
    return json_is_true(json_object_get(spec, key));
}

char *case_settings_text(const json_t *spec)
{
    const struct kind *kind = kind_of(spec);
    const json_t *settings = json_object_get(spec, "settings");
    struct buffer text;

    buffer_init(&text, 1 << 20);
    buffer_append_text(&text, "version: 1\ntriggers:\n  t:\n");
    put_source(spec, kind, &text);
    put_handler(spec, &text);
    if (!kind->is_queue && !is_set(spec, "no_start") &&
        !json_object_get(settings, "starting_position"))
        buffer_append_text(&text, "    starting_position: TRIM_HORIZON\n");
    put_settings(settings, &text);
    assert_true(buffer_ok(&text));
    return with_destination(buffer_detach(&text));
}

/* ---- records --------------------------------------------------------------
 */

static char *data_of(const json_t *spec, const char *name, size_t *size)
{
    const json_t *data = json_object_get(spec, "data");
    size_t wanted = (size_t)json_integer_value(json_object_get(spec, "size"));
    const char *text = json_is_string(data) ? json_string_value(data) : name;
    char *made = data && !json_is_string(data)
                     ? json_dumps(data, JSON_ENCODE_ANY | JSON_COMPACT)
                     : mem_strdup(text);

    *size = strlen(made);
    if (wanted <= *size)
        return made;
    made = mem_realloc(made, wanted + 1, 1);
    memset(made + *size, '.', wanted - *size);
    made[wanted] = '\0';
    *size = wanted;
    return made;
}

/* Sequence numbers grow in length too: 8, 9, 10, 11 must not compare as text.
 */
static char *id_of(const struct case_world *world, const char *name,
                   size_t index)
{
    return world->is_queue ? mem_printf("m-%s", name)
                           : mem_printf("%zu", index + 8);
}

static void add_message(struct case_world *world, const json_t *spec)
{
    struct case_message *message = &world->messages[world->count];
    const char *key = text_of(spec, "key"), *event = text_of(spec, "event");
    const char *name =
        json_is_string(spec) ? json_string_value(spec) : text_of(spec, "name");

    assert_non_null(name);
    *message = (struct case_message){
        .name = name,
        .key = key               ? key
               : world->is_fifo  ? "g"
               : world->is_queue ? ""
                                 : name,
        .id = id_of(world, name, world->count),
        .creation = mem_strdup(event ? event : "INSERT"),
        .age_ms = json_integer_value(json_object_get(spec, "age")),
        .arrives_ms =
            CASE_START_MS + json_integer_value(json_object_get(spec, "at")),
    };
    message->data = data_of(spec, name, &message->data_size);
    world->count++;
}

struct case_message *case_world_find(const struct case_world *world,
                                     const char *name)
{
    for (size_t i = 0; i < world->count; i++)
        if (!strcmp(world->messages[i].name, name))
            return &world->messages[i];
    return NULL;
}

static struct case_message *message_of(const struct case_world *world,
                                       struct bytes id)
{
    for (size_t i = 0; i < world->count; i++)
        if (bytes_equal(id, bytes_of(world->messages[i].id)))
            return &world->messages[i];
    fail_msg("no record %.*s", BYTES_ARGS(id));
    return NULL;
}

static int64_t wall_ms(int64_t ms)
{
    return ms - CASE_START_MS + CASE_WALL_MS;
}

static struct record *make_record(const struct case_world *world,
                                  const struct case_message *message)
{
    const struct kind *kind = kind_of(world->spec);
    struct buffer body;
    struct record *record;

    buffer_init(&body, 16);
    buffer_append(&body, "", 1);
    record = &chunk_create(&body, 1)->records[0];
    record->origin = &kind->origin;
    record->id = bytes_of(message->id);
    record->key = bytes_of(message->key);
    record->data = (struct bytes){message->data, message->data_size};
    record->arrived_at_ms = wall_ms(message->arrives_ms) - message->age_ms;
    record->received_ms = world->now_ms;
    record->visible_ms = world->is_queue ? message->visible_ms : CLOCK_NEVER;
    record->receive_count = world->is_queue ? message->receive_count : 1;
    if (kind->origin.kind == RECORD_DYNAMODB) {
        record->event_name = bytes_of(message->creation);
        record->event_version = BYTES("1.1");
    }
    record->event_size = (uint32_t)event_record_size(record);
    return record;
}

/* ---- the source: what arrives, and what becomes of it ----------------------
 */

static void show_again(struct case_world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct case_message *message = &world->messages[i];

        if (message->state == CASE_COMING &&
            message->arrives_ms <= world->now_ms)
            message->state = CASE_VISIBLE;
        if (message->state == CASE_HIDDEN &&
            message->visible_ms <= world->now_ms)
            message->state = CASE_VISIBLE;
    }
}

/* Of a FIFO group nothing is handed out while one of it is in flight since an
 * earlier receive, or while an earlier one has not arrived. */
static bool is_blocked(const struct case_world *world, size_t index,
                       const bool *fresh)
{
    for (size_t i = 0; world->is_fifo && i < world->count; i++)
        if (world->messages[i].state == CASE_HIDDEN && !fresh[i] &&
            !strcmp(world->messages[i].key, world->messages[index].key))
            return true;
    return false;
}

static void hand_over(struct case_world *world, struct case_message *message)
{
    message->state = CASE_HIDDEN;
    message->receive_count++;
    message->visible_ms = world->now_ms + world->visibility_ms;
    pipeline_add(world->pipeline, make_record(world, message), world->now_ms);
}

static bool receive_queue(struct case_world *world, size_t room)
{
    bool *fresh = mem_calloc(world->count, sizeof(*fresh));
    bool any = false;

    for (size_t i = 0; i < world->count && room > 0; i++) {
        if (world->messages[i].state != CASE_VISIBLE ||
            is_blocked(world, i, fresh))
            continue;
        fresh[i] = any = true;
        room--;
        hand_over(world, &world->messages[i]);
    }
    free(fresh);
    return any;
}

static bool receive_shard(struct case_world *world, size_t room)
{
    bool any = false;

    for (; room > 0 && world->next < world->count; room--, world->next++) {
        if (world->messages[world->next].state != CASE_VISIBLE)
            break;
        any = true;
        hand_over(world, &world->messages[world->next]);
    }
    return any;
}

static bool receive(struct case_world *world)
{
    size_t room = pipeline_room(world->pipeline);

    show_again(world);
    return world->is_queue ? receive_queue(world, room)
                           : receive_shard(world, room);
}

/* [name, from, to): hidden for so long from now. */
static void tell_again(struct case_world *world,
                       const struct case_message *message, int64_t delay_ms)
{
    json_array_append_new(world->again,
                          json_pack("{s:s, s:I, s:I}", "record", message->name,
                                    "at",
                                    (json_int_t)(world->now_ms - CASE_START_MS),
                                    "delay", (json_int_t)delay_ms));
}

static void carry_out(struct case_world *world,
                      const struct settlement *settlement)
{
    struct case_message *message = message_of(world, settlement->record->id);

    switch (settlement->verdict) {
    case SOURCE_DONE:
        message->state = CASE_GONE;
        break;
    case SOURCE_AGAIN:
        if (settlement->delay_ms >= 0)
            message->visible_ms = world->now_ms + settlement->delay_ms;
        tell_again(world, message, settlement->delay_ms);
        break;
    case SOURCE_RETURN:
        message->state = CASE_VISIBLE;
        json_array_append_new(world->returned, json_string(message->name));
        break;
    }
    record_release(settlement->record);
}

static bool settle(struct case_world *world)
{
    struct settlement settlement;
    bool any = false;

    for (; pipeline_next_settlement(world->pipeline, &settlement); any = true)
        carry_out(world, &settlement);
    return any;
}

/* ---- what is told ----------------------------------------------------------
 */

static json_t *names_of(const struct case_world *world,
                        const struct batch *batch)
{
    struct buffer text;
    json_t *names;

    buffer_init(&text, 1 << 20);
    for (size_t i = 0; i < batch->count; i++)
        buffer_printf(&text, "%s%s", i ? " " : "",
                      message_of(world, batch->records[i]->id)->name);
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
    return json_integer(wall - CASE_WALL_MS);
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

static void tell_call(struct case_world *world, const struct batch *batch)
{
    json_t *told = json_pack(
        "{s:o, s:o, s:I, s:i}", "records", names_of(world, batch), "receives",
        receives_of(batch), "at", (json_int_t)(world->now_ms - CASE_START_MS),
        "attempt", (int)batch->attempt);

    if (batch->window)
        tell_window(batch->window, told);
    json_array_append_new(world->invocations, told);
}

static bool tell_checkpoint(struct case_world *world)
{
    struct pipeline_checkpoint checkpoint;
    const char *name;

    if (!pipeline_checkpoint(world->pipeline, &checkpoint))
        return false;
    if (!checkpoint.sequence.size)
        return true;
    name = message_of(world, checkpoint.sequence)->name;
    json_array_append_new(world->checkpoints, json_string(name));
    return true;
}

static const char *condition_of(const struct discard *discard)
{
    switch (discard->condition) {
    case DISCARD_ATTEMPTS:
        return "RetryAttemptsExhausted";
    case DISCARD_AGE:
        return "RecordAgeExceeded";
    case DISCARD_FILTERED:
        return "Filtered";
    }
    return NULL;
}

static bool discard(struct case_world *world)
{
    struct discard *discard = pipeline_next_discard(world->pipeline);
    json_t *told;

    if (!discard)
        return false;
    told = json_pack("{s:s, s:o, s:i, s:I}", "condition", condition_of(discard),
                     "records", names_of(world, discard->batch), "invoke_count",
                     (int)discard->invoke_count, "at",
                     (json_int_t)(world->now_ms - CASE_START_MS));
    json_object_set_new(told, "error",
                        discard->is_unhandled ? json_string("Unhandled")
                                              : json_null());
    json_array_append_new(world->reports, told);
    pipeline_discarded(world->pipeline, discard, world->has_destination,
                       world->now_ms);
    return true;
}

/* ---- the handler -----------------------------------------------------------
 */

static bool start(struct case_world *world)
{
    struct batch *batch = pipeline_next_batch(world->pipeline, world->now_ms);
    struct case_call *call;

    if (!batch)
        return false;
    assert_true(world->running_count < CASE_RUNNING);
    tell_call(world, batch);
    call = &world->running[world->running_count++];
    *call = (struct case_call){.batch = batch,
                               .result = case_result_of(world, batch)};
    call->ends_ms = world->now_ms + case_result_takes_ms(call->result);
    return true;
}

static void end_call(struct case_world *world, const struct case_call *call)
{
    struct response_verdict verdict;
    struct outcome outcome;

    outcome_init(&outcome);
    outcome.kind = OUTCOME_DONE;
    if (call->result)
        case_result_apply(world, call->result, call->batch, &outcome);
    pipeline_finish(world->pipeline, call->batch, &outcome, world->now_ms,
                    &verdict);
    (void)tell_checkpoint(world);
    if (verdict.why[0])
        json_array_append_new(world->told, json_string(verdict.why));
    response_verdict_finish(&verdict);
    outcome_finish(&outcome);
}

static bool end_calls(struct case_world *world)
{
    for (size_t i = 0; i < world->running_count; i++) {
        struct case_call call = world->running[i];

        if (call.ends_ms > world->now_ms)
            continue;
        memmove(&world->running[i], &world->running[i + 1],
                (--world->running_count - i) * sizeof(call));
        end_call(world, &call);
        return true;
    }
    return false;
}

/* ---- time ------------------------------------------------------------------
 */

/* One round as the poller's loop does it, the checkpoint told after each step,
 * so that none of its moves is missed. */
static bool go_round(struct case_world *world)
{
    static bool (*const steps[])(struct case_world * world) = {
        end_calls, start, discard, tell_checkpoint, settle, receive};
    bool any = false;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        any |= steps[i](world);
    return any;
}

/* Everything that happens at this moment; a bound on it, so that a loop without
 * end is a failure and no hang. */
static void settle_down(struct case_world *world)
{
    for (int i = 0; i < STEPS; i++)
        if (!go_round(world))
            return;
    fail_msg("no end of events at %lld ms",
             (long long)(world->now_ms - CASE_START_MS));
}

static int64_t next_ms(const struct case_world *world)
{
    int64_t next = pipeline_deadline_ms(world->pipeline);

    for (size_t i = 0; i < world->running_count; i++)
        next = clock_earlier(next, world->running[i].ends_ms);
    for (size_t i = 0; i < world->count; i++) {
        const struct case_message *message = &world->messages[i];

        if (message->state == CASE_COMING)
            next = clock_earlier(next, message->arrives_ms);
        if (message->state == CASE_HIDDEN && world->is_queue)
            next = clock_earlier(next, message->visible_ms);
    }
    return next > world->now_ms ? next : world->now_ms + 1;
}

static bool is_over(const struct case_world *world)
{
    for (size_t i = 0; i < world->count; i++)
        if (world->messages[i].state == CASE_COMING ||
            (world->messages[i].state != CASE_GONE && world->is_queue))
            return false;
    return pipeline_is_idle(world->pipeline) &&
           pipeline_deadline_ms(world->pipeline) == CLOCK_NEVER;
}

void case_world_run(struct case_world *world)
{
    json_int_t until = CASE_UNTIL_MS;

    (void)json_unpack((json_t *)(uintptr_t)world->spec, "{s:I}", "until",
                      &until);
    for (int i = 0; i < STEPS; i++) {
        settle_down(world);
        if (is_over(world))
            return;
        world->now_ms = next_ms(world);
        if (world->now_ms > CASE_START_MS + until)
            return;
    }
    fail_msg("no end after %lld ms",
             (long long)(world->now_ms - CASE_START_MS));
}

/* ---- set up, take down -----------------------------------------------------
 */

static void open_pipeline(struct case_world *world)
{
    const struct trigger_config *trigger = &world->settings->triggers[0];
    struct pipeline_options options;

    struct error err = {0};

    world->filter = filter_create(&trigger->filter_criteria,
                                  kind_of(world->spec)->origin.kind, &err);
    assert_ok(world->filter, &err);
    trigger_pipeline_options(trigger, !world->is_queue, 7, &options);
    options.filter = world->filter;
    world->has_destination = trigger->destination_config.on_failure.destination;
    world->pipeline = pipeline_create(&options);
    pipeline_set_wall(world->pipeline, CASE_WALL_MS - CASE_START_MS);
}

void case_world_init(struct case_world *world, const json_t *spec)
{
    const json_t *records = json_object_get(spec, "records");
    const struct kind *kind = kind_of(spec);
    AUTO_FREE char *text = case_settings_text(spec);
    json_t *record;
    size_t i;

    *world = (struct case_world){.spec = spec,
                                 .is_queue = kind->is_queue,
                                 .is_fifo = kind->is_fifo,
                                 .visibility_ms = 2000,
                                 .now_ms = CASE_START_MS};
    if (json_object_get(spec, "visibility"))
        world->visibility_ms =
            json_integer_value(json_object_get(spec, "visibility"));
    world->file = settings_file_create(text);
    world->settings = settings_file_load_good(world->file);
    world->messages =
        mem_calloc(json_array_size(records) + 1, sizeof(*world->messages));
    json_array_foreach(records, i, record) add_message(world, record);
    world->used =
        mem_calloc(json_array_size(json_object_get(spec, "handler")) + 1,
                   sizeof(*world->used));
    world->invocations = json_array();
    world->checkpoints = json_array();
    world->reports = json_array();
    world->again = json_array();
    world->returned = json_array();
    world->told = json_array();
    open_pipeline(world);
}

/* What still runs is given up, so that everything is released. */
static void empty_pipeline(struct case_world *world)
{
    pipeline_stop(world->pipeline);
    while (world->running_count) {
        world->running[0].ends_ms = world->now_ms;
        (void)end_calls(world);
    }
    while (discard(world) || tell_checkpoint(world) || settle(world))
        ;
}

void case_world_finish(struct case_world *world)
{
    empty_pipeline(world);
    pipeline_destroy(world->pipeline);
    filter_destroy(world->filter);
    for (size_t i = 0; i < world->count; i++) {
        free(world->messages[i].id);
        free(world->messages[i].data);
        free(world->messages[i].creation);
    }
    free(world->messages);
    free(world->used);
    json_decref(world->invocations);
    json_decref(world->checkpoints);
    json_decref(world->reports);
    json_decref(world->again);
    json_decref(world->returned);
    json_decref(world->told);
    settings_destroy(world->settings);
    settings_file_destroy(world->file);
}
