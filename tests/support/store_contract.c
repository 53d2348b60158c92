#include "store_contract.h"

#include <stdio.h>

#include "store/store.h"
#include "store_contract_inner.h"
#include "test.h"

#define APPLICATION "app"

static struct error err;

int store_contract_begin(void **state)
{
    struct store_contract *contract = *state;

    contract->begin(contract->context);
    return 0;
}

int store_contract_end(void **state)
{
    struct store_contract *contract = *state;

    contract->end(contract->context);
    return 0;
}

struct store *store_contract_join(void **state, const char *session)
{
    struct store_contract *contract = *state;
    struct store *store =
        contract->open(contract->context, APPLICATION, session);

    assert_result(store_session_join(store, &err), STORE_OK);
    return store;
}

void store_contract_create(struct store *store, const char *shard,
                           const char *parents)
{
    struct lease_new lease = {
        .shard = shard, .checkpoint = "TRIM_HORIZON", .parents = parents};

    assert_result(store_lease_create(store, STREAM, &lease, 1, &err), STORE_OK);
}

// Caller finishes.
struct lease_row store_contract_find(struct store *store, const char *shard)
{
    struct lease_rows rows = {0};
    struct lease_row found = {0};

    assert_result(store_lease_list(store, STREAM, &rows, &err), STORE_OK);
    for (size_t i = 0; i < rows.count; i++)
        if (!strcmp(rows.list[i].shard, shard)) {
            found = rows.list[i];
            rows.list[i] = (struct lease_row){0};
        }
    lease_rows_finish(&rows);
    assert_non_null(found.shard);
    return found;
}

static bool exists(struct store *store, const char *shard)
{
    struct lease_rows rows = {0};
    bool found = false;

    assert_result(store_lease_list(store, STREAM, &rows, &err), STORE_OK);
    for (size_t i = 0; i < rows.count; i++)
        found = found || !strcmp(rows.list[i].shard, shard);
    lease_rows_finish(&rows);
    return found;
}

// With the row as it is now. *epoch may be NULL.
static enum store_result acquire(struct store *store, const char *shard,
                                 int64_t *epoch)
{
    struct lease_row row = store_contract_find(store, shard);
    struct lease_claim claim = {.shard = shard, .seen_ver = row.ver};

    lease_row_finish(&row);
    assert_result(store_lease_acquire(store, STREAM, &claim, 1, &err),
                  STORE_OK);
    if (claim.result == STORE_OK && epoch)
        *epoch = claim.row.epoch;
    lease_row_finish(&claim.row);
    return claim.result;
}

static enum store_result checkpoint(struct store *store, const char *shard,
                                    int64_t epoch, const char *sequence)
{
    struct checkpoint_write write = {
        .lease = {.stream = STREAM, .shard = shard, .epoch = epoch},
        .sequence = sequence};

    assert_result(store_lease_checkpoint(store, &write, 1, &err), STORE_OK);
    return write.result;
}

static void assert_checkpoint(struct store *store, const char *shard,
                              const char *expected)
{
    struct lease_row row = store_contract_find(store, shard);

    assert_string_equal(row.checkpoint, expected);
    lease_row_finish(&row);
}

static enum store_result beat(struct store *store, int64_t asks,
                              int64_t *asks_now)
{
    struct session_row row = {0};
    enum store_result result = store_session_beat(store, asks, &row, &err);

    if (asks_now)
        *asks_now = row.asks;
    session_row_finish(&row);
    return result;
}

static void kill_session(struct store *by, const char *session)
{
    struct session_rows rows = {0};
    int64_t seen = -1;

    assert_result(store_sessions_list(by, &rows, &err), STORE_OK);
    for (size_t i = 0; i < rows.count; i++)
        if (!strcmp(rows.list[i].id, session))
            seen = rows.list[i].beat;
    session_rows_finish(&rows);
    assert_result(store_session_kill(by, session, seen, &err), STORE_OK);
}

static struct lease_token token(const char *shard, int64_t epoch)
{
    return (struct lease_token){
        .stream = STREAM, .shard = shard, .epoch = epoch};
}

static void test_sessions_show_each_other(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b");
    struct session_rows rows = {0};

    assert_result(beat(b, 0, NULL), STORE_OK);
    assert_result(store_sessions_list(a, &rows, &err), STORE_OK);
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.list[0].id, "a");
    assert_int_equal(rows.list[0].beat, 0);
    assert_string_equal(rows.list[1].id, "b");
    assert_int_equal(rows.list[1].beat, 1);
    assert_int_equal(rows.list[1].state, SESSION_LIVE);
    assert_true(rows.list[1].ttl_ms > 0);
    session_rows_finish(&rows);
    store_close(a);
    store_close(b);
}

static void test_kill_needs_the_beat_that_was_seen(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b");

    assert_result(beat(b, 0, NULL), STORE_OK);
    assert_result(store_session_kill(a, "b", 0, &err), STORE_CONFLICT);
    assert_result(beat(b, 0, NULL), STORE_OK);
    assert_result(store_session_kill(a, "b", 2, &err), STORE_OK);
    assert_result(store_session_kill(a, "b", 2, &err), STORE_CONFLICT);
    store_close(a);
    store_close(b);
}

static void test_dead_is_final(void **state)
{
    struct store_contract *contract = *state;
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b"), *again;

    store_contract_create(a, "s", NULL);
    kill_session(a, "b");
    assert_result(beat(b, 0, NULL), STORE_FENCED);
    assert_result(acquire(b, "s", NULL), STORE_CONFLICT);
    assert_result(store_session_drain(b, &err), STORE_FENCED);
    again = contract->open(contract->context, APPLICATION, "b");
    assert_result(store_session_join(again, &err), STORE_CONFLICT);
    assert_result(beat(again, 0, NULL), STORE_FENCED);
    store_close(again);
    store_close(a);
    store_close(b);
}

static void test_create_leaves_what_exists(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct lease_new again = {.shard = "s", .checkpoint = "LATEST"};
    int64_t epoch = 0;

    store_contract_create(a, "s", NULL);
    assert_result(acquire(a, "s", &epoch), STORE_OK);
    assert_result(checkpoint(a, "s", epoch, "5"), STORE_OK);
    assert_result(store_lease_create(a, STREAM, &again, 1, &err), STORE_OK);
    assert_checkpoint(a, "s", "5");
    store_close(a);
}

static void test_a_new_row_is_as_it_was_given(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct lease_new lease = {.shard = "s",
                              .checkpoint = "AT_TIMESTAMP",
                              .parents = "[\"p\"]",
                              .start_timestamp_ms = 1795359600123};
    struct lease_row row;

    assert_result(store_lease_create(a, STREAM, &lease, 1, &err), STORE_OK);
    row = store_contract_find(a, "s");
    assert_string_equal(row.stream, STREAM);
    assert_string_equal(row.checkpoint, "AT_TIMESTAMP");
    assert_string_equal(row.parents, "[\"p\"]");
    assert_int_equal(row.start_timestamp_ms, 1795359600123);
    assert_int_equal(row.epoch, 0);
    assert_int_equal(row.state, LEASE_OPEN);
    assert_null(row.owner);
    assert_null(row.wanted_by);
    lease_row_finish(&row);
    store_close(a);
}

static void test_a_free_lease_goes_to_one(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b");
    struct lease_claim first = {.shard = "s"}, second = {.shard = "s"};

    store_contract_create(a, "s", NULL);
    assert_result(store_lease_acquire(a, STREAM, &first, 1, &err), STORE_OK);
    assert_result(store_lease_acquire(b, STREAM, &second, 1, &err), STORE_OK);
    assert_int_equal(first.result, STORE_OK);
    assert_int_equal(first.row.epoch, 1);
    assert_string_equal(first.row.owner, "a");
    assert_string_equal(first.row.checkpoint, "TRIM_HORIZON");
    assert_int_equal(second.result, STORE_CONFLICT);
    lease_row_finish(&first.row);
    store_close(a);
    store_close(b);
}

static void test_a_live_owner_is_not_robbed(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b");

    store_contract_create(a, "s", NULL);
    assert_result(acquire(a, "s", NULL), STORE_OK);
    assert_result(acquire(b, "s", NULL), STORE_CONFLICT);
    assert_result(acquire(a, "s", NULL), STORE_CONFLICT);
    store_close(a);
    store_close(b);
}

static void test_a_dead_owner_is_followed_with_a_new_epoch(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b");
    int64_t epoch_a = 0, epoch_b = 0;

    store_contract_create(a, "s", NULL);
    assert_result(acquire(a, "s", &epoch_a), STORE_OK);
    assert_result(checkpoint(a, "s", epoch_a, "100"), STORE_OK);
    kill_session(b, "a");
    assert_result(acquire(b, "s", &epoch_b), STORE_OK);
    assert_int_equal(epoch_b, epoch_a + 1);
    assert_checkpoint(b, "s", "100");
    assert_result(checkpoint(a, "s", epoch_a, "200"), STORE_FENCED);
    assert_result(checkpoint(a, "s", epoch_b, "200"), STORE_FENCED);
    assert_checkpoint(b, "s", "100");
    store_close(a);
    store_close(b);
}

static void test_many_leases_in_one_claim(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b");
    struct lease_claim claims[] = {
        {.shard = "s1"}, {.shard = "s2"}, {.shard = "nowhere"}};

    store_contract_create(a, "s1", NULL);
    store_contract_create(a, "s2", NULL);
    assert_result(acquire(b, "s1", NULL), STORE_OK);
    assert_result(store_lease_acquire(a, STREAM, claims, 3, &err), STORE_OK);
    assert_int_equal(claims[0].result, STORE_CONFLICT);
    assert_int_equal(claims[1].result, STORE_OK);
    assert_string_equal(claims[1].row.shard, "s2");
    assert_int_equal(claims[2].result, STORE_CONFLICT);
    lease_row_finish(&claims[1].row);
    store_close(a);
    store_close(b);
}

static void test_children_wait_for_every_parent(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct lease_token one, two;
    int64_t epoch = 0;

    store_contract_create(a, "p1", NULL);
    store_contract_create(a, "p2", NULL);
    store_contract_create(a, "child", "[\"p1\",\"p2\"]");
    store_contract_create(a, "orphan", "[\"trimmed\"]");
    assert_result(acquire(a, "orphan", NULL), STORE_OK);
    assert_result(acquire(a, "child", NULL), STORE_CONFLICT);
    assert_result(acquire(a, "p1", &epoch), STORE_OK);
    one = token("p1", epoch);
    assert_result(acquire(a, "p2", &epoch), STORE_OK);
    two = token("p2", epoch);
    assert_result(store_lease_end(a, &one, NULL, 0, &err), STORE_OK);
    assert_result(acquire(a, "child", NULL), STORE_CONFLICT);
    assert_result(store_lease_lost(a, &two, &err), STORE_OK);
    assert_result(acquire(a, "child", NULL), STORE_OK);
    store_close(a);
}

#define DIGITS55 "4959033827149025660855969253836157109592157598913658889"

static const struct {
    const char *stored, *written;
    bool takes;
} steps[] = {
    {"5", "6", true},
    {"5", "5", true},
    {"5", "4", false},
    {"9", "10", true},
    {"10", "9", false},
    {DIGITS55 "8", DIGITS55 "9", true},
    {DIGITS55 "9", DIGITS55 "8", false},
    {DIGITS55, DIGITS55 "0", true},
    {"007", "8", true},
    {"7", "008", true},
    {"0010", "9", false},
    {"0", "1", true},
    // Of an aggregated record the first sub-records, then all of it.
    {"5:1", "5:2", true},
    {"5:2", "5:2", true},
    {"5:10", "5:9", false},
    {"5:10", "5", true},
    {"5", "5:10", false},
    {"5", "6:1", true},
    {"6:1", "5", false},
    {"5:4294967295", "5", true},
    {"5", "6:0", false},
    {"5", "6:4294967296", false},
    {"5", "TRIM_HORIZON", false},
    {"5", "", false},
    {"5", "6x", false},
    {"5", "-6", false},
};

static void test_a_checkpoint_never_goes_back(void **state)
{
    struct store *a = store_contract_join(state, "a");
    char shard[16];

    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        int64_t epoch = 0;

        (void)snprintf(shard, sizeof(shard), "s%zu", i);
        store_contract_create(a, shard, NULL);
        assert_result(acquire(a, shard, &epoch), STORE_OK);
        assert_result(checkpoint(a, shard, epoch, steps[i].stored), STORE_OK);
        assert_result(checkpoint(a, shard, epoch, steps[i].written),
                      steps[i].takes ? STORE_OK : STORE_CONFLICT);
        assert_checkpoint(a, shard,
                          steps[i].takes ? steps[i].written : steps[i].stored);
    }
    store_close(a);
}

static void test_a_short_number_passes_every_sentinel(void **state)
{
    const char *const sentinels[] = {"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"};
    struct store *a = store_contract_join(state, "a");

    for (size_t i = 0; i < 3; i++) {
        struct lease_new lease = {.shard = sentinels[i],
                                  .checkpoint = sentinels[i]};
        int64_t epoch = 0;

        assert_result(store_lease_create(a, STREAM, &lease, 1, &err), STORE_OK);
        assert_result(acquire(a, sentinels[i], &epoch), STORE_OK);
        assert_result(checkpoint(a, sentinels[i], epoch, "1"), STORE_OK);
    }
    store_close(a);
}

static void test_checkpoints_of_a_batch_stand_alone(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b");
    int64_t mine = 0, theirs = 0;

    store_contract_create(a, "mine", NULL);
    store_contract_create(a, "later", NULL);
    store_contract_create(a, "theirs", NULL);
    assert_result(acquire(a, "mine", &mine), STORE_OK);
    assert_result(acquire(a, "later", NULL), STORE_OK);
    assert_result(acquire(b, "theirs", &theirs), STORE_OK);
    assert_result(checkpoint(a, "later", 1, "50"), STORE_OK);

    struct checkpoint_write writes[] = {
        {.lease = token("theirs", theirs), .sequence = "7"},
        {.lease = token("later", 1), .sequence = "49"},
        {.lease = token("mine", mine + 1), .sequence = "7"},
        {.lease = token("mine", mine), .sequence = "7"},
    };
    assert_result(store_lease_checkpoint(a, writes, 4, &err), STORE_OK);
    assert_int_equal(writes[0].result, STORE_FENCED);
    assert_int_equal(writes[1].result, STORE_CONFLICT);
    assert_int_equal(writes[2].result, STORE_FENCED);
    assert_int_equal(writes[3].result, STORE_OK);
    assert_checkpoint(a, "mine", "7");
    assert_checkpoint(a, "theirs", "TRIM_HORIZON");
    store_close(a);
    store_close(b);
}

static void test_a_want_shows_in_beat_checkpoint_and_row(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b"),
                 *c = store_contract_join(state, "c");
    struct checkpoint_write write;
    struct lease_row row;
    int64_t epoch = 0, asks = 0;

    store_contract_create(a, "s", NULL);
    assert_result(acquire(a, "s", &epoch), STORE_OK);
    write =
        (struct checkpoint_write){.lease = token("s", epoch), .sequence = "1"};
    assert_result(store_lease_checkpoint(a, &write, 1, &err), STORE_OK);
    assert_false(write.is_wanted);
    assert_result(store_lease_want(b, STREAM, "s", "a", epoch + 1, &err),
                  STORE_CONFLICT);
    assert_result(store_lease_want(b, STREAM, "s", "a", epoch, &err), STORE_OK);
    assert_result(store_lease_want(c, STREAM, "s", "a", epoch, &err),
                  STORE_CONFLICT);

    assert_result(beat(a, 0, &asks), STORE_CONFLICT);
    assert_int_equal(asks, 1);
    assert_result(beat(a, asks, NULL), STORE_OK);
    assert_result(store_lease_checkpoint(a, &write, 1, &err), STORE_OK);
    assert_true(write.is_wanted);
    row = store_contract_find(a, "s");
    assert_string_equal(row.wanted_by, "b");
    lease_row_finish(&row);

    kill_session(c, "b");
    assert_result(store_lease_want(c, STREAM, "s", "a", epoch, &err), STORE_OK);
    row = store_contract_find(a, "s");
    assert_string_equal(row.wanted_by, "c");
    lease_row_finish(&row);
    store_close(a);
    store_close(b);
    store_close(c);
}

static void test_only_who_asked_may_force(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b"),
                 *c = store_contract_join(state, "c");
    struct lease_row row = {0};

    store_contract_create(a, "s", NULL);
    assert_result(acquire(a, "s", NULL), STORE_OK);
    assert_result(store_lease_take_forced(b, STREAM, "s", "a", 1, &row, &err),
                  STORE_CONFLICT);
    assert_result(store_lease_want(b, STREAM, "s", "a", 1, &err), STORE_OK);
    assert_result(store_lease_take_forced(c, STREAM, "s", "a", 1, &row, &err),
                  STORE_CONFLICT);
    assert_result(store_lease_take_forced(b, STREAM, "s", "a", 1, &row, &err),
                  STORE_OK);
    assert_int_equal(row.epoch, 2);
    assert_string_equal(row.owner, "b");
    assert_null(row.wanted_by);
    lease_row_finish(&row);
    assert_result(checkpoint(a, "s", 1, "9"), STORE_FENCED);
    store_close(a);
    store_close(b);
    store_close(c);
}

static void test_release_frees_and_keeps_the_hint(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b");
    struct lease_token lease = token("s", 1);
    struct lease_row row;

    store_contract_create(a, "s", NULL);
    assert_result(acquire(a, "s", NULL), STORE_OK);
    assert_result(checkpoint(a, "s", 1, "3"), STORE_OK);
    assert_result(store_lease_want(b, STREAM, "s", "a", 1, &err), STORE_OK);
    assert_result(store_lease_release(b, &lease, &err), STORE_FENCED);
    assert_result(store_lease_release(a, &lease, &err), STORE_OK);
    assert_result(store_lease_release(a, &lease, &err), STORE_FENCED);
    assert_result(checkpoint(a, "s", 1, "4"), STORE_FENCED);
    row = store_contract_find(a, "s");
    assert_null(row.owner);
    assert_string_equal(row.wanted_by, "b");
    assert_string_equal(row.checkpoint, "3");
    lease_row_finish(&row);
    assert_result(acquire(b, "s", NULL), STORE_OK);
    store_close(a);
    store_close(b);
}

static void test_an_end_brings_its_children_or_nothing(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b");
    struct lease_token stale = token("p", 2), lease = token("p", 1);
    struct lease_new children[] = {
        {.shard = "c1", .checkpoint = "TRIM_HORIZON", .parents = "[\"p\"]"},
        {.shard = "c2", .checkpoint = "TRIM_HORIZON", .parents = "[\"p\"]"}};
    struct lease_row row;

    store_contract_create(a, "p", NULL);
    assert_result(acquire(a, "p", NULL), STORE_OK);
    assert_result(store_lease_end(a, &stale, children, 2, &err), STORE_FENCED);
    assert_false(exists(a, "c1"));
    assert_result(store_lease_end(a, &lease, children, 2, &err), STORE_OK);
    row = store_contract_find(b, "p");
    assert_int_equal(row.state, LEASE_ENDED);
    assert_string_equal(row.checkpoint, "SHARD_END");
    assert_null(row.owner);
    lease_row_finish(&row);
    assert_result(acquire(b, "c1", NULL), STORE_OK);
    assert_result(acquire(a, "c2", NULL), STORE_OK);
    store_close(a);
    store_close(b);
}

static void test_ended_is_final(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct lease_token lease = token("p", 1);
    struct lease_new again = {.shard = "p", .checkpoint = "TRIM_HORIZON"};

    store_contract_create(a, "p", NULL);
    assert_result(acquire(a, "p", NULL), STORE_OK);
    assert_result(store_lease_end(a, &lease, NULL, 0, &err), STORE_OK);
    assert_result(store_lease_end(a, &lease, NULL, 0, &err), STORE_FENCED);
    assert_result(store_lease_lost(a, &lease, &err), STORE_FENCED);
    assert_result(store_lease_release(a, &lease, &err), STORE_FENCED);
    assert_result(checkpoint(a, "p", 1, "9"), STORE_FENCED);
    assert_result(acquire(a, "p", NULL), STORE_CONFLICT);
    assert_result(store_lease_create(a, STREAM, &again, 1, &err), STORE_OK);
    assert_checkpoint(a, "p", "SHARD_END");
    store_close(a);
}

static void test_a_draining_session_keeps_what_it_has(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct lease_token lease = token("s", 1);

    store_contract_create(a, "s", NULL);
    store_contract_create(a, "t", NULL);
    assert_result(acquire(a, "s", NULL), STORE_OK);
    assert_result(store_session_drain(a, &err), STORE_OK);
    assert_result(acquire(a, "t", NULL), STORE_CONFLICT);
    assert_result(checkpoint(a, "s", 1, "8"), STORE_OK);
    assert_result(beat(a, 0, NULL), STORE_OK);
    assert_result(store_lease_release(a, &lease, &err), STORE_OK);
    store_close(a);
}

static void test_who_leaves_frees_all_it_had(void **state)
{
    struct store *a = store_contract_join(state, "a"),
                 *b = store_contract_join(state, "b");
    struct session_rows rows = {0};

    store_contract_create(a, "s", NULL);
    assert_result(acquire(a, "s", NULL), STORE_OK);
    assert_result(store_session_leave(a, &err), STORE_OK);
    assert_result(beat(a, 0, NULL), STORE_FENCED);
    assert_result(store_session_leave(a, &err), STORE_FENCED);
    assert_result(store_sessions_list(b, &rows, &err), STORE_OK);
    assert_int_equal(rows.count, 1);
    session_rows_finish(&rows);
    assert_result(acquire(b, "s", NULL), STORE_OK);
    store_close(a);
    store_close(b);
}

static void end_lease(struct store *store, const char *shard,
                      const struct lease_new *children, size_t count)
{
    struct lease_token lease = token(shard, 0);

    assert_result(acquire(store, shard, &lease.epoch), STORE_OK);
    assert_result(store_lease_end(store, &lease, children, count, &err),
                  STORE_OK);
}

static void test_collect_keeps_what_is_still_needed(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct lease_new child = {
        .shard = "c", .checkpoint = "TRIM_HORIZON", .parents = "[\"p\"]"};
    int64_t epoch = 0;

    store_contract_create(a, "p", NULL);
    store_contract_create(a, "open", NULL);
    end_lease(a, "p", &child, 1);
    assert_result(store_lease_collect(a, STREAM, 0, &err), STORE_OK);
    assert_true(exists(a, "p")); // not long enough ago
    assert_result(store_lease_collect(a, STREAM, INT64_MAX, &err), STORE_OK);
    assert_true(exists(a, "p")); // the child has not begun
    assert_result(acquire(a, "c", &epoch), STORE_OK);
    assert_result(checkpoint(a, "c", epoch, "1"), STORE_OK);
    assert_result(store_lease_collect(a, STREAM, INT64_MAX, &err), STORE_OK);
    assert_false(exists(a, "p"));
    assert_true(exists(a, "c"));
    assert_true(exists(a, "open"));
    store_close(a);
}

static void test_applications_are_strangers(void **state)
{
    struct store_contract *contract = *state;
    struct store *a = store_contract_join(state, "a"), *other;
    struct session_rows sessions = {0};
    struct lease_rows leases = {0};

    store_contract_create(a, "s", NULL);
    other = contract->open(contract->context, "other", "x");
    assert_result(store_session_join(other, &err), STORE_OK);
    assert_result(store_sessions_list(other, &sessions, &err), STORE_OK);
    assert_int_equal(sessions.count, 1);
    assert_result(store_lease_list(other, STREAM, &leases, &err), STORE_OK);
    assert_int_equal(leases.count, 0);
    session_rows_finish(&sessions);
    lease_rows_finish(&leases);
    store_close(other);
    store_close(a);
}

int store_contract_run(struct store_contract *contract)
{
    const struct CMUnitTest tests[] = {
        CONTRACT(test_sessions_show_each_other),
        CONTRACT(test_kill_needs_the_beat_that_was_seen),
        CONTRACT(test_dead_is_final),
        CONTRACT(test_create_leaves_what_exists),
        CONTRACT(test_a_new_row_is_as_it_was_given),
        CONTRACT(test_a_free_lease_goes_to_one),
        CONTRACT(test_a_live_owner_is_not_robbed),
        CONTRACT(test_a_dead_owner_is_followed_with_a_new_epoch),
        CONTRACT(test_many_leases_in_one_claim),
        CONTRACT(test_children_wait_for_every_parent),
        CONTRACT(test_a_checkpoint_never_goes_back),
        CONTRACT(test_a_short_number_passes_every_sentinel),
        CONTRACT(test_checkpoints_of_a_batch_stand_alone),
        CONTRACT(test_a_want_shows_in_beat_checkpoint_and_row),
        CONTRACT(test_only_who_asked_may_force),
        CONTRACT(test_release_frees_and_keeps_the_hint),
        CONTRACT(test_an_end_brings_its_children_or_nothing),
        CONTRACT(test_ended_is_final),
        CONTRACT(test_a_draining_session_keeps_what_it_has),
        CONTRACT(test_who_leaves_frees_all_it_had),
        CONTRACT(test_collect_keeps_what_is_still_needed),
        CONTRACT(test_applications_are_strangers),
    };

    return cmocka_run_group_tests_name("store contract", tests, NULL, NULL) +
           store_contract_run_windows(contract);
}
