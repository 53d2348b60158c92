#include "keeper/leases.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "keeper/plan.h"
#include "sim_clock.h"
#include "store/store.h"
#include "test.h"

#define DURATION 10000
#define STREAM "clicks"
#define APPLICATION "app"

struct stage {
    char *folder, *path;
    struct sim_clock clock;
    struct log log;
    struct leases *leases;
    struct store *other; // another worker's session, moved by the test
};

static struct error err;

static int setup(void **state)
{
    struct stage *stage = mem_calloc(1, sizeof(*stage));

    stage->folder = test_folder_create_fast();
    stage->path = mem_printf("%s/state.db", stage->folder);
    sim_clock_init(&stage->clock);
    stage->leases = leases_create(
        &(struct leases_options){.path = stage->path,
                                 .application = APPLICATION,
                                 .stream = STREAM,
                                 .name = "me",
                                 .start = {.checkpoint = "TRIM_HORIZON"},
                                 .duration_ms = DURATION,
                                 .heartbeat_ms = 3000,
                                 .flush_ms = 1000,
                                 .clock = &stage->clock.clock,
                                 .log = &stage->log,
                                 .seed = 7});
    stage->other =
        store_open(&(struct store_options){.path = stage->path,
                                           .application = APPLICATION,
                                           .session = "other",
                                           .ttl_ms = DURATION,
                                           .clock = &stage->clock.clock},
                   &err);
    assert_ok(stage->other, &err);
    *state = stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;

    leases_destroy(stage->leases);
    store_close(stage->other);
    free(stage->path);
    test_folder_remove(stage->folder);
    free(stage);
    return 0;
}

static void list(struct stage *stage, const char *one, const char *two)
{
    struct stream_shard list[] = {{.id = mem_strdup(one)},
                                  {.id = mem_strdup(two)}};
    struct stream_shards shards = {.list = list, .count = two ? 2 : 1};

    assert_true(leases_listed(stage->leases, &shards));
    free(list[0].id);
    free(list[1].id);
}

static void pass(struct stage *stage, int64_t ms)
{
    for (; ms > 0; ms -= 100) {
        sim_clock_advance(&stage->clock, 100);
        leases_tick(stage->leases);
    }
}

static void join_other(struct stage *stage)
{
    assert_int_equal(store_session_join(stage->other, &err), STORE_OK);
}

static void beat_other(struct stage *stage)
{
    struct session_row row = {0};

    assert_int_equal(store_session_beat(stage->other, 0, &row, &err), STORE_OK);
    session_row_finish(&row);
}

// Caller finishes.
static struct lease_row row_of(struct stage *stage, const char *shard)
{
    struct lease_rows rows = {0};
    struct lease_row found = {0};

    assert_int_equal(store_lease_list(stage->other, STREAM, &rows, &err),
                     STORE_OK);
    for (size_t i = 0; i < rows.count; i++)
        if (!strcmp(rows.list[i].shard, shard)) {
            found = rows.list[i];
            rows.list[i] = (struct lease_row){0};
        }
    lease_rows_finish(&rows);
    assert_non_null(found.shard);
    return found;
}

static void progress(struct stage *stage, struct lease_held *held,
                     const char *sequence)
{
    leases_progress(stage->leases, held,
                    &(struct lease_progress){.sequence = sequence});
}

static void want_other(struct stage *stage, const char *shard)
{
    struct lease_row row = row_of(stage, shard);

    assert_int_equal(store_lease_want(stage->other, STREAM, shard, row.owner,
                                      row.epoch, &err),
                     STORE_OK);
    lease_row_finish(&row);
}

static bool is_owned(struct stage *stage, const char *shard)
{
    struct lease_row row = row_of(stage, shard);
    bool is_owned = row.owner != NULL;

    lease_row_finish(&row);
    return is_owned;
}

// Ours, with a reader.
static struct lease_held *take_one(struct stage *stage)
{
    struct lease_held *held;

    leases_tick(stage->leases);
    list(stage, "s1", NULL);
    leases_tick(stage->leases);
    assert_int_equal(leases_count(stage->leases), 1);
    held = leases_at(stage->leases, 0);
    leases_reader_started(stage->leases, held);
    return held;
}

static void test_the_guard_follows_the_beat_that_was_sent(void **state)
{
    struct stage *stage = *state;
    int64_t joined_ms = stage->clock.now_ms;
    struct lease_held *held = take_one(stage);

    assert_int_equal(held->acts_until_ms, joined_ms + DURATION - DURATION / 10);
    pass(stage, 5000);
    assert_true(held->acts_until_ms > joined_ms + DURATION);
    assert_true(held->acts_until_ms < stage->clock.now_ms + DURATION);
}

static void test_who_is_asked_hands_over_what_it_handled(void **state)
{
    struct stage *stage = *state;
    struct lease_held *held = take_one(stage);
    struct lease_row row;

    join_other(stage);
    want_other(stage, "s1");
    pass(stage, 1000);
    assert_true(held->should_read); // it came only just now
    pass(stage, 4000);
    assert_false(held->should_read);
    assert_true(held->is_ours);
    progress(stage, held, "33");
    leases_reader_ended(stage->leases, held, LEASE_END_STOPPED);
    leases_tick(stage->leases);
    row = row_of(stage, "s1");
    assert_null(row.owner);
    assert_string_equal(row.wanted_by, "other");
    assert_string_equal(row.checkpoint, "33");
    lease_row_finish(&row);
    assert_false(held->is_ours);
}

static void test_a_reader_that_does_not_end_is_left_behind(void **state)
{
    struct stage *stage = *state;
    struct lease_held *held = take_one(stage);
    int64_t asked_ms;

    join_other(stage);
    want_other(stage, "s1");
    asked_ms = stage->clock.now_ms;
    progress(stage, held, "5");
    while (is_owned(stage, "s1")) {
        pass(stage, 100);
        beat_other(stage);
        assert_true(stage->clock.now_ms <
                    asked_ms + plan_force_after_ms(DURATION));
        assert_true(held->acts_until_ms <=
                    stage->clock.now_ms + plan_yield_grace_ms(DURATION));
    }
    assert_int_equal(held->acts_until_ms, 0);
    assert_true(held->has_reader);
    progress(stage, held, "9"); // nobody listens any more
    pass(stage, 10000);
    assert_int_equal(leases_count(stage->leases), 1);
    assert_false(is_owned(stage, "s1")); // not again while that reader lives
    leases_reader_ended(stage->leases, held, LEASE_END_STOPPED);
    pass(stage, 10000);
    held = leases_at(stage->leases, 0);
    assert_true(held->is_ours);
    assert_string_equal(held->sequence, "5");
}

static void test_a_reader_that_hangs_is_abandoned(void **state)
{
    struct stage *stage = *state;
    struct lease_held *held = take_one(stage);

    leases_abandon(stage->leases, held);
    assert_int_equal(held->acts_until_ms, 0);
    leases_tick(stage->leases);
    assert_false(is_owned(stage, "s1"));
    pass(stage, 10000);
    assert_false(is_owned(stage, "s1"));
    leases_reader_ended(stage->leases, held, LEASE_END_STOPPED);
    pass(stage, 1000);
    assert_true(is_owned(stage, "s1"));
}

static void test_who_does_not_hand_over_is_forced_in_the_end(void **state)
{
    struct stage *stage = *state;
    struct lease_claim claims[] = {{.shard = "s1"}, {.shard = "s2"}};
    struct lease_new leases[] = {{.shard = "s1", .checkpoint = "TRIM_HORIZON"},
                                 {.shard = "s2", .checkpoint = "TRIM_HORIZON"}};
    int64_t asked_ms = 0;

    join_other(stage);
    assert_int_equal(store_lease_create(stage->other, STREAM, leases, 2, &err),
                     STORE_OK);
    assert_int_equal(store_lease_acquire(stage->other, STREAM, claims, 2, &err),
                     STORE_OK);
    while (leases_count(stage->leases) == 0) {
        struct session_row row = {0};

        // It beats, whatever it is asked: as a keeper whose reader hangs.
        if (store_session_beat(stage->other, asked_ms ? 1 : 0, &row, &err) ==
            STORE_CONFLICT)
            asked_ms = stage->clock.now_ms;
        session_row_finish(&row);
        pass(stage, 500);
        assert_true(stage->clock.now_ms < 1000000 + 10 * DURATION);
    }
    assert_true(asked_ms > 0);
    assert_true(stage->clock.now_ms >=
                asked_ms - 500 + plan_force_after_ms(DURATION));
    assert_int_equal(leases_at(stage->leases, 0)->epoch, 2);
    lease_row_finish(&claims[0].row);
    lease_row_finish(&claims[1].row);
}

// Against all rules; the next look tells.
static void rob(struct stage *stage, const char *shard)
{
    struct lease_row row = row_of(stage, shard), taken = {0};

    assert_int_equal(store_lease_take_forced(stage->other, STREAM, shard,
                                             row.owner, row.epoch, &taken,
                                             &err),
                     STORE_OK);
    lease_row_finish(&row);
    lease_row_finish(&taken);
}

static void test_a_stolen_lease_is_let_go(void **state)
{
    struct stage *stage = *state;
    struct lease_held *held = take_one(stage);

    join_other(stage);
    want_other(stage, "s1");
    rob(stage, "s1");
    progress(stage, held, "5");
    pass(stage, 1100);
    assert_false(held->is_ours);
    assert_false(held->should_read);
    assert_int_equal(held->acts_until_ms, 0);
}

// Its readers are told that it is not there, and the listing has it as closed.
static struct lease_held *miss(struct stage *stage, bool lists_gone)
{
    struct stream_shard shard = {.id = mem_strdup("s1"), .closed = true};
    struct stream_shards shards = {
        .list = &shard, .count = 1, .lists_gone = lists_gone};
    struct lease_held *held = take_one(stage);

    for (int i = 0; i < 5 && held->is_ours; i++) {
        leases_reader_started(stage->leases, held);
        leases_reader_ended(stage->leases, held, LEASE_END_MISSING);
        assert_true(leases_listed(stage->leases, &shards));
    }
    free(shard.id);
    return held;
}

static void test_a_closed_shard_that_is_listed_is_not_lost(void **state)
{
    struct lease_held *held = miss(*state, false);

    assert_true(held->is_ours);
    assert_true(held->should_read);
    assert_true(is_owned(*state, "s1"));
}

static void test_where_lists_keep_what_is_gone_it_is_lost(void **state)
{
    assert_false(miss(*state, true)->is_ours);
    assert_false(is_owned(*state, "s1"));
}

static void test_a_drain_without_leases_leaves_at_once(void **state)
{
    struct stage *stage = *state;

    leases_tick(stage->leases);
    leases_drain(stage->leases);
    leases_tick(stage->leases);
    assert_true(leases_have_left(stage->leases));
}

static void test_a_drain_takes_nothing_more(void **state)
{
    struct stage *stage = *state;
    struct lease_held *held = take_one(stage);

    list(stage, "s1", "s2");
    leases_drain(stage->leases);
    pass(stage, 3000);
    assert_false(is_owned(stage, "s2"));
    assert_false(held->should_read);
    assert_false(leases_have_left(stage->leases));
    leases_reader_ended(stage->leases, held, LEASE_END_STOPPED);
    pass(stage, 200);
    assert_true(leases_have_left(stage->leases));
    assert_false(is_owned(stage, "s1"));
}

int main(void)
{
#define TEST(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_guard_follows_the_beat_that_was_sent),
        TEST(test_who_is_asked_hands_over_what_it_handled),
        TEST(test_a_reader_that_does_not_end_is_left_behind),
        TEST(test_a_reader_that_hangs_is_abandoned),
        TEST(test_who_does_not_hand_over_is_forced_in_the_end),
        TEST(test_a_stolen_lease_is_let_go),
        TEST(test_a_closed_shard_that_is_listed_is_not_lost),
        TEST(test_where_lists_keep_what_is_gone_it_is_lost),
        TEST(test_a_drain_without_leases_leaves_at_once),
        TEST(test_a_drain_takes_nothing_more),
    };

    return cmocka_run_group_tests_name("leases", tests, NULL, NULL);
}
