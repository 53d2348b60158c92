#include <stdlib.h>

#include "base/mem.h"
#include "store_contract_inner.h"

static struct error err;

// The granted row, which must be ours. Caller finishes.
static struct lease_row take(struct store *store, const char *shard)
{
    struct lease_row row = store_contract_find(store, shard);
    struct lease_claim claim = {.shard = shard, .seen_ver = row.ver};

    assert_null(row.window); // a listing leaves it out
    lease_row_finish(&row);
    assert_result(store_lease_acquire(store, STREAM, &claim, 1, &err),
                  STORE_OK);
    assert_int_equal(claim.result, STORE_OK);
    return claim.row;
}

static int64_t take_epoch(struct store *store, const char *shard)
{
    struct lease_row row = take(store, shard);
    int64_t epoch = row.epoch;

    lease_row_finish(&row);
    return epoch;
}

// What the next owner is given: NULL, or a text. Caller frees.
static char *window_after(struct store *owner, struct store *next,
                          int64_t epoch)
{
    struct lease_token lease = {.stream = STREAM, .shard = "s", .epoch = epoch};
    struct lease_row row;
    char *window;

    assert_result(store_lease_release(owner, &lease, &err), STORE_OK);
    row = take(next, "s");
    window = mem_strdup(row.window);
    lease_row_finish(&row);
    return window;
}

static enum store_result write_window(struct store *store, int64_t epoch,
                                      const char *sequence, const char *window)
{
    struct checkpoint_write write = {
        .lease = {.stream = STREAM, .shard = "s", .epoch = epoch},
        .sequence = sequence,
        .sets_window = window != NULL,
        .window = bytes_of(window ? window : "")};

    assert_result(store_lease_checkpoint(store, &write, 1, &err), STORE_OK);
    return write.result;
}

static void test_a_window_goes_to_the_next_owner(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct store *b = store_contract_join(state, "b");
    int64_t epoch;

    store_contract_create(a, "s", NULL);
    epoch = take_epoch(a, "s");
    assert_result(write_window(a, epoch, "5", "{\"n\":1}"), STORE_OK);
    assert_result(write_window(a, epoch, "7:2", "{\"n\":2}"), STORE_OK);
    AUTO_FREE char *window = window_after(a, b, epoch);
    assert_string_equal(window, "{\"n\":2}");
    store_close(a);
    store_close(b);
}

static void test_a_new_lease_has_no_window(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct lease_row row;

    store_contract_create(a, "s", NULL);
    row = take(a, "s");
    assert_null(row.window);
    lease_row_finish(&row);
    store_close(a);
}

static void test_a_checkpoint_alone_leaves_the_window(void **state)
{
    struct store *a = store_contract_join(state, "a");
    int64_t epoch;

    store_contract_create(a, "s", NULL);
    epoch = take_epoch(a, "s");
    assert_result(write_window(a, epoch, "5", "{\"n\":1}"), STORE_OK);
    assert_result(write_window(a, epoch, "6", NULL), STORE_OK);
    AUTO_FREE char *window = window_after(a, a, epoch);
    assert_string_equal(window, "{\"n\":1}");
    store_close(a);
}

static void test_a_window_changes_and_closes_where_it_stands(void **state)
{
    struct store *a = store_contract_join(state, "a");
    int64_t epoch;

    store_contract_create(a, "s", NULL);
    epoch = take_epoch(a, "s");
    assert_result(write_window(a, epoch, "5", "{\"n\":1}"), STORE_OK);
    assert_result(write_window(a, epoch, "5", "{\"n\":2}"), STORE_OK);
    assert_result(write_window(a, epoch, "5", ""), STORE_OK);
    assert_result(write_window(a, epoch, "5", ""), STORE_OK); // none is open
    assert_null(window_after(a, a, epoch));
    store_close(a);
}

static void test_what_is_refused_leaves_the_window(void **state)
{
    struct store *a = store_contract_join(state, "a");
    int64_t epoch;

    store_contract_create(a, "s", NULL);
    epoch = take_epoch(a, "s");
    assert_result(write_window(a, epoch, "5", "{\"n\":1}"), STORE_OK);
    assert_result(write_window(a, epoch, "4", "{\"n\":0}"), STORE_CONFLICT);
    assert_result(write_window(a, epoch - 1, "9", "{\"n\":0}"), STORE_FENCED);
    assert_result(write_window(a, epoch, "LATEST", ""), STORE_CONFLICT);
    AUTO_FREE char *window = window_after(a, a, epoch);
    assert_string_equal(window, "{\"n\":1}");
    store_close(a);
}

static void test_a_forced_take_brings_the_window(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct store *b = store_contract_join(state, "b");
    struct lease_row row = {0};
    int64_t epoch;

    store_contract_create(a, "s", NULL);
    epoch = take_epoch(a, "s");
    assert_result(write_window(a, epoch, "5:3", "{\"n\":1}"), STORE_OK);
    assert_result(store_lease_want(b, STREAM, "s", "a", epoch, &err), STORE_OK);
    assert_result(
        store_lease_take_forced(b, STREAM, "s", "a", epoch, &row, &err),
        STORE_OK);
    assert_string_equal(row.checkpoint, "5:3");
    assert_string_equal(row.window, "{\"n\":1}");
    lease_row_finish(&row);
    assert_result(write_window(a, epoch, "6", ""), STORE_FENCED);
    store_close(a);
    store_close(b);
}

static void test_a_megabyte_is_kept_whole(void **state)
{
    AUTO_FREE char *text = mem_calloc(STORE_WINDOW_LIMIT + 1, 1);
    struct store *a = store_contract_join(state, "a");
    int64_t epoch;

    memset(text, 'x', STORE_WINDOW_LIMIT);
    store_contract_create(a, "s", NULL);
    epoch = take_epoch(a, "s");
    assert_result(write_window(a, epoch, "5", text), STORE_OK);
    AUTO_FREE char *window = window_after(a, a, epoch);
    assert_string_equal(window, text);
    store_close(a);
}

static void test_windows_of_a_batch_stand_alone(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct checkpoint_write writes[2];
    struct lease_row row;

    store_contract_create(a, "s", NULL);
    store_contract_create(a, "t", NULL);
    for (int i = 0; i < 2; i++) {
        const char *shard = i ? "t" : "s";

        writes[i] = (struct checkpoint_write){
            .lease = {STREAM, shard, take_epoch(a, shard)},
            .sequence = "5",
            .sets_window = true,
            .window = i ? BYTES("{\"t\":1}") : BYTES("{\"s\":1}")};
    }
    writes[0].lease.epoch++; // no longer ours
    assert_result(store_lease_checkpoint(a, writes, 2, &err), STORE_OK);
    assert_int_equal(writes[0].result, STORE_FENCED);
    assert_int_equal(writes[1].result, STORE_OK);
    assert_result(store_lease_release(a, &writes[1].lease, &err), STORE_OK);
    row = take(a, "t");
    assert_string_equal(row.window, "{\"t\":1}");
    lease_row_finish(&row);
    store_close(a);
}

static void test_no_window_outlives_its_shard(void **state)
{
    struct store *a = store_contract_join(state, "a");
    struct lease_token lease = {.stream = STREAM, .shard = "s"};
    struct lease_row row;

    for (int i = 0; i < 3; i++) {
        store_contract_create(a, "s", NULL);
        row = take(a, "s");
        assert_null(row.window);
        lease.epoch = row.epoch;
        lease_row_finish(&row);
        assert_result(write_window(a, lease.epoch, "5", "{}"), STORE_OK);
        assert_result(i == 0 ? store_lease_lost(a, &lease, &err)
                             : store_lease_end(a, &lease, NULL, 0, &err),
                      STORE_OK);
        assert_result(store_lease_collect(a, STREAM, INT64_MAX, &err),
                      STORE_OK);
    }
    store_close(a);
}

int store_contract_run_windows(struct store_contract *contract)
{
    const struct CMUnitTest tests[] = {
        CONTRACT(test_a_window_goes_to_the_next_owner),
        CONTRACT(test_a_new_lease_has_no_window),
        CONTRACT(test_a_checkpoint_alone_leaves_the_window),
        CONTRACT(test_a_window_changes_and_closes_where_it_stands),
        CONTRACT(test_what_is_refused_leaves_the_window),
        CONTRACT(test_a_forced_take_brings_the_window),
        CONTRACT(test_a_megabyte_is_kept_whole),
        CONTRACT(test_windows_of_a_batch_stand_alone),
        CONTRACT(test_no_window_outlives_its_shard),
    };

    return cmocka_run_group_tests_name("store contract: windows", tests, NULL,
                                       NULL);
}
