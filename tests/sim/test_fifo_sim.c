/*
 * A FIFO queue and its pollers: the pipeline over the embedded server's queue,
 * with random groups, outcomes, lapses of visibility, deletes that come too
 * late, other consumers, stops and crashes, a million steps. What must hold is
 * asserted at every step:
 *
 *   order          a message starts only when every earlier one of its group is
 *                  deleted, or is before it in the same batch
 *   release_group  nothing is deleted while an earlier one of its group is left
 *   alone          nothing of a group runs in two batches
 *   at least once  what is deleted was handled, or was never reported as failed
 *   progress       when all goes well again, every message is handled
 *
 * The seed is printed; POLLARD_SEED=n runs it again.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "handler/handler.h"
#include "local_state.h"
#include "poller/pipeline.h"
#include "poller/response.h"
#include "record/event.h"
#include "records.h"
#include "test.h"

#define EPISODES 250
#define STEPS 4000 // an episode
#define MESSAGES 600
#define GROUPS 7
#define RUNNING_MOST 6
#define VISIBILITY_MS 4000
#define DELETE_MS 900 // that a delete may take

static struct random chance;

static uint64_t roll(uint64_t sides)
{
    return random_below(&chance, sides);
}

static bool one_in(uint64_t sides)
{
    return roll(sides) == 0;
}

/* One message as it was received once: what the record points back with. */
struct delivery {
    struct record_origin origin; // first
    struct receipt receipt;
    uint64_t serial;
    unsigned group;
};

static const struct delivery *delivery_of(const struct record *record)
{
    return (const struct delivery *)(const void *)record->origin;
}

struct world {
    struct local_state state;
    struct pipeline_options options;
    struct pipeline *pipeline;
    struct batch *running[RUNNING_MOST];
    size_t running_count, inside;
    bool stopped, all_is_well;
    unsigned group_of[MESSAGES + 1]; // by serial
    bool deleted[MESSAGES + 1], handled[MESSAGES + 1];
    bool relied_on[MESSAGES + 1]; // one of its group started because its
                                  // delete was on its way
    struct removal {
        struct delivery *delivery; // owned; NULL: none
        int64_t due_ms;
    } removals[MESSAGES + 1]; // by serial
    uint64_t deletions, refused;
};

static void start_poller(struct world *world)
{
    world->pipeline = pipeline_create(&world->options);
    world->stopped = false;
}

static void send_one(struct world *world)
{
    unsigned group = (unsigned)roll(GROUPS);
    char body[32], name[8];

    if (world->state.serial == MESSAGES)
        return;
    world->group_of[world->state.serial + 1] = group;
    (void)snprintf(name, sizeof(name), "g%u", group);
    (void)snprintf(body, sizeof(body), "%llu",
                   (unsigned long long)world->state.serial + 1);
    (void)local_state_send(&world->state, body, name, 0);
}

static void arrive(struct world *world, const struct message *message)
{
    struct delivery *delivery = mem_calloc(1, sizeof(*delivery));
    char key[8];

    delivery->receipt = queue_receipt(message);
    delivery->serial = message->serial;
    delivery->group = world->group_of[message->serial];
    (void)snprintf(key, sizeof(key), "g%u", delivery->group);
    pipeline_add(world->pipeline,
                 record_make(&(struct record_spec){
                     .key = key,
                     .received_ms = world->state.now_ms,
                     .visible_ms = world->state.now_ms + VISIBILITY_MS,
                     .receive_count = message->failures,
                     .origin = &delivery->origin}),
                 world->state.now_ms);
    world->inside++;
}

static void receive_some(struct world *world)
{
    size_t room = pipeline_room(world->pipeline);
    struct queue_receive options = {.wanted = room < 10 ? (unsigned)room : 10,
                                    .visibility_ms = VISIBILITY_MS};
    size_t count;

    if (!room)
        return;
    count = queue_receive(world->state.queue, &options, world->state.now_ms,
                          world->state.got);
    for (size_t i = 0; i < count; i++)
        arrive(world, world->state.got[i]);
    queue_wake(world->state.queue);
}

/* The answer to a receive is lost: nobody has its messages. */
static void lose_some(struct world *world)
{
    struct queue_receive options = {.wanted = 1 + (unsigned)roll(10),
                                    .visibility_ms = VISIBILITY_MS};

    (void)queue_receive(world->state.queue, &options, world->state.now_ms,
                        world->state.got);
    queue_wake(world->state.queue);
}

static bool is_going(const struct world *world, uint64_t serial)
{
    return world->deleted[serial] || world->removals[serial].delivery;
}

/* No earlier one of its group is left. */
static bool is_oldest(const struct world *world,
                      const struct delivery *delivery)
{
    for (uint64_t serial = 1; serial < delivery->serial; serial++)
        if (world->group_of[serial] == delivery->group &&
            !is_going(world, serial))
            return false;
    return true;
}

static bool is_before(const struct batch *batch, size_t index, uint64_t serial)
{
    for (size_t i = 0; i < index; i++)
        if (delivery_of(batch->records[i])->serial == serial)
            return true;
    return false;
}

static void check_order(struct world *world, const struct batch *batch,
                        size_t index)
{
    const struct delivery *delivery = delivery_of(batch->records[index]);

    for (uint64_t serial = 1; serial < delivery->serial; serial++) {
        if (world->group_of[serial] != delivery->group ||
            world->deleted[serial])
            continue;
        if (is_before(batch, index, serial))
            continue;
        assert_non_null(world->removals[serial].delivery);
        world->relied_on[serial] = true;
    }
}

static void check_alone(const struct world *world, const struct batch *batch,
                        size_t index)
{
    unsigned group = delivery_of(batch->records[index])->group;

    for (size_t b = 0; b < world->running_count; b++)
        for (size_t i = 0; i < world->running[b]->count; i++)
            assert_int_not_equal(
                delivery_of(world->running[b]->records[i])->group, group);
}

static bool start_batch(struct world *world)
{
    struct batch *batch =
        pipeline_next_batch(world->pipeline, world->state.now_ms);

    if (!batch) {
        assert_true(pipeline_deadline_ms(world->pipeline) >
                    world->state.now_ms);
        return false;
    }
    assert_false(world->stopped);
    assert_true(batch->count <= world->options.batch_size);
    assert_true(world->running_count < world->options.concurrency);
    for (size_t i = 0; i < batch->count; i++) {
        check_order(world, batch, i);
        check_alone(world, batch, i);
    }
    world->running[world->running_count++] = batch;
    return true;
}

static struct batch *take_running(struct world *world)
{
    size_t index = roll(world->running_count);
    struct batch *batch = world->running[index];

    world->running[index] = world->running[--world->running_count];
    return batch;
}

static void finish_batch(struct world *world)
{
    struct batch *batch = take_running(world);
    struct outcome outcome = {.kind = OUTCOME_DONE};
    struct response_verdict verdict = {0};
    bool failed[16] = {false};

    assert_true(batch->count <= 16);
    if (!world->all_is_well && one_in(5))
        outcome.kind = (enum outcome_kind)roll(4);
    if (!world->all_is_well && one_in(2)) {
        outcome.failed = failed;
        for (uint64_t i = roll(4); i > 0; i--)
            failed[roll(batch->count)] = true;
    }
    for (size_t i = 0; i < batch->count; i++)
        if (outcome.kind == OUTCOME_DONE && !failed[i])
            world->handled[delivery_of(batch->records[i])->serial] = true;
    pipeline_finish(world->pipeline, batch, &outcome, world->state.now_ms,
                    &verdict);
    response_verdict_finish(&verdict);
}

/* As SQS does, which refuses a receipt handle that has expired. */
static struct message *find(struct world *world,
                            const struct delivery *delivery)
{
    struct message *message;

    if (queue_check(world->state.queue, &delivery->receipt, &message) ==
        RECEIPT_GOOD)
        return message;
    world->refused++;
    return NULL;
}

static void hide(struct world *world, const struct delivery *delivery,
                 int64_t visibility_ms)
{
    struct message *message = find(world, delivery);

    if (message)
        queue_hide(world->state.queue, message, world->state.now_ms,
                   visibility_ms);
}

static void remove_later(struct world *world, struct delivery *delivery)
{
    struct removal *removal = &world->removals[delivery->serial];

    assert_true(world->handled[delivery->serial]);
    if (world->options.fifo_failure == TRIGGER_FIFO_RELEASE_GROUP)
        assert_true(is_oldest(world, delivery));
    free(removal->delivery); // of a receipt that is older still
    removal->delivery = delivery;
    removal->due_ms = world->state.now_ms + (int64_t)roll(DELETE_MS);
}

/* What others have relied on must be so. */
static void remove_now(struct world *world, uint64_t serial)
{
    struct removal *removal = &world->removals[serial];
    struct message *message = find(world, removal->delivery);

    free(removal->delivery);
    removal->delivery = NULL;
    if (!message) {
        assert_false(world->relied_on[serial]);
        return;
    }
    world->deleted[serial] = true;
    world->deletions++;
    queue_delete(world->state.queue, message);
}

/* In steps, so that a delete comes before what would make it too late. */
static void pass_time(struct world *world, int64_t ms)
{
    for (; ms > 0; ms -= 20) {
        local_state_advance(&world->state, ms < 20 ? ms : 20);
        for (uint64_t serial = 1; serial <= world->state.serial; serial++)
            if (world->removals[serial].delivery &&
                world->removals[serial].due_ms <= world->state.now_ms)
                remove_now(world, serial);
    }
}

/* Takes the delivery over. */
static void carry_out(struct world *world, const struct settlement *settlement,
                      struct delivery *delivery)
{
    switch (settlement->verdict) {
    case SOURCE_DONE:
        remove_later(world, delivery);
        return;
    case SOURCE_RETURN:
        hide(world, delivery, 0);
        break;
    case SOURCE_AGAIN:
        if (settlement->delay_ms >= 0)
            hide(world, delivery, settlement->delay_ms);
        break;
    }
    free(delivery);
}

static void settle(struct world *world, bool is_lost)
{
    struct settlement settlement;

    while (pipeline_next_settlement(world->pipeline, &settlement)) {
        struct delivery *delivery =
            (struct delivery *)(uintptr_t)delivery_of(settlement.record);

        if (is_lost)
            free(delivery);
        else
            carry_out(world, &settlement, delivery);
        record_release(settlement.record);
        world->inside--;
    }
    assert_int_equal(pipeline_is_idle(world->pipeline), world->inside == 0);
}

static void forget_removals(struct world *world)
{
    for (uint64_t serial = 1; serial <= world->state.serial; serial++) {
        free(world->removals[serial].delivery);
        world->removals[serial].delivery = NULL;
        world->relied_on[serial] = false;
    }
}

/* The process dies; another one begins. */
static void crash(struct world *world)
{
    while (world->running_count) {
        struct response_verdict verdict = {0};

        pipeline_finish(world->pipeline, take_running(world),
                        &(struct outcome){.kind = OUTCOME_FAILED},
                        world->state.now_ms, &verdict);
        response_verdict_finish(&verdict);
    }
    pipeline_stop(world->pipeline);
    settle(world, true);
    forget_removals(world);
    assert_int_equal(world->inside, 0);
    pipeline_destroy(world->pipeline);
    start_poller(world);
}

static void step(struct world *world)
{
    switch (roll(12)) {
    case 0:
    case 1:
        send_one(world);
        break;
    case 2:
    case 3:
    case 4:
        receive_some(world);
        break;
    case 5:
        pass_time(world, (int64_t)(one_in(20) ? roll(6000) : roll(200)));
        break;
    case 6:
    case 7:
    case 8:
        (void)start_batch(world);
        break;
    default:
        if (world->running_count)
            finish_batch(world);
    }
    settle(world, false);
    if (one_in(300))
        lose_some(world);
    if (one_in(1000)) {
        pipeline_stop(world->pipeline);
        world->stopped = true;
    }
    if (one_in(world->stopped ? 20 : 2000))
        crash(world);
}

/* From here on all goes well: no group is stuck. */
static void drain(struct world *world)
{
    size_t rounds = 0;

    world->all_is_well = true;
    if (world->stopped)
        crash(world);
    while (world->deletions < world->state.serial) {
        assert_true(rounds++ < 100000);
        receive_some(world);
        while (start_batch(world))
            ;
        while (world->running_count)
            finish_batch(world);
        settle(world, false);
        pass_time(world, 50);
    }
    assert_int_equal(world->state.queue->fifo.groups.count, 0);
}

static void random_options(struct pipeline_options *options,
                           enum trigger_fifo_failure fifo_failure)
{
    *options = (struct pipeline_options){
        .batch_size = 1 + roll(10),
        .payload_limit = EVENT_LIMIT,
        .concurrency = 1 + roll(RUNNING_MOST),
        .by_group = true,
        .backoff_base_ms = (int64_t)roll(500),
        .backoff_maximum_ms = 2000,
        .delay_failed = one_in(2),
        .batch_time_ms = 1 + (int64_t)roll(2000),
        .fifo_failure = fifo_failure,
        .gives_way = one_in(2),
        .breaker_failures = one_in(3) ? 3 : 0,
        .breaker_pause_ms = 1000,
        .records_per_second = one_in(4) ? 20 : 0,
        .seed = random_next(&chance),
    };
}

static uint64_t run_episode(enum trigger_fifo_failure fifo_failure)
{
    struct world *world = test_calloc(1, sizeof(*world));
    uint64_t refused;

    local_state_init(&world->state, true);
    random_options(&world->options, fifo_failure);
    start_poller(world);
    for (int i = 0; i < STEPS; i++)
        step(world);
    drain(world);
    crash(world);
    pipeline_destroy(world->pipeline);
    local_state_finish(&world->state);
    refused = world->refused;
    test_free(world);
    return refused;
}

static void run(enum trigger_fifo_failure fifo_failure)
{
    uint64_t refused = 0;

    for (int i = 0; i < EPISODES; i++)
        refused += run_episode(fifo_failure);
    assert_true(refused > 0); // expired handles were among it
}

static void test_release_group(void **state)
{
    (void)state;
    run(TRIGGER_FIFO_RELEASE_GROUP);
}

static void test_lambda(void **state)
{
    (void)state;
    run(TRIGGER_FIFO_LAMBDA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_release_group),
        cmocka_unit_test(test_lambda),
    };
    const char *given = getenv("POLLARD_SEED");

    chance.state = given ? strtoull(given, NULL, 0) : random_seed();
    printf("seed %llu\n", (unsigned long long)chance.state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
