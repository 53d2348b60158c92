/*
 * The embedded server's queues against random clients, standard and FIFO: send,
 * receive, settle, lose, wait, hang up, and time that passes. What must hold is
 * asserted at every step; at the end every message was delivered or is there.
 *
 * The seed is printed; POLLARD_SEED=n runs it again.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
#include "local_state.h"
#include "test.h"

#define EPISODES 100
#define STEPS 2000
#define GROUPS 5
#define HELD_MOST 200
#define WAITERS 5
#define SENT_MOST STEPS

static struct random chance;

static uint64_t roll(uint64_t sides)
{
    return random_below(&chance, sides);
}

struct sleeper {
    struct waiter waiter; // first
    bool woken;
};

struct world {
    struct local_state state;
    bool fifo;
    struct receipt held[HELD_MOST]; // some are old
    size_t held_count;
    struct sleeper sleepers[WAITERS];
    bool deleted[SENT_MOST + 1]; // by serial
    uint64_t deletions;
};

static void wake(struct waiter *waiter)
{
    ((struct sleeper *)(void *)waiter)->woken = true;
}

static void send_one(struct world *world)
{
    char body[32], group[8];

    if (world->state.serial == SENT_MOST)
        return;
    (void)snprintf(body, sizeof(body), "%llu",
                   (unsigned long long)world->state.serial + 1);
    (void)snprintf(group, sizeof(group), "g%d", (int)roll(GROUPS));
    (void)local_state_send(&world->state, body, group,
                           roll(4) ? 0 : (int64_t)roll(5000));
}

static bool is_among(const struct message *message,
                     struct message *const *messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (messages[i] == message)
            return true;
    return false;
}

// No fellow of its group that was sent earlier is passed over, and none at all
// is with somebody else.
static void assert_in_order(const struct world *world, size_t i, size_t count)
{
    struct message *const *got = world->state.got;
    const struct queue *queue = world->state.queue;

    for (uint32_t slot = 0; slot < queue->slot_count; slot++) {
        const struct message *other = queue->slots[slot];

        if (!other || other->group != got[i]->group)
            continue;
        if (other->serial < got[i]->serial)
            assert_true(is_among(other, got, i));
        if (other->state == MESSAGE_IN_FLIGHT)
            assert_true(is_among(other, got, count));
    }
}

static void receive_some(struct world *world)
{
    struct queue_receive options = {.wanted = 1 + (unsigned)roll(10),
                                    .visibility_ms = (int64_t)roll(3000)};
    struct local_state *state = &world->state;
    size_t count =
        queue_receive(state->queue, &options, state->now_ms, state->got);

    assert_true(count <= options.wanted);
    for (size_t i = 0; i < count; i++) {
        assert_false(world->deleted[state->got[i]->serial]);
        assert_int_equal(state->got[i]->state, MESSAGE_IN_FLIGHT);
        if (world->fifo)
            assert_in_order(world, i, count);
        world->held[world->held_count < HELD_MOST ? world->held_count++
                                                  : roll(HELD_MOST)] =
            queue_receipt(state->got[i]);
    }
    queue_wake(state->queue);
}

static void delete_one(struct world *world, struct message *message)
{
    assert_false(world->deleted[message->serial]);
    world->deleted[message->serial] = true;
    world->deletions++;
    queue_delete(world->state.queue, message);
}

static void settle_one(struct world *world)
{
    struct local_state *state = &world->state;
    struct receipt receipt;
    struct message *message;
    enum receipt_state found;

    if (!world->held_count)
        return;
    receipt = world->held[roll(world->held_count)];
    found = queue_check(state->queue, &receipt, &message);
    assert_int_equal(found == RECEIPT_GONE, world->deleted[receipt.serial]);
    if (found != RECEIPT_GOOD)
        return;
    switch (roll(3)) {
    case 0:
        queue_hide(state->queue, message, state->now_ms,
                   (int64_t)roll(2) * 1000);
        break;
    case 1:
        queue_unreceive(state->queue, message);
        break;
    default:
        delete_one(world, message);
    }
}

static bool has_something(const struct queue *queue)
{
    return queue->settings.fifo ? queue->fifo.ready_count > 0
                                : queue->counts[MESSAGE_READY] > 0;
}

static void sleep_or_rise(struct world *world)
{
    struct sleeper *sleeper = &world->sleepers[roll(WAITERS)];

    if (sleeper->waiter.queue) {
        queue_waiter_leave(&sleeper->waiter);
        queue_wake(world->state.queue);
        return;
    }
    *sleeper = (struct sleeper){
        .waiter = {.wanted = 1 + (unsigned)roll(10), .wake = wake}};
    list_init(&sleeper->waiter.link);
    // As a receive does: only who found nothing waits.
    if (!has_something(world->state.queue))
        queue_wait(world->state.queue, &sleeper->waiter);
}

static void step(struct world *world)
{
    switch (roll(6)) {
    case 0:
    case 1:
        send_one(world);
        break;
    case 2:
        receive_some(world);
        break;
    case 3:
        settle_one(world);
        break;
    case 4:
        sleep_or_rise(world);
        break;
    default:
        local_state_advance(&world->state, (int64_t)roll(800));
    }
}

static void assert_counts(const struct queue *queue)
{
    uint64_t counts[3] = {0};

    for (uint32_t slot = 0; slot < queue->slot_count; slot++)
        if (queue->slots[slot])
            counts[queue->slots[slot]->state]++;
    for (int i = 0; i < 3; i++)
        assert_int_equal(queue->counts[i], counts[i]);
}

// Nobody sleeps while there is something that nobody else was woken for.
static void assert_nobody_oversleeps(const struct queue *queue)
{
    if (list_is_empty(&queue->waiters))
        return;
    if (queue->settings.fifo)
        assert_true(queue->fifo.ready_count <= queue->woken_count);
    else
        assert_true(queue->counts[MESSAGE_READY] <= queue->promised);
}

// All that were not deleted are still delivered, once their time has come.
static void drain(struct world *world)
{
    struct local_state *state = &world->state;
    struct queue_receive options = {.wanted = 10, .visibility_ms = 1000};
    size_t count;

    local_state_advance(state, 10000);
    while ((count = queue_receive(state->queue, &options, state->now_ms,
                                  state->got)))
        for (size_t i = 0; i < count; i++)
            delete_one(world, state->got[i]);
    assert_int_equal(world->deletions, state->serial);
    assert_int_equal(state->queue->fifo.groups.count, 0);
    assert_int_equal(state->timers.count, 0);
}

static void run_episode(bool fifo)
{
    struct world *world = test_calloc(1, sizeof(*world));
    const struct queue *queue;

    local_state_init(&world->state, fifo);
    world->fifo = fifo;
    queue = world->state.queue;
    for (int i = 0; i < STEPS; i++) {
        step(world);
        assert_nobody_oversleeps(queue);
        if (i % 50 == 0)
            assert_counts(queue);
    }
    for (int i = 0; i < WAITERS; i++)
        queue_waiter_leave(&world->sleepers[i].waiter);
    assert_int_equal(queue->waiting, 0);
    assert_int_equal(queue->promised, 0);
    drain(world);
    local_state_finish(&world->state);
    test_free(world);
}

static void test_standard(void **state)
{
    (void)state;
    for (int i = 0; i < EPISODES; i++)
        run_episode(false);
}

static void test_fifo(void **state)
{
    (void)state;
    for (int i = 0; i < EPISODES; i++)
        run_episode(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standard),
        cmocka_unit_test(test_fifo),
    };
    const char *given = getenv("POLLARD_SEED");

    chance.state = given ? strtoull(given, NULL, 0) : random_seed();
    printf("seed %llu\n", (unsigned long long)chance.state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
