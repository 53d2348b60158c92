#include "keeper/plan.h"

#include <stdio.h>

#include "base/mem.h"
#include "keeper/lineage.h"
#include "test.h"

#define TTL 10000
#define STABLE 2000
#define HOLD 3000
#define ORPHAN 5000
#define START 1000000

struct world { // what the tables hold
    struct session_rows sessions;
    struct lease_rows leases;
};

struct view { // one worker's plan and what it made of the world
    struct plan *plan;
    bool *kill, *blocked;
    enum plan_move *moves;
};

static void world_finish(struct world *world)
{
    session_rows_finish(&world->sessions);
    lease_rows_finish(&world->leases);
}

static void add_session(struct world *world, const char *id)
{
    struct session_rows *rows = &world->sessions;

    rows->list = mem_realloc(rows->list, rows->count + 1, sizeof(*rows->list));
    rows->list[rows->count++] =
        (struct session_row){.id = mem_strdup(id), .ttl_ms = TTL};
}

static void remove_session(struct world *world, const char *id)
{
    struct session_rows *rows = &world->sessions;

    for (size_t i = 0; i < rows->count; i++)
        if (!strcmp(rows->list[i].id, id)) {
            session_row_finish(&rows->list[i]);
            memmove(&rows->list[i], &rows->list[i + 1],
                    (rows->count - i - 1) * sizeof(*rows->list));
            rows->count--;
            return;
        }
    fail();
}

static struct lease_row *add_lease(struct world *world, const char *shard,
                                   const char *owner)
{
    struct lease_rows *rows = &world->leases;

    rows->list = mem_realloc(rows->list, rows->count + 1, sizeof(*rows->list));
    rows->list[rows->count] =
        (struct lease_row){.shard = mem_strdup(shard),
                           .owner = mem_strdup(owner),
                           .epoch = owner ? 1 : 0,
                           .checkpoint = mem_strdup("TRIM_HORIZON"),
                           .parents = mem_strdup("[]")};
    return &rows->list[rows->count++];
}

static void set(char **text, const char *value)
{
    free(*text);
    *text = mem_strdup(value);
}

static void grant(struct lease_row *row, const char *owner)
{
    set(&row->owner, owner);
    set(&row->wanted_by, NULL);
    row->epoch++;
}

static struct view view_create(const char *me)
{
    return (struct view){
        .plan = plan_create(&(struct plan_options){.me = me,
                                                   .stable_ms = STABLE,
                                                   .hold_ms = HOLD,
                                                   .orphan_ms = ORPHAN})};
}

static void view_finish(struct view *view)
{
    plan_destroy(view->plan);
    free(view->kill);
    free(view->blocked);
    free(view->moves);
}

static void look(struct view *view, const struct world *world, int64_t now_ms)
{
    size_t leases = world->leases.count;

    view->kill = mem_realloc(view->kill, world->sessions.count, sizeof(bool));
    view->moves = mem_realloc(view->moves, leases, sizeof(*view->moves));
    if (!view->blocked)
        view->blocked = mem_calloc(leases, sizeof(bool));
    plan_see_sessions(view->plan, &world->sessions, now_ms, view->kill);
    plan_see_leases(view->plan, &world->leases, view->blocked, now_ms,
                    view->moves);
}

static size_t count_moves(const struct view *view, const struct world *world,
                          enum plan_move move)
{
    size_t count = 0;

    for (size_t i = 0; i < world->leases.count; i++)
        count += view->moves[i] == move;
    return count;
}

static void test_who_does_not_beat_for_its_time_is_killed(void **state)
{
    struct world world = {0};
    struct view me = view_create("a");

    (void)state;
    add_session(&world, "a");
    add_session(&world, "b");
    look(&me, &world, START);
    assert_false(me.kill[1]);
    look(&me, &world, START + TTL - 1);
    assert_false(me.kill[1]);
    look(&me, &world, START + TTL);
    assert_true(me.kill[1]);
    assert_false(me.kill[0]); // ourselves never

    world.sessions.list[1].beat++;
    look(&me, &world, START + TTL);
    assert_false(me.kill[1]);
    world.sessions.list[1].state = SESSION_DRAINING;
    look(&me, &world, START + 2 * TTL);
    assert_true(me.kill[1]);
    view_finish(&me);
    world_finish(&world);
}

static void test_each_is_judged_by_its_own_time_to_live(void **state)
{
    struct world world = {0};
    struct view me = view_create("a");

    (void)state;
    add_session(&world, "a");
    add_session(&world, "b");
    world.sessions.list[1].ttl_ms = 3 * TTL;
    look(&me, &world, START);
    look(&me, &world, START + 3 * TTL - 1);
    assert_false(me.kill[1]);
    look(&me, &world, START + 3 * TTL);
    assert_true(me.kill[1]);
    view_finish(&me);
    world_finish(&world);
}

static void test_who_is_gone_is_killed_at_once(void **state)
{
    struct world world = {0};
    struct view me = view_create("a");

    (void)state;
    add_session(&world, "a");
    add_session(&world, "b");
    world.sessions.list[1].is_gone = true;
    look(&me, &world, START);
    assert_true(me.kill[1]);
    view_finish(&me);
    world_finish(&world);
}

static void test_one_worker_takes_all(void **state)
{
    struct world world = {0};
    struct view me = view_create("a");

    (void)state;
    add_session(&world, "a");
    add_lease(&world, "s1", NULL);
    add_lease(&world, "s2", "dead");
    add_lease(&world, "s3", NULL);
    look(&me, &world, START);
    assert_int_equal(count_moves(&me, &world, PLAN_ACQUIRE), 3);
    view_finish(&me);
    world_finish(&world);
}

static void test_what_is_over_is_left_alone(void **state)
{
    struct world world = {0};
    struct view me = view_create("a");

    (void)state;
    add_session(&world, "a");
    add_lease(&world, "s1", NULL)->state = LEASE_ENDED;
    add_lease(&world, "s2", NULL)->state = LEASE_LOST;
    look(&me, &world, START);
    assert_int_equal(count_moves(&me, &world, PLAN_NOTHING), 2);
    view_finish(&me);
    world_finish(&world);
}

static void test_children_wait_for_open_parents(void **state)
{
    static const struct {
        const char *parents;
        enum plan_move move;
    } cases[] = {
        {"[\"p-ended\"]", PLAN_ACQUIRE},
        {"[\"p-lost\"]", PLAN_ACQUIRE},
        {"[\"p-unknown\"]", PLAN_ACQUIRE},
        {"[\"p-open\"]", PLAN_NOTHING},
        {"[\"p-ended\",\"p-open\"]", PLAN_NOTHING},
        {"[\"p-ended\",\"p-lost\"]", PLAN_ACQUIRE},
        {"nonsense", PLAN_NOTHING},
        {"{}", PLAN_NOTHING},
        {"[7]", PLAN_NOTHING},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct world world = {0};
        struct view me = view_create("a");

        add_session(&world, "a");
        set(&add_lease(&world, "child", NULL)->parents, cases[i].parents);
        add_lease(&world, "p-ended", NULL)->state = LEASE_ENDED;
        add_lease(&world, "p-lost", NULL)->state = LEASE_LOST;
        add_lease(&world, "p-open", NULL);
        look(&me, &world, START);
        assert_int_equal(me.moves[0], cases[i].move);
        view_finish(&me);
        world_finish(&world);
    }
}

static void test_two_workers_share_without_overlap(void **state)
{
    struct world world = {0};
    struct view a = view_create("a"), b = view_create("b");
    char shard[16];

    (void)state;
    add_session(&world, "a");
    add_session(&world, "b");
    for (int i = 0; i < 9; i++) {
        (void)snprintf(shard, sizeof(shard), "s%d", i);
        add_lease(&world, shard, NULL);
    }
    look(&a, &world, START);
    look(&b, &world, START + 700);
    for (int i = 0; i < 9; i++)
        assert_true((a.moves[i] == PLAN_ACQUIRE) !=
                    (b.moves[i] == PLAN_ACQUIRE));
    assert_in_range(count_moves(&a, &world, PLAN_ACQUIRE), 4, 5);
    view_finish(&a);
    view_finish(&b);
    world_finish(&world);
}

static void test_a_live_owner_is_asked_once_all_is_stable(void **state)
{
    struct world world = {0};
    struct view b = view_create("b");

    (void)state;
    add_session(&world, "a");
    add_session(&world, "b");
    for (int i = 0; i < 4; i++)
        add_lease(&world, ((const char *[]){"s1", "s2", "s3", "s4"})[i], "a");
    look(&b, &world, START);
    assert_int_equal(count_moves(&b, &world, PLAN_NOTHING), 4);
    look(&b, &world, START + STABLE - 1);
    assert_int_equal(count_moves(&b, &world, PLAN_NOTHING), 4);
    look(&b, &world, START + STABLE);
    assert_int_equal(count_moves(&b, &world, PLAN_ASK), 2);
    assert_int_equal(count_moves(&b, &world, PLAN_ACQUIRE), 0);

    add_session(&world, "c"); // a newcomer: wait and see again
    look(&b, &world, START + STABLE + 1);
    assert_int_equal(count_moves(&b, &world, PLAN_NOTHING), 4);
    view_finish(&b);
    world_finish(&world);
}

static void test_a_draining_owner_is_not_asked(void **state)
{
    struct world world = {0};
    struct view b = view_create("b");

    (void)state;
    add_session(&world, "a");
    add_session(&world, "b");
    world.sessions.list[0].state = SESSION_DRAINING;
    add_lease(&world, "s1", "a");
    add_lease(&world, "s2", "a");
    look(&b, &world, START);
    look(&b, &world, START + 2 * STABLE);
    assert_int_equal(count_moves(&b, &world, PLAN_NOTHING), 2);
    view_finish(&b);
    world_finish(&world);
}

static void test_asks_in_flight_are_bounded(void **state)
{
    struct world world = {0};
    struct view b = view_create("b");
    char shard[16];

    (void)state;
    add_session(&world, "a");
    add_session(&world, "b");
    for (int i = 0; i < 40; i++) {
        (void)snprintf(shard, sizeof(shard), "s%02d", i);
        add_lease(&world, shard, "a");
    }
    look(&b, &world, START);
    look(&b, &world, START + STABLE);
    assert_int_equal(count_moves(&b, &world, PLAN_ASK), 5); // quota 20 / 4
    for (int i = 0; i < 40; i++)
        if (b.moves[i] == PLAN_ASK)
            set(&world.leases.list[i].wanted_by, "b");
    look(&b, &world, START + STABLE + 1000);
    assert_int_equal(count_moves(&b, &world, PLAN_NOTHING), 40);
    view_finish(&b);
    world_finish(&world);
}

static void test_what_is_asked_for_is_yielded_after_its_hold(void **state)
{
    struct world world = {0};
    struct view a = view_create("a");

    (void)state;
    add_session(&world, "a");
    add_session(&world, "b");
    add_lease(&world, "s1", "a");
    look(&a, &world, START);
    assert_int_equal(a.moves[0], PLAN_NOTHING);
    set(&world.leases.list[0].wanted_by, "b");
    look(&a, &world, START + HOLD - 1);
    assert_int_equal(a.moves[0], PLAN_YIELD_SOON);
    look(&a, &world, START + HOLD);
    assert_int_equal(a.moves[0], PLAN_YIELD);

    world.sessions.list[1].state = SESSION_DRAINING;
    look(&a, &world, START + HOLD);
    assert_int_equal(a.moves[0], PLAN_NOTHING);
    remove_session(&world, "b");
    look(&a, &world, START + HOLD);
    assert_int_equal(a.moves[0], PLAN_NOTHING);
    view_finish(&a);
    world_finish(&world);
}

static void test_who_drains_still_sees_that_it_is_asked(void **state)
{
    struct world world = {0};
    struct view a = view_create("a");

    (void)state;
    add_session(&world, "a");
    add_session(&world, "b");
    add_lease(&world, "s1", "a");
    add_lease(&world, "s2", NULL);
    world.sessions.list[0].state = SESSION_DRAINING;
    set(&world.leases.list[0].wanted_by, "b");
    look(&a, &world, START);
    assert_int_equal(a.moves[0], PLAN_YIELD_SOON);
    look(&a, &world, START + 2 * ORPHAN);
    assert_int_equal(a.moves[1], PLAN_NOTHING); // takes nothing itself
    view_finish(&a);
    world_finish(&world);
}

static void test_force_comes_only_after_time_to_live_and_grace(void **state)
{
    int64_t after = plan_force_after_ms(TTL);
    struct world world = {0};
    struct view b = view_create("b");
    int asked = -1;

    (void)state;
    assert_true(after >= TTL + plan_yield_grace_ms(TTL));
    add_session(&world, "a");
    add_session(&world, "b");
    add_lease(&world, "s1", "a");
    add_lease(&world, "s2", "a");
    look(&b, &world, START);
    look(&b, &world, START + STABLE);
    for (int i = 0; i < 2; i++)
        if (b.moves[i] == PLAN_ASK)
            asked = i;
    assert_in_range(asked, 0, 1);
    set(&world.leases.list[asked].wanted_by, "b");
    for (int64_t t = 0; t < after; t += 1000) {
        world.sessions.list[0].beat++;
        look(&b, &world, START + STABLE + t);
        assert_int_equal(b.moves[asked], PLAN_NOTHING);
    }
    world.sessions.list[0].beat++;
    look(&b, &world, START + STABLE + after);
    assert_int_equal(b.moves[asked], PLAN_FORCE);
    view_finish(&b);
    world_finish(&world);
}

static void test_a_released_lease_goes_to_whom_it_was_released_for(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *const names[] = {"b", "c"};
        struct world world = {0};
        struct view views[] = {view_create("b"), view_create("c")};

        add_session(&world, "b");
        add_session(&world, "c");
        set(&add_lease(&world, "s1", NULL)->wanted_by, names[i]);
        look(&views[0], &world, START);
        look(&views[1], &world, START);
        // With one shard for two the quota is the first one's, but for hints.
        if (views[i].moves[0] == PLAN_ACQUIRE)
            assert_int_equal(views[!i].moves[0], PLAN_NOTHING);
        add_lease(&world, "s2", NULL);
        free(views[0].blocked);
        free(views[1].blocked);
        views[0].blocked = views[1].blocked = NULL;
        look(&views[0], &world, START);
        look(&views[1], &world, START);
        assert_int_equal(views[i].moves[0], PLAN_ACQUIRE);
        assert_int_equal(views[!i].moves[0], PLAN_NOTHING);
        assert_int_equal(views[!i].moves[1], PLAN_ACQUIRE);
        view_finish(&views[0]);
        view_finish(&views[1]);
        world_finish(&world);
    }
}

static void test_a_blocked_shard_is_left_to_others(void **state)
{
    struct world world = {0};
    struct view a = view_create("a"), b = view_create("b");
    bool blocked[] = {true, true};

    (void)state;
    add_session(&world, "a");
    add_session(&world, "b");
    add_lease(&world, "s1", NULL);
    add_lease(&world, "s2", NULL);
    a.blocked = mem_calloc(2, sizeof(bool));
    memcpy(a.blocked, blocked, sizeof(blocked));
    look(&a, &world, START);
    look(&b, &world, START);
    assert_int_equal(count_moves(&a, &world, PLAN_NOTHING), 2);
    assert_int_equal(count_moves(&b, &world, PLAN_ACQUIRE), 1);
    look(&b, &world, START + ORPHAN - 1);
    assert_int_equal(count_moves(&b, &world, PLAN_ACQUIRE), 1);
    look(&b, &world, START + ORPHAN);
    assert_int_equal(count_moves(&b, &world, PLAN_ACQUIRE), 2);
    view_finish(&a);
    view_finish(&b);
    world_finish(&world);
}

static void test_a_killed_worker_decides_nothing(void **state)
{
    struct world world = {0};
    struct view a = view_create("a");

    (void)state;
    add_session(&world, "b");
    add_lease(&world, "s1", NULL);
    add_lease(&world, "s2", "b");
    look(&a, &world, START);
    look(&a, &world, START + ORPHAN);
    assert_int_equal(count_moves(&a, &world, PLAN_NOTHING), 2);
    view_finish(&a);
    world_finish(&world);
}

static struct scale_case {
    const char *name;
    int leases, workers, more;
    size_t moves; // the fewest that even things out
} scales[] = {
    {"4 shards, 1 worker and 1", 4, 1, 1, 2},
    {"40 shards, 5 workers and 1", 40, 5, 1, 6},
    {"100 shards, 4 workers and 1", 100, 4, 1, 20},
    {"100 shards, 5 workers and 5", 100, 5, 5, 50},
    {"1000 shards, 20 workers and 5", 1000, 20, 5, 200},
    {"3000 shards, 30 workers and 1", 3000, 30, 1, 96},
};

// Let everybody act on what it sees until nobody moves any more; returns the
// leases that changed from one live owner to another.
static size_t settle(struct world *world, struct view *views, int count,
                     int64_t *now_ms)
{
    size_t moved = 0, changed;

    for (int round = 0; round < 200; round++) {
        changed = 0;
        *now_ms += 1000;
        for (size_t i = 0; i < world->sessions.count; i++)
            world->sessions.list[i].beat++;
        for (int w = 0; w < count; w++) {
            char me[16];

            (void)snprintf(me, sizeof(me), "w%03d", w);
            look(&views[w], world, *now_ms);
            for (size_t i = 0; i < world->leases.count; i++) {
                struct lease_row *row = &world->leases.list[i];

                if (views[w].moves[i] == PLAN_NOTHING)
                    continue;
                changed++;
                if (views[w].moves[i] == PLAN_ACQUIRE)
                    grant(row, me);
                else if (views[w].moves[i] == PLAN_ASK)
                    set(&row->wanted_by, me);
                else if (views[w].moves[i] == PLAN_YIELD) {
                    set(&row->owner, NULL);
                    moved++;
                }
            }
        }
        if (!changed && round > 5)
            return moved;
    }
    fail_msg("never settles");
    return 0;
}

static void assert_even(const struct world *world)
{
    size_t least = SIZE_MAX, most = 0;

    for (size_t s = 0; s < world->sessions.count; s++) {
        size_t count = 0;

        for (size_t i = 0; i < world->leases.count; i++)
            count += world->leases.list[i].owner &&
                     !strcmp(world->leases.list[i].owner,
                             world->sessions.list[s].id);
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    assert_true(most - least <= 1);
}

static void test_newcomers_get_their_share_in_the_fewest_moves(void **state)
{
    const struct scale_case *c = *state;
    int total = c->workers + c->more;
    struct view *views = mem_calloc((size_t)total, sizeof(*views));
    struct world world = {0};
    int64_t now_ms = START;
    char name[24];

    for (int i = 0; i < c->leases; i++) {
        (void)snprintf(name, sizeof(name), "shard-%05d", i);
        add_lease(&world, name, NULL);
    }
    for (int i = 0; i < total; i++) {
        (void)snprintf(name, sizeof(name), "w%03d", i);
        views[i] = view_create(name);
        if (i < c->workers)
            add_session(&world, name);
    }
    assert_int_equal(settle(&world, views, c->workers, &now_ms), 0);
    assert_even(&world);
    for (int i = c->workers; i < total; i++) {
        (void)snprintf(name, sizeof(name), "w%03d", i);
        add_session(&world, name);
    }
    assert_int_equal(settle(&world, views, total, &now_ms), c->moves);
    assert_even(&world);

    // A crash moves nobody's live lease.
    (void)snprintf(name, sizeof(name), "w%03d", total - 1);
    remove_session(&world, name);
    assert_int_equal(settle(&world, views, total - 1, &now_ms), 0);
    assert_even(&world);
    for (int i = 0; i < total; i++)
        view_finish(&views[i]);
    free(views);
    world_finish(&world);
}

static struct stream_shard shard(const char *id, const char *parent,
                                 const char *adjacent)
{
    return (struct stream_shard){.id = mem_strdup(id),
                                 .parent = mem_strdup(parent),
                                 .adjacent_parent = mem_strdup(adjacent)};
}

static void free_shards(struct stream_shard *shards, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(shards[i].id);
        free(shards[i].parent);
        free(shards[i].adjacent_parent);
    }
}

static void
test_the_first_listing_begins_at_the_trigger_s_position(void **state)
{
    struct stream_shard list[] = {shard("p", NULL, NULL),
                                  shard("c", "p", NULL)};
    struct stream_shards shards = {.list = list, .count = 2};
    struct lineage_start start = {"AT_TIMESTAMP", 77};
    struct lease_rows none = {0};
    struct lineage lineage;

    (void)state;
    lineage_find(&shards, &none, &start, &lineage);
    assert_int_equal(lineage.count, 2);
    assert_string_equal(lineage.leases[0].shard, "p");
    assert_string_equal(lineage.leases[0].parents, "[]");
    assert_string_equal(lineage.leases[1].checkpoint, "AT_TIMESTAMP");
    assert_int_equal(lineage.leases[1].start_timestamp_ms, 77);
    assert_string_equal(lineage.leases[1].parents, "[\"p\"]");
    lineage_finish(&lineage);
    free_shards(list, 2);
}

static void test_later_shards_begin_at_their_horizon(void **state)
{
    struct stream_shard list[] = {shard("a", NULL, NULL),
                                  shard("b", NULL, NULL), shard("m", "a", "b")};
    struct stream_shards shards = {.list = list, .count = 3};
    struct lineage_start start = {"AT_TIMESTAMP", 77};
    struct world world = {0};
    struct lineage lineage;

    (void)state;
    add_lease(&world, "a", NULL);
    add_lease(&world, "b", NULL);
    lineage_find(&shards, &world.leases, &start, &lineage);
    assert_int_equal(lineage.count, 1);
    assert_string_equal(lineage.leases[0].shard, "m");
    assert_string_equal(lineage.leases[0].checkpoint, "TRIM_HORIZON");
    assert_int_equal(lineage.leases[0].start_timestamp_ms, 0);
    assert_string_equal(lineage.leases[0].parents, "[\"a\",\"b\"]");
    assert_true(lineage_has_children(&shards, "a"));
    assert_true(lineage_has_children(&shards, "b"));
    assert_false(lineage_has_children(&shards, "m"));
    assert_true(lineage_lists(&shards, "m"));
    assert_false(lineage_lists(&shards, "x"));
    lineage_finish(&lineage);
    world_finish(&world);
    free_shards(list, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_does_not_beat_for_its_time_is_killed),
        cmocka_unit_test(test_each_is_judged_by_its_own_time_to_live),
        cmocka_unit_test(test_who_is_gone_is_killed_at_once),
        cmocka_unit_test(test_one_worker_takes_all),
        cmocka_unit_test(test_what_is_over_is_left_alone),
        cmocka_unit_test(test_children_wait_for_open_parents),
        cmocka_unit_test(test_two_workers_share_without_overlap),
        cmocka_unit_test(test_a_live_owner_is_asked_once_all_is_stable),
        cmocka_unit_test(test_a_draining_owner_is_not_asked),
        cmocka_unit_test(test_asks_in_flight_are_bounded),
        cmocka_unit_test(test_what_is_asked_for_is_yielded_after_its_hold),
        cmocka_unit_test(test_who_drains_still_sees_that_it_is_asked),
        cmocka_unit_test(test_force_comes_only_after_time_to_live_and_grace),
        cmocka_unit_test(
            test_a_released_lease_goes_to_whom_it_was_released_for),
        cmocka_unit_test(test_a_blocked_shard_is_left_to_others),
        cmocka_unit_test(test_a_killed_worker_decides_nothing),
        cmocka_unit_test(
            test_the_first_listing_begins_at_the_trigger_s_position),
        cmocka_unit_test(test_later_shards_begin_at_their_horizon),
    };
    int failed =
        cmocka_run_group_tests_name("plan and lineage", tests, NULL, NULL);

    return failed +
           run_table("plan at scale", scales,
                     test_newcomers_get_their_share_in_the_fewest_moves);
}
