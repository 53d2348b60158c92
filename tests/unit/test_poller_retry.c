#include "poller/retry.h"

#include "test.h"

static void test_backoff_grows_until_something_succeeds(void **state)
{
    struct retry retry;
    int64_t now_ms = 100;

    (void)state;
    retry_init(&retry, 1000, 60000, 7);
    assert_true(retry_is_due(&retry, INT64_MIN));
    for (unsigned i = 0; i < 10; i++) {
        retry_failed(&retry, now_ms);
        assert_int_equal(retry.failures, i + 1);
        assert_true(retry.due_ms <= now_ms + 60000);
        now_ms = retry.due_ms;
        assert_true(retry_is_due(&retry, now_ms));
    }
    retry_got_on(&retry);
    retry_failed(&retry, now_ms);
    assert_true(retry.due_ms <= now_ms + 1000);
}

static void test_failures_within_a_backoff_are_the_same_trouble(void **state)
{
    struct retry retry;
    int64_t due_ms;

    (void)state;
    retry_init(&retry, 1000, 60000, 7);
    retry_failed(&retry, 100);
    due_ms = retry.due_ms;
    assert_true(due_ms > 100); // with this seed
    retry_failed(&retry, 100);
    retry_failed(&retry, due_ms - 1);
    assert_int_equal(retry.due_ms, due_ms);
    assert_int_equal(retry.failures, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff_grows_until_something_succeeds),
        cmocka_unit_test(test_failures_within_a_backoff_are_the_same_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
