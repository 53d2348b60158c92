#include "case_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "case_answer.h"
#include "case_leases.h"
#include "case_message.h"
#include "case_outcome.h"
#include "case_settings.h"
#include "case_told.h"
#include "filter/filter.h"
#include "handler/handler.h"
#include "poller/pipeline.h"
#include "poller/response.h"
#include "poller/trigger_pipeline.h"
#include "record/sequence.h"
#include "settings_file.h"
#include "source/sqs_visibility.h"
#include "source/stream.h"
#include "test.h"

#define STEPS 100000

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t case_world_wall_ms(const struct case_world *world)
{
    return world->now_ms - CASE_START_MS + CASE_WALL_MS;
}

// ---- Messages ----

struct case_message *case_world_find(const struct case_world *world,
                                     const char *name)
{
    for (size_t i = 0; i < world->count; i++)
        if (!strcmp(world->messages[i].name, name))
            return &world->messages[i];
    return NULL;
}

struct case_message *case_world_message(const struct case_world *world,
                                        struct bytes id)
{
    for (size_t i = 0; i < world->count; i++)
        if (bytes_equal(id, bytes_of(world->messages[i].id)))
            return &world->messages[i];
    fail_msg("no record %.*s", BYTES_ARGS(id));
    return NULL;
}

// ---- The source: what arrives, and what becomes of it ----

static void show_again(struct case_world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct case_message *message = &world->messages[i];

        if (message->state == CASE_COMING && message->life <= world->life &&
            message->comes_ms <= world->now_ms)
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
    pipeline_add(world->shards[message->shard].pipeline,
                 case_answer_record(world, message), world->now_ms);
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

/* The shard's next message, or NULL; its index is left in shard->next. */
static struct case_message *next_of(const struct case_world *world,
                                    struct case_shard *shard)
{
    size_t index = (size_t)(shard - world->shards);

    while (shard->next < world->count &&
           world->messages[shard->next].shard != index)
        shard->next++;
    return shard->next < world->count ? &world->messages[shard->next] : NULL;
}

static bool receive_shard(struct case_world *world, struct case_shard *shard)
{
    size_t room = pipeline_room(shard->pipeline);
    struct case_message *message;
    bool any = false;

    for (; room > 0; room--, shard->next++) {
        message = next_of(world, shard);
        if (!message || message->state != CASE_VISIBLE)
            break;
        any = true;
        hand_over(world, message);
    }
    if (shard->closes && !shard->has_ended && !next_of(world, shard)) {
        shard->has_ended = any = true;
        pipeline_end_of_shard(shard->pipeline, world->now_ms);
    }
    return any;
}

static bool receive(struct case_world *world, struct case_shard *shard)
{
    show_again(world);
    return world->is_queue
               ? receive_queue(world, pipeline_room(shard->pipeline))
               : receive_shard(world, shard);
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
    struct case_message *message =
        case_world_message(world, settlement->record->id);

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

static bool settle(struct case_world *world, struct case_shard *shard)
{
    struct settlement settlement;
    bool any = false;

    for (; pipeline_next_settlement(shard->pipeline, &settlement); any = true)
        carry_out(world, &settlement);
    return any;
}

// ---- What comes out ----

static bool tell_checkpoint(struct case_world *world, struct case_shard *shard)
{
    struct pipeline_checkpoint checkpoint;
    const char *name;

    if (!pipeline_checkpoint(shard->pipeline, &checkpoint))
        return false;
    if (world->leases)
        case_leases_checkpoint(world->leases, shard, &checkpoint);
    if (!checkpoint.sequence.size)
        return true;
    name = case_world_message(world, checkpoint.sequence)->name;
    json_array_append_new(world->checkpoints, json_string(name));
    return true;
}

static bool discard(struct case_world *world, struct case_shard *shard)
{
    struct discard *discard = pipeline_next_discard(shard->pipeline);

    if (!discard)
        return false;
    case_told_discard(world, discard);
    pipeline_discarded(shard->pipeline, discard, world->has_destination,
                       world->now_ms);
    return true;
}

// ---- The handler ----

static bool start(struct case_world *world, struct case_shard *shard)
{
    struct batch *batch = pipeline_next_batch(shard->pipeline, world->now_ms);
    struct case_call *call;

    if (!batch)
        return false;
    assert_true(world->running_count < CASE_RUNNING);
    case_told_call(world, batch);
    call = &world->running[world->running_count++];
    *call = (struct case_call){
        .batch = batch, .shard = shard, .result = case_result_of(world, batch)};
    call->ends_ms = world->now_ms + case_result_takes_ms(call->result);
    if (world->most_running < world->running_count)
        world->most_running = world->running_count;
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
    pipeline_finish(call->shard->pipeline, call->batch, &outcome, world->now_ms,
                    &verdict);
    (void)tell_checkpoint(world, call->shard);
    if (verdict.why[0])
        json_array_append_new(world->told, json_string(verdict.why));
    response_verdict_finish(&verdict);
    outcome_finish(&outcome);
}

static bool end_calls(struct case_world *world, struct case_shard *shard)
{
    for (size_t i = 0; i < world->running_count; i++) {
        struct case_call call = world->running[i];

        if (call.ends_ms > world->now_ms || call.shard != shard)
            continue;
        memmove(&world->running[i], &world->running[i + 1],
                (--world->running_count - i) * sizeof(call));
        end_call(world, &call);
        return true;
    }
    return false;
}

// ---- Time ----

/* One round as the poller's loop does it, the checkpoint told after each step,
 * so that none of its moves is missed. */
static bool go_round_shard(struct case_world *world, struct case_shard *shard)
{
    static bool (*const steps[])(struct case_world * world,
                                 struct case_shard * shard) = {
        end_calls, start, discard, tell_checkpoint, settle, receive};
    bool any = false;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        any |= steps[i](world, shard);
    return any;
}

static bool go_round(struct case_world *world)
{
    bool any = world->leases && case_leases_tend(world->leases, world);

    for (size_t i = 0; i < world->shard_count; i++)
        if (world->shards[i].pipeline)
            any |= go_round_shard(world, &world->shards[i]);
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
    int64_t next = CLOCK_NEVER;

    if (world->leases)
        next = case_leases_due_ms(world->leases);
    for (size_t i = 0; i < world->shard_count; i++)
        if (world->shards[i].pipeline)
            next = clock_earlier(
                next, pipeline_deadline_ms(world->shards[i].pipeline));
    for (size_t i = 0; i < world->running_count; i++)
        next = clock_earlier(next, world->running[i].ends_ms);
    for (size_t i = 0; i < world->count; i++) {
        const struct case_message *message = &world->messages[i];

        if (message->state == CASE_COMING && message->life <= world->life)
            next = clock_earlier(next, message->comes_ms);
        if (message->state == CASE_HIDDEN && world->is_queue)
            next = clock_earlier(next, message->visible_ms);
    }
    return next > world->now_ms ? next : world->now_ms + 1;
}

bool case_world_is_through(const struct case_world *world,
                           const struct case_shard *shard)
{
    size_t index = (size_t)(shard - world->shards);

    for (size_t i = shard->next; i < world->count; i++)
        if (world->messages[i].shard == index &&
            world->messages[i].life <= world->life)
            return false;
    return pipeline_is_idle(shard->pipeline) &&
           (shard->has_ended || !shard->closes) &&
           pipeline_deadline_ms(shard->pipeline) == CLOCK_NEVER;
}

static bool is_over(const struct case_world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        const struct case_message *message = &world->messages[i];

        if (message->life <= world->life &&
            (message->state == CASE_COMING ||
             (message->state != CASE_GONE && world->is_queue)))
            return false;
    }
    if (world->leases)
        return case_leases_are_through(world->leases, world);
    return case_world_is_through(world, &world->shards[0]) || world->is_queue;
}

static void run_life(struct case_world *world)
{
    json_int_t until = CASE_UNTIL_MS;
    int64_t begin_ms = world->now_ms;

    (void)json_unpack((json_t *)(uintptr_t)world->spec, "{s:I}", "until",
                      &until);
    for (int i = 0; i < STEPS; i++) {
        settle_down(world);
        if (is_over(world))
            return;
        world->now_ms = next_ms(world);
        if (world->now_ms > begin_ms + until)
            return;
    }
    fail_msg("no end after %lld ms",
             (long long)(world->now_ms - CASE_START_MS));
}

// ---- Set up, take down ----

/* For how long the queue hides what it hands out. */
static int64_t visibility_ms(const json_t *spec,
                             const struct trigger_config *trigger)
{
    json_int_t own_ms = 2000;
    struct sqs_visibility visibility = {
        .configured_s = trigger->visibility_timeout_ms < 0
                            ? -1
                            : trigger->visibility_timeout_ms / 1000,
        .needed_s = (trigger_needed_visibility_ms(trigger) + 999) / 1000};

    (void)json_unpack((json_t *)(uintptr_t)spec, "{s:I}", "visibility",
                      &own_ms);
    return 1000 * sqs_visibility_s(&visibility, own_ms / 1000);
}

static void open_settings(struct case_world *world)
{
    AUTO_FREE char *text = case_settings_text(world->spec, world->life);
    const struct trigger_config *trigger;
    struct error err = {0};

    world->file = settings_file_create(text);
    world->settings = settings_file_load_good(world->file);
    trigger = &world->settings->triggers[0];
    world->filter = filter_create(&trigger->filter_criteria,
                                  world->shards[0].origin.kind, &err);
    assert_ok(world->filter, &err);
    world->has_destination = trigger->destination_config.on_failure.destination;
    world->visibility_ms = visibility_ms(world->spec, trigger);
}

static void close_settings(struct case_world *world)
{
    filter_destroy(world->filter);
    settings_destroy(world->settings);
    settings_file_destroy(world->file);
}

/* The first message that the server would give from there. */
static bool is_from(const struct case_world *world,
                    const struct case_message *message,
                    const struct stream_start *start)
{
    switch (start->position) {
    case STREAM_TRIM_HORIZON:
        break;
    case STREAM_LATEST:
        return message->life == world->life &&
               message->comes_ms > world->now_ms;
    case STREAM_AT_TIMESTAMP:
        return message->arrived_at_ms >= start->timestamp_ms;
    case STREAM_AFTER_SEQUENCE_NUMBER:
        return sequence_compare(message->id, start->sequence_number) > 0;
    }
    return true;
}

void case_world_open(struct case_world *world, struct case_shard *shard,
                     const struct stream_start *start, const char *window)
{
    const struct trigger_config *trigger = &world->settings->triggers[0];
    struct pipeline_options options;

    trigger_pipeline_options(trigger, !world->is_queue, 7, &options);
    options.filter = world->filter;
    options.origin = &shard->origin;
    options.window = window;
    shard->pipeline = pipeline_create(&options);
    shard->has_ended = false;
    pipeline_set_wall(shard->pipeline, CASE_WALL_MS - CASE_START_MS);
    shard->next = 0;
    while (next_of(world, shard) &&
           !is_from(world, next_of(world, shard), start))
        shard->next++;
}

/* What still runs is given up, so that everything is released. */
void case_world_close(struct case_world *world, struct case_shard *shard)
{
    struct pipeline_counts counts;

    if (!shard->pipeline)
        return;
    pipeline_stop(shard->pipeline);
    for (size_t i = 0; i < world->running_count; i++)
        world->running[i].ends_ms = world->now_ms;
    while (end_calls(world, shard) || discard(world, shard) ||
           tell_checkpoint(world, shard) || settle(world, shard))
        ;
    pipeline_counts(shard->pipeline, &counts);
    pipeline_counts_add(&shard->counts, &counts);
    pipeline_destroy(shard->pipeline);
    shard->pipeline = NULL;
}

void case_world_counts(const struct case_world *world,
                       struct pipeline_counts *counts)
{
    *counts = (struct pipeline_counts){0};
    for (size_t i = 0; i < world->shard_count; i++) {
        struct pipeline_counts now;

        pipeline_counts_add(counts, &world->shards[i].counts);
        if (!world->shards[i].pipeline)
            continue;
        pipeline_counts(world->shards[i].pipeline, &now);
        pipeline_counts_add(counts, &now);
    }
}

static void add_shard(struct case_world *world, const json_t *spec)
{
    struct case_shard *shard = &world->shards[world->shard_count];

    assert_true(world->shard_count < CASE_SHARDS);
    shard->name = text_of(spec, "name");
    shard->parent = text_of(spec, "parent");
    shard->closes = json_is_true(json_object_get(spec, "closed"));
    for (size_t i = 0; shard->parent && i < world->shard_count; i++)
        if (!strcmp(world->shards[i].name, shard->parent))
            world->shards[i].closes = true;
    shard->origin = case_kind_of(world->spec)->origin;
    (void)snprintf(shard->id, sizeof(shard->id), "shardId-%012zu",
                   world->shard_count);
    if (!world->is_queue)
        shard->origin.shard = shard->id;
    world->shard_count++;
}

static void add_shards(struct case_world *world)
{
    const json_t *shards = json_object_get(world->spec, "shards");
    json_t *shard;
    size_t i;

    json_array_foreach(shards, i, shard) add_shard(world, shard);
    if (!world->shard_count)
        add_shard(world, NULL);
}

static bool needs_leases(const struct case_world *world)
{
    const json_t *spec = world->spec;

    return world->shard_count > 1 || json_object_get(spec, "restart") ||
           json_object_get(json_object_get(spec, "settings"),
                           "starting_position");
}

static void begin(struct case_world *world)
{
    static const struct stream_start horizon = {STREAM_TRIM_HORIZON, 0, NULL};

    open_settings(world);
    if (world->leases)
        case_leases_start(world->leases, world);
    else
        case_world_open(world, &world->shards[0], &horizon, NULL);
}

void case_world_init(struct case_world *world, const json_t *spec)
{
    const json_t *records = json_object_get(spec, "records");
    const struct case_kind *kind = case_kind_of(spec);
    json_t *record;
    size_t i;

    *world = (struct case_world){.spec = spec,
                                 .is_queue = kind->is_queue,
                                 .is_fifo = kind->is_fifo,
                                 .life = 1,
                                 .now_ms = CASE_START_MS};
    add_shards(world);
    world->messages =
        mem_calloc(json_array_size(records) + 1, sizeof(*world->messages));
    json_array_foreach(records, i, record) case_message_add(world, record);
    world->used =
        mem_calloc(json_array_size(json_object_get(spec, "handler")) + 1,
                   sizeof(*world->used));
    world->invocations = json_array();
    world->checkpoints = json_array();
    world->reports = json_array();
    world->again = json_array();
    world->returned = json_array();
    world->told = json_array();
    world->events = json_array();
    world->documents = json_array();
    world->objects = json_array();
    world->digest = digest_create();
    sqs_collect_init(&world->collect);
    if (!kind->is_queue && needs_leases(world))
        world->leases = case_leases_create(world);
    begin(world);
}

/* The worker stops; what comes then is there when the next one starts. */
static void restart(struct case_world *world)
{
    if (world->leases)
        case_leases_stop(world->leases, world);
    close_settings(world);
    world->life = 2;
    for (size_t i = 0; i < world->count; i++)
        if (world->messages[i].life == 2)
            world->messages[i].comes_ms = world->now_ms;
        else if (!world->is_queue)
            world->messages[i].state = CASE_VISIBLE;
    show_again(world);
    world->now_ms++;
    begin(world);
}

void case_world_run(struct case_world *world)
{
    run_life(world);
    if (!json_object_get(world->spec, "restart"))
        return;
    restart(world);
    run_life(world);
}

void case_world_finish(struct case_world *world)
{
    if (world->leases)
        case_leases_stop(world->leases, world);
    case_world_close(world, &world->shards[0]);
    case_leases_destroy(world->leases);
    close_settings(world);
    for (size_t i = 0; i < world->count; i++)
        case_message_finish(&world->messages[i]);
    free(world->messages);
    free(world->used);
    digest_destroy(world->digest);
    sqs_collect_finish(&world->collect);
    json_decref(world->invocations);
    json_decref(world->checkpoints);
    json_decref(world->reports);
    json_decref(world->again);
    json_decref(world->returned);
    json_decref(world->told);
    json_decref(world->events);
    json_decref(world->documents);
    json_decref(world->objects);
}
