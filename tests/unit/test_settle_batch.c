#include "source/settle_batch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "record/record.h"
#include "test.h"

struct world {
    struct settle_batch batch;
    struct settle_entry taken[SETTLE_BATCH_MOST];
    struct record record; // stands for all
    int64_t now_ms;
};

static struct world *world_create(void)
{
    struct world *world = mem_calloc(1, sizeof(*world));

    world->now_ms = 1000;
    world->record.visible_ms = 31000;
    settle_batch_init(&world->batch, 42);
    return world;
}

static void world_destroy(struct world *world)
{
    settle_batch_finish(&world->batch);
    free(world);
}

// Entries are told apart by their visibility.
static void add(struct world *world, size_t count)
{
    for (size_t i = 0; i < count; i++)
        settle_batch_add(
            &world->batch,
            &(struct settle_entry){
                .record = &world->record,
                .visibility_s = (int64_t)settle_batch_count(&world->batch),
                .since_ms = world->now_ms});
}

static size_t take(struct world *world, bool flush)
{
    return settle_batch_take(&world->batch, SETTLE_BATCH_MOST, flush,
                             world->now_ms, world->taken);
}

static void test_ten_go_at_once(void **state)
{
    struct world *world = world_create();

    (void)state;
    add(world, 9);
    assert_int_equal(take(world, false), 0);
    add(world, 1);
    assert_int_equal(take(world, false), 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(world->taken[i].visibility_s, i);
    assert_int_equal(take(world, false), 0);
    world_destroy(world);
}

static void test_nothing_waits_longer_than_50_ms(void **state)
{
    struct world *world = world_create();

    (void)state;
    add(world, 1);
    assert_int_equal(settle_batch_deadline_ms(&world->batch), 1050);
    world->now_ms += 30;
    add(world, 2);
    world->now_ms += 19;
    assert_int_equal(take(world, false), 0);
    world->now_ms += 1;
    assert_int_equal(take(world, false), 3);
    assert_true(settle_batch_deadline_ms(&world->batch) == CLOCK_NEVER);
    world_destroy(world);
}

static void test_a_flush_waits_for_nobody(void **state)
{
    struct world *world = world_create();

    (void)state;
    add(world, 12);
    assert_int_equal(take(world, true), 10);
    assert_int_equal(take(world, true), 2);
    assert_int_equal(take(world, true), 0);
    world_destroy(world);
}

static void test_without_batches_each_goes_alone(void **state)
{
    struct world *world = world_create();

    (void)state;
    add(world, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(settle_batch_take(&world->batch, 1, false,
                                           world->now_ms, world->taken),
                         1);
    assert_int_equal(settle_batch_count(&world->batch), 0);
    world_destroy(world);
}

static void test_what_was_refused_whole_shares_no_call(void **state)
{
    struct world *world = world_create();
    struct settle_entry alone = {.record = &world->record, .alone = true};

    (void)state;
    add(world, 2);
    settle_batch_add(&world->batch, &alone);
    settle_batch_add(&world->batch, &alone);
    add(world, 1);
    assert_int_equal(take(world, true), 2);
    assert_int_equal(take(world, true), 1);
    assert_true(world->taken[0].alone);
    assert_int_equal(take(world, true), 1);
    assert_true(world->taken[0].alone);
    assert_int_equal(take(world, true), 1);
    assert_false(world->taken[0].alone);
    world_destroy(world);
}

static void test_the_failed_goes_again_after_a_backoff(void **state)
{
    struct world *world = world_create();
    int64_t due_ms;

    (void)state;
    add(world, 1);
    assert_int_equal(take(world, true), 1);
    assert_true(
        settle_batch_again(&world->batch, &world->taken[0], world->now_ms));
    assert_int_equal(settle_batch_count(&world->batch), 1);
    due_ms = settle_batch_deadline_ms(&world->batch);
    assert_in_range(due_ms, world->now_ms,
                    world->now_ms + SETTLE_BATCH_BACKOFF_BASE_MS);
    world->now_ms = due_ms - 1;
    assert_int_equal(take(world, true), 0);
    world->now_ms = due_ms + SETTLE_BATCH_HOLD_MS;
    assert_int_equal(take(world, false), 1);
    assert_int_equal(world->taken[0].attempts, 1);
    world_destroy(world);
}

static void test_no_backoff_is_longer_than_20_s(void **state)
{
    struct world *world = world_create();

    (void)state;
    world->record.visible_ms = CLOCK_NEVER;
    world->taken[0] =
        (struct settle_entry){.record = &world->record, .attempts = 60};
    for (int i = 0; i < 1000; i++)
        assert_true(
            settle_batch_again(&world->batch, &world->taken[0], world->now_ms));
    for (size_t i = 0; i < world->batch.later_count; i++)
        assert_in_range(world->batch.later[i].since_ms, world->now_ms,
                        world->now_ms + SETTLE_BATCH_BACKOFF_MAXIMUM_MS);
    world_destroy(world);
}

static void test_given_up_after_its_attempts_and_its_visibility(void **state)
{
    struct world *world = world_create();
    struct settle_entry entry = {.record = &world->record};

    (void)state;
    entry.attempts = SETTLE_BATCH_ATTEMPTS - 1;
    world->now_ms = world->record.visible_ms - 1;
    assert_true(settle_batch_again(&world->batch, &entry, world->now_ms));
    world->now_ms = world->record.visible_ms;
    assert_false(settle_batch_again(&world->batch, &entry, world->now_ms));
    entry.attempts = 0;
    assert_true(settle_batch_again(&world->batch, &entry, world->now_ms));
    world_destroy(world);
}

static void test_order_survives_growth_and_wrapping(void **state)
{
    struct world *world = world_create();
    int64_t next_in = 0, next_out = 0;

    (void)state;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 13; i++)
            settle_batch_add(&world->batch,
                             &(struct settle_entry){.record = &world->record,
                                                    .visibility_s = next_in++,
                                                    .since_ms = 1000});
        for (size_t i = 0, count = take(world, true); i < count; i++)
            assert_int_equal(world->taken[i].visibility_s, next_out++);
    }
    while (next_out < next_in)
        for (size_t i = 0, count = take(world, true); i < count; i++)
            assert_int_equal(world->taken[i].visibility_s, next_out++);
    assert_int_equal(settle_batch_count(&world->batch), 0);
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_go_at_once),
        cmocka_unit_test(test_nothing_waits_longer_than_50_ms),
        cmocka_unit_test(test_a_flush_waits_for_nobody),
        cmocka_unit_test(test_without_batches_each_goes_alone),
        cmocka_unit_test(test_what_was_refused_whole_shares_no_call),
        cmocka_unit_test(test_the_failed_goes_again_after_a_backoff),
        cmocka_unit_test(test_no_backoff_is_longer_than_20_s),
        cmocka_unit_test(test_given_up_after_its_attempts_and_its_visibility),
        cmocka_unit_test(test_order_survives_growth_and_wrapping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
