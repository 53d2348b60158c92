#include "poller/settle.h"

#include "poller/retry.h"
#include "records.h"
#include "test.h"

static struct record *add(struct settle *settle, enum source_verdict verdict,
                          uint32_t receive_count)
{
    struct record *record =
        record_make(&(struct record_spec){.receive_count = receive_count});

    settle_add(settle, record, verdict);
    return record;
}

static void test_each_verdict_comes_out_once(void **state)
{
    struct settlement settlement;
    struct settle settle;
    int seen[3] = {0};

    (void)state;
    settle_init(&settle, NULL);
    assert_true(settle_is_empty(&settle));
    for (int i = 0; i < 30; i++)
        add(&settle, (enum source_verdict)(i % 3), 1);
    assert_false(settle_is_empty(&settle));
    while (settle_next(&settle, &settlement)) {
        seen[settlement.verdict]++;
        assert_int_equal(settlement.delay_ms, -1);
        record_release(settlement.record);
    }
    assert_true(settle_is_empty(&settle));
    for (int i = 0; i < 3; i++)
        assert_int_equal(seen[i], 10);
}

static int64_t longest_delay(struct settle *settle, uint32_t receive_count)
{
    struct settlement settlement;
    int64_t longest = 0;

    for (int i = 0; i < 2000; i++) {
        struct record *record = add(settle, SOURCE_AGAIN, receive_count);

        assert_true(settle_next(settle, &settlement));
        assert_ptr_equal(settlement.record, record);
        assert_true(settlement.delay_ms >= 0);
        if (settlement.delay_ms > longest)
            longest = settlement.delay_ms;
        record_release(record);
    }
    return longest;
}

/* The ceiling doubles with each receive, up to the maximum; the draws come
 * close to it and never pass it. */
static void test_failed_come_again_by_receive_count(void **state)
{
    static const int64_t ceilings[] = {1000, 2000, 4000, 8000, 10000, 10000};
    struct settle settle;
    struct retry retry;

    (void)state;
    retry_init(&retry, 1000, 10000, 7);
    settle_init(&settle, &retry);
    for (uint32_t i = 0; i < 6; i++) {
        int64_t longest = longest_delay(&settle, i + 1);

        assert_true(longest <= ceilings[i]);
        assert_true(longest > ceilings[i] * 9 / 10);
    }
    assert_true(longest_delay(&settle, UINT32_MAX) <= 10000);
}

static void test_only_failed_ones_are_delayed(void **state)
{
    struct settlement settlement;
    struct settle settle;
    struct retry retry;

    (void)state;
    retry_init(&retry, 1000, 10000, 7);
    settle_init(&settle, &retry);
    add(&settle, SOURCE_DONE, 3);
    add(&settle, SOURCE_RETURN, 3);
    while (settle_next(&settle, &settlement)) {
        assert_int_equal(settlement.delay_ms, -1);
        record_release(settlement.record);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_verdict_comes_out_once),
        cmocka_unit_test(test_failed_come_again_by_receive_count),
        cmocka_unit_test(test_only_failed_ones_are_delayed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
