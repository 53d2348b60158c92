/*
 * The pipeline against a queue and a shard that misbehave: random records,
 * outcomes, partial failures, duplicates, lapses of visibility, stops and
 * crashes, a million steps each. What must hold is asserted at every step.
 *
 * The seed is printed; POLLARD_SEED=n runs it again.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "handler/handler.h"
#include "poller/pipeline.h"
#include "poller/response.h"
#include "record/event.h"
#include "records.h"
#include "test.h"

#define EPISODES 250
#define STEPS 4000 // an episode
#define MESSAGES 400
#define GROUPS 6
#define RUNNING_MOST 8

static struct random chance;

static uint64_t roll(uint64_t sides)
{
    return random_below(&chance, sides);
}

static bool one_in(uint64_t sides)
{
    return roll(sides) == 0;
}

static void seed_chance(void)
{
    const char *given = getenv("POLLARD_SEED");

    chance.state = given ? strtoull(given, NULL, 0) : random_seed();
    printf("seed %llu\n", (unsigned long long)chance.state);
}

static void random_options(struct pipeline_options *options)
{
    static const size_t sizes[] = {1, 2, 3, 10, 10, 50, 10000};

    *options = (struct pipeline_options){
        .batch_size = sizes[roll(7)],
        .window_ms = one_in(2) ? 0 : (int64_t)roll(2000),
        .payload_limit = 1000 + roll(20000),
        .concurrency = 1 + roll(RUNNING_MOST),
        .backoff_base_ms = (int64_t)roll(500),
        .backoff_maximum_ms = 2000,
        .delay_failed = one_in(2),
        .fifo_failure =
            one_in(2) ? TRIGGER_FIFO_RELEASE_GROUP : TRIGGER_FIFO_LAMBDA,
        .gives_way = one_in(2),
        .batch_time_ms = 1000,
        .maximum_attempts = -1,
        .maximum_age_ms = -1,
        .seed = random_next(&chance),
    };
}

/* One record on its way through, first what the record points back with. */
struct delivery {
    struct record_origin origin;
    size_t message; // index, or sequence number
    uint64_t arrival;
    bool started, succeeded, unstarted;
    bool overtakes; // one before it in its group went back: must not start
    bool behind;    // a failed one of its group, in its batch
    struct delivery *next, **link; // of those inside
    struct bytes group;
};

static struct delivery *delivery_of(const struct record *record)
{
    return (struct delivery *)(uintptr_t)record->origin;
}

struct world {
    struct pipeline_options options;
    struct pipeline *pipeline;
    int64_t now_ms;
    struct delivery *deliveries; // not settled
    size_t inside;               // of those
    size_t waiting;              // of those, not started
    size_t waiting_bytes;        // of those
    uint64_t arrivals;
    struct batch *running[RUNNING_MOST];
    size_t running_count;
    bool stopped;

    // A queue's.
    struct message {
        enum { MESSAGE_VISIBLE, MESSAGE_HIDDEN, MESSAGE_DELETED } state;
        int64_t visible_ms;
        uint32_t receive_count;
        bool succeeded;
        char group[4];
    } messages[MESSAGES];
    size_t deleted;

    // A shard's.
    size_t read_to, handled_to, stored; // counts of records
    size_t given_to;                    // settled as done
    size_t records;
};

static void world_start(struct world *world)
{
    world->pipeline = pipeline_create(&world->options);
    world->stopped = false;
}

static void enlist(struct world *world, struct delivery *delivery)
{
    delivery->next = world->deliveries;
    delivery->link = &world->deliveries;
    if (delivery->next)
        delivery->next->link = &delivery->next;
    world->deliveries = delivery;
}

static void arrive(struct world *world, const struct record_spec *spec,
                   size_t message)
{
    struct delivery *delivery = mem_calloc(1, sizeof(*delivery));
    struct record_spec own = *spec;
    struct record *record;
    char id[24];

    (void)snprintf(id, sizeof(id), "%zu", message);
    own.id = id;
    delivery->message = message;
    delivery->arrival = world->arrivals++;
    own.origin = &delivery->origin;
    own.received_ms = world->now_ms;
    own.event_size = (uint32_t)(one_in(10) ? 1 + roll(30000) : 50 + roll(200));
    record = record_make(&own);
    delivery->group = record->key;
    enlist(world, delivery);
    pipeline_add(world->pipeline, record, world->now_ms);
    world->inside++;
    world->waiting++;
    world->waiting_bytes += own.event_size;
}

static void left_waiting(struct world *world, const struct record *record)
{
    world->waiting--;
    world->waiting_bytes -= record->event_size;
}

static void check_batch_limits(const struct world *world,
                               const struct batch *batch)
{
    size_t bytes = 0;

    assert_true(batch->count > 0 && batch->count <= world->options.batch_size);
    for (size_t i = 0; i < batch->count; i++)
        bytes += batch->records[i]->event_size;
    assert_int_equal(bytes, batch->event_bytes);
    assert_true(batch->count == 1 ||
                EVENT_FRAME + bytes <= world->options.payload_limit);
}

static void check_room(const struct world *world, size_t most_records,
                       size_t most_bytes)
{
    size_t room = pipeline_room(world->pipeline);

    if (world->stopped || world->waiting >= most_records ||
        world->waiting_bytes >= most_bytes)
        assert_int_equal(room, 0);
    else
        assert_true(world->waiting + room <= most_records);
}

static void random_outcome(struct outcome *outcome, bool *failed, size_t count)
{
    *outcome = (struct outcome){.kind = OUTCOME_DONE};
    if (one_in(6))
        outcome->kind = (enum outcome_kind)roll(4);
    memset(failed, 0, count);
    if (one_in(2))
        return;
    outcome->failed = failed;
    for (uint64_t i = roll(4); i > 0; i--)
        failed[roll(count)] = true;
}

static size_t start_batch(struct world *world)
{
    struct batch *batch = pipeline_next_batch(world->pipeline, world->now_ms);

    if (!batch) { // and the loop may sleep
        assert_true(pipeline_deadline_ms(world->pipeline) > world->now_ms);
        return 0;
    }
    assert_false(world->stopped);
    check_batch_limits(world, batch);
    for (size_t i = 0; i < batch->count; i++) {
        struct delivery *delivery = delivery_of(batch->records[i]);

        if (!delivery->started || world->options.kind == PIPELINE_QUEUE)
            left_waiting(world, batch->records[i]);
        delivery->started = true;
    }
    assert_true(world->running_count < world->options.concurrency);
    world->running[world->running_count++] = batch;
    return world->running_count;
}

static struct batch *take_running(struct world *world)
{
    size_t index = roll(world->running_count);
    struct batch *batch = world->running[index];

    world->running[index] = world->running[--world->running_count];
    return batch;
}

static void release(struct world *world, struct record *record)
{
    struct delivery *delivery = delivery_of(record);

    *delivery->link = delivery->next;
    if (delivery->next)
        delivery->next->link = delivery->link;
    free(delivery);
    record_release(record);
    world->inside--;
}

static void end_batch(struct world *world, struct batch *batch,
                      const struct outcome *outcome)
{
    struct response_verdict verdict = {0};

    pipeline_finish(world->pipeline, batch, outcome, world->now_ms, &verdict);
    response_verdict_finish(&verdict);
}

/* The process dies: nothing that was inside has any effect any more. */
static void crash(struct world *world)
{
    struct settlement settlement;

    while (world->running_count)
        end_batch(world, take_running(world),
                  &(struct outcome){.kind = OUTCOME_FAILED});
    pipeline_stop(world->pipeline);
    while (pipeline_next_settlement(world->pipeline, &settlement))
        release(world, settlement.record);
    assert_int_equal(world->inside, 0);
    pipeline_destroy(world->pipeline);
    world->waiting = world->waiting_bytes = 0;
}

/* ---- A queue ---- */

static bool group_is_locked(const struct world *world, size_t index)
{
    for (size_t i = 0; i < MESSAGES; i++)
        if (i != index && world->messages[i].state == MESSAGE_HIDDEN &&
            !strcmp(world->messages[i].group, world->messages[index].group))
            return true;
    return false;
}

static void receive(struct world *world, size_t index)
{
    struct message *message = &world->messages[index];

    message->state = MESSAGE_HIDDEN;
    message->visible_ms = world->now_ms + 1500 + (int64_t)roll(3000);
    message->receive_count++;
    arrive(world,
           &(struct record_spec){.key = message->group,
                                 .visible_ms = message->visible_ms,
                                 .receive_count = message->receive_count},
           index);
}

/* Up to `room` messages from a random place on; a FIFO group's only while none
 * of it is hidden, but for the odd server that does not care. */
static void receive_some(struct world *world)
{
    size_t room = pipeline_room(world->pipeline);
    size_t index = world->options.by_group ? 0 : roll(MESSAGES);

    if (room > 10)
        room = 10;
    for (size_t i = 0; i < MESSAGES && room > 0; i++, index++) {
        size_t at = index % MESSAGES;

        if (world->messages[at].state != MESSAGE_VISIBLE)
            continue;
        if (world->options.by_group && !one_in(50) &&
            group_is_locked(world, at))
            continue;
        receive(world, at);
        room--;
    }
}

static void pass_time(struct world *world)
{
    world->now_ms += (int64_t)(one_in(20) ? roll(3000) : roll(50));
    for (size_t i = 0; i < MESSAGES; i++)
        if (world->messages[i].state == MESSAGE_HIDDEN &&
            world->messages[i].visible_ms <= world->now_ms)
            world->messages[i].state = MESSAGE_VISIBLE;
}

/* Nothing of a group runs in two batches; nothing overtakes what went back. */
static void check_groups(const struct world *world, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct record *record = batch->records[i];

        assert_false(delivery_of(record)->overtakes);
        for (size_t b = 0; b + 1 < world->running_count; b++)
            for (size_t r = 0; r < world->running[b]->count; r++)
                assert_false(bytes_equal(world->running[b]->records[r]->key,
                                         record->key));
        for (size_t r = 0; r < i; r++)
            assert_true(!bytes_equal(batch->records[r]->key, record->key) ||
                        delivery_of(batch->records[r])->arrival <
                            delivery_of(record)->arrival);
    }
}

/* A record of a group went back: none that came after it may start. */
static void went_back(struct world *world, const struct delivery *delivery)
{
    for (struct delivery *d = world->deliveries; d; d = d->next)
        if (!d->started && d->arrival > delivery->arrival &&
            bytes_equal(d->group, delivery->group))
            d->overtakes = true;
}

/* One of its group, before it in its batch, failed. */
static bool is_behind(const struct world *world, const struct batch *batch,
                      size_t index)
{
    if (!world->options.by_group ||
        world->options.fifo_failure != TRIGGER_FIFO_RELEASE_GROUP)
        return false;
    for (size_t i = 0; i < index; i++)
        if (bytes_equal(batch->records[i]->key, batch->records[index]->key) &&
            !delivery_of(batch->records[i])->succeeded)
            return true;
    return false;
}

static void finish_queue_batch(struct world *world, bool all_succeed)
{
    bool failed[MESSAGES * 4];
    struct batch *batch = take_running(world);
    struct outcome outcome = {.kind = OUTCOME_DONE};

    assert_true(batch->count <= MESSAGES * 4);
    if (!all_succeed)
        random_outcome(&outcome, failed, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        struct delivery *delivery = delivery_of(batch->records[i]);

        delivery->unstarted = outcome.kind == OUTCOME_UNSTARTED;
        delivery->behind = is_behind(world, batch, i);
        delivery->succeeded = outcome.kind == OUTCOME_DONE &&
                              !(outcome.failed && failed[i]) &&
                              !delivery->behind;
        if (delivery->succeeded)
            world->messages[delivery->message].succeeded = true;
        else if (world->options.by_group)
            went_back(world, delivery);
    }
    end_batch(world, batch, &outcome);
}

static void settle_message(struct world *world,
                           const struct settlement *settlement)
{
    struct delivery *delivery = delivery_of(settlement->record);
    struct message *message = &world->messages[delivery->message];
    int64_t delay_ms = settlement->delay_ms;

    switch (settlement->verdict) {
    case SOURCE_DONE:
        assert_true(delivery->succeeded);
        world->deleted += message->state != MESSAGE_DELETED;
        message->state = MESSAGE_DELETED;
        break;
    case SOURCE_AGAIN:
        assert_true(delivery->started && !delivery->succeeded);
        assert_int_equal(delay_ms >= 0, world->options.delay_failed);
        if (message->state == MESSAGE_HIDDEN && delay_ms >= 0)
            message->visible_ms = world->now_ms + delay_ms;
        break;
    case SOURCE_RETURN:
        assert_true(!delivery->started || delivery->unstarted ||
                    (delivery->behind && world->options.delay_failed));
        if (!delivery->started)
            left_waiting(world, settlement->record);
        if (world->options.by_group)
            went_back(world, delivery);
        if (message->state == MESSAGE_HIDDEN)
            message->state = MESSAGE_VISIBLE;
        break;
    }
    release(world, settlement->record);
}

static void settle_queue(struct world *world)
{
    struct settlement settlement;

    while (pipeline_next_settlement(world->pipeline, &settlement))
        settle_message(world, &settlement);
    check_room(world,
               (world->options.concurrency - world->running_count) *
                   world->options.batch_size,
               (world->options.concurrency - world->running_count) *
                   world->options.payload_limit);
    assert_int_equal(pipeline_running(world->pipeline), world->running_count);
    assert_int_equal(pipeline_is_idle(world->pipeline), world->inside == 0);
}

static void crash_queue(struct world *world)
{
    crash(world);
    world_start(world);
}

static void step_queue(struct world *world)
{
    switch (roll(10)) {
    case 0:
    case 1:
    case 2:
        receive_some(world);
        break;
    case 3:
    case 4:
        pass_time(world);
        break;
    case 5:
    case 6:
    case 7:
        if (start_batch(world) && world->options.by_group)
            check_groups(world, world->running[world->running_count - 1]);
        break;
    default:
        if (world->running_count)
            finish_queue_batch(world, false);
        break;
    }
    // With groups at once: what arrives after one went back may start.
    if (world->options.by_group || !one_in(4))
        settle_queue(world);
    if (one_in(1000)) {
        pipeline_stop(world->pipeline);
        world->stopped = true;
    }
    if (one_in(world->stopped ? 20 : 2000))
        crash_queue(world);
}

/* From here on all goes well: whatever is left must get done. */
static void drain_queue(struct world *world)
{
    size_t rounds = 0;

    if (world->stopped)
        crash_queue(world);
    while (world->deleted < MESSAGES) {
        assert_true(rounds++ < 100000);
        receive_some(world);
        while (start_batch(world))
            if (world->options.by_group)
                check_groups(world, world->running[world->running_count - 1]);
        while (world->running_count)
            finish_queue_batch(world, true);
        settle_queue(world);
        pass_time(world);
    }
    for (size_t i = 0; i < MESSAGES; i++)
        assert_true(world->messages[i].succeeded);
}

static void run_queue(bool by_group)
{
    struct world *world = mem_calloc(1, sizeof(*world));

    random_options(&world->options);
    world->options.kind = PIPELINE_QUEUE;
    world->options.by_group = by_group;
    if (by_group)
        world->options.window_ms = 0;
    world->now_ms = 1000;
    for (size_t i = 0; i < MESSAGES; i++)
        (void)snprintf(world->messages[i].group,
                       sizeof(world->messages[i].group), "g%d",
                       (int)roll(GROUPS));
    world_start(world);
    for (int i = 0; i < STEPS; i++)
        step_queue(world);
    drain_queue(world);
    crash(world);
    free(world);
}

static void test_queue(void **state)
{
    (void)state;
    for (int i = 0; i < EPISODES; i++)
        run_queue(false);
}

static void test_queue_with_groups(void **state)
{
    (void)state;
    for (int i = 0; i < EPISODES; i++)
        run_queue(true);
}

/* ---- A shard ---- */

static void read_some(struct world *world)
{
    size_t room = pipeline_room(world->pipeline);

    for (size_t count = room ? roll(room < 100 ? room + 1 : 100) : 0;
         count > 0 && world->read_to < world->records; count--)
        arrive(world, &(struct record_spec){.key = "k"}, world->read_to++);
}

/* The one batch that runs starts where the handled prefix ends. */
static void check_order(const struct world *world, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        assert_int_equal(delivery_of(batch->records[i])->message,
                         world->handled_to + i);
}

static void finish_shard_batch(struct world *world, bool all_succeed)
{
    struct batch *batch = take_running(world);
    bool *failed = mem_calloc(batch->count, sizeof(*failed));
    struct outcome outcome = {.kind = OUTCOME_DONE};
    size_t done = 0;

    if (!all_succeed)
        random_outcome(&outcome, failed, batch->count);
    while (outcome.kind == OUTCOME_DONE && done < batch->count &&
           !(outcome.failed && failed[done]))
        delivery_of(batch->records[done++])->succeeded = true;
    if (!world->stopped && done < batch->count)
        for (size_t i = done; i < batch->count; i++) {
            delivery_of(batch->records[i])->started = false;
            world->waiting++;
            world->waiting_bytes += batch->records[i]->event_size;
        }
    world->handled_to += done;
    end_batch(world, batch, &outcome);
    free(failed);
}

static size_t number_of(struct bytes sequence)
{
    char text[24] = "";

    assert_true(sequence.size && sequence.size < sizeof(text));
    memcpy(text, sequence.data, sequence.size);
    return strtoul(text, NULL, 10);
}

static void store_checkpoint(struct world *world)
{
    struct pipeline_checkpoint checkpoint;

    if (!pipeline_checkpoint(world->pipeline, &checkpoint))
        return;
    assert_int_equal(number_of(checkpoint.sequence) + 1, world->handled_to);
    assert_true(world->handled_to > world->stored);
    world->stored = world->handled_to;
}

static void settle_shard_record(struct world *world,
                                const struct settlement *settlement)
{
    struct delivery *delivery = delivery_of(settlement->record);

    if (settlement->verdict == SOURCE_DONE) {
        assert_true(delivery->succeeded);
        assert_int_equal(delivery->message, world->given_to++);
    } else {
        assert_true(world->stopped);
        assert_false(delivery->succeeded);
        if (!delivery->started)
            left_waiting(world, settlement->record);
    }
    release(world, settlement->record);
}

static void settle_shard(struct world *world)
{
    size_t ahead = 2 * world->options.batch_size;
    struct settlement settlement;

    store_checkpoint(world);
    while (pipeline_next_settlement(world->pipeline, &settlement))
        settle_shard_record(world, &settlement);
    check_room(world, ahead > 2000 ? ahead : 2000,
               2 * world->options.payload_limit);
    assert_int_equal(pipeline_running(world->pipeline), world->running_count);
    assert_int_equal(pipeline_is_idle(world->pipeline), world->inside == 0);
    assert_int_equal(world->stored, world->handled_to);
    assert_int_equal(world->given_to, world->handled_to);
}

static void restart_shard(struct world *world)
{
    crash(world);
    assert_true(world->handled_to >= world->stored);
    world->read_to = world->handled_to = world->given_to = world->stored;
    world_start(world);
}

static void step_shard(struct world *world)
{
    switch (roll(8)) {
    case 0:
    case 1:
        read_some(world);
        break;
    case 2:
        world->now_ms += (int64_t)(one_in(20) ? roll(3000) : roll(50));
        break;
    case 3:
    case 4:
        if (start_batch(world))
            check_order(world, world->running[0]);
        break;
    default:
        if (world->running_count)
            finish_shard_batch(world, false);
        break;
    }
    if (one_in(1000)) {
        pipeline_stop(world->pipeline);
        world->stopped = true;
    }
    if (one_in(world->stopped ? 20 : 500)) {
        restart_shard(world); // between outcome and checkpoint, too
        return;
    }
    settle_shard(world);
}

static void drain_shard(struct world *world)
{
    size_t rounds = 0;

    if (world->stopped)
        restart_shard(world);
    while (world->stored < world->records) {
        assert_true(rounds++ < 1000000);
        read_some(world);
        if (start_batch(world))
            check_order(world, world->running[0]);
        if (world->running_count)
            finish_shard_batch(world, true);
        settle_shard(world);
        world->now_ms += 100;
    }
}

static void run_shard(void)
{
    struct world *world = mem_calloc(1, sizeof(*world));

    random_options(&world->options);
    world->options.kind = PIPELINE_SHARD;
    world->options.concurrency = 1;
    world->records = 1 + roll(5000);
    world->now_ms = 1000;
    world_start(world);
    for (int i = 0; i < STEPS; i++)
        step_shard(world);
    drain_shard(world);
    crash(world);
    free(world);
}

static void test_shard(void **state)
{
    (void)state;
    for (int i = 0; i < EPISODES; i++)
        run_shard();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_queue_with_groups),
        cmocka_unit_test(test_shard),
    };

    seed_chance();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
