#include "poller/rate.h"

#include "test.h"

static void test_no_limit_is_none(void **state)
{
    struct rate rate;

    (void)state;
    rate_init(&rate, 0);
    assert_true(rate_room(&rate, 5) == SIZE_MAX);
    rate_take(&rate, 1000000, 5);
    assert_true(rate_allows(&rate, 10000, 5));
    assert_true(rate_due_ms(&rate, 10000) <= 5);
}

static void test_the_bucket_holds_one_second(void **state)
{
    struct rate rate;

    (void)state;
    rate_init(&rate, 100);
    assert_int_equal(rate_room(&rate, 5000), 100);
    rate_take(&rate, 100, 5000);
    assert_int_equal(rate_room(&rate, 5000), 0);
    assert_int_equal(rate_room(&rate, 5009), 0);
    assert_int_equal(rate_room(&rate, 5010), 1);
    assert_int_equal(rate_room(&rate, 5500), 50);
    assert_int_equal(rate_room(&rate, 9999999), 100); // no more by waiting
}

static void test_says_when(void **state)
{
    struct rate rate;

    (void)state;
    rate_init(&rate, 3);
    rate_take(&rate, 3, 1000);
    assert_int_equal(rate_due_ms(&rate, 1), 1334); // a third of a second, up
    assert_false(rate_allows(&rate, 1, 1333));
    assert_true(rate_allows(&rate, 1, 1334));
    assert_int_equal(rate_due_ms(&rate, 2), 1667);
    assert_int_equal(rate_due_ms(&rate, 3), 2000);
    assert_int_equal(rate_due_ms(&rate, 500), 2000); // a full bucket
}

static void test_what_is_larger_than_the_bucket_is_owed(void **state)
{
    struct rate rate;

    (void)state;
    rate_init(&rate, 10);
    assert_true(rate_allows(&rate, 100, 0));
    rate_take(&rate, 100, 0);
    assert_int_equal(rate_room(&rate, 8999), 0);
    assert_int_equal(rate_due_ms(&rate, 1), 9100);
    assert_int_equal(rate_room(&rate, 9100), 1);
    assert_false(rate_allows(&rate, 100, 9999));
    assert_true(rate_allows(&rate, 100, 10000));
}

/* Over any stretch: a bucket and one batch beyond what the time gives. */
static void test_the_rate_holds_over_time(void **state)
{
    static const size_t batches[] = {1, 7, 100, 3, 64, 1000, 2};
    int64_t now_ms = 0, taken = 0;
    struct rate rate;

    (void)state;
    rate_init(&rate, 50);
    for (int i = 0; i < 10000; i++) {
        size_t count = batches[i % 7];

        if (!rate_allows(&rate, count, now_ms)) {
            int64_t due_ms = rate_due_ms(&rate, count);

            assert_true(due_ms > now_ms);
            assert_false(rate_allows(&rate, count, due_ms - 1));
            now_ms = due_ms;
        }
        assert_true(rate_allows(&rate, count, now_ms));
        rate_take(&rate, count, now_ms);
        taken += (int64_t)count;
        assert_true(taken * 1000 <= now_ms * 50 + (50 + 1000) * 1000);
    }
    assert_true(taken * 1000 >= now_ms * 50); // and it is no slower
}

static void test_a_clock_that_stands_adds_nothing(void **state)
{
    struct rate rate;

    (void)state;
    rate_init(&rate, 1000000);
    rate_take(&rate, 1000000, 50);
    assert_int_equal(rate_room(&rate, 50), 0);
    assert_int_equal(rate_room(&rate, 40), 0);
    assert_int_equal(rate_room(&rate, 51), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_limit_is_none),
        cmocka_unit_test(test_the_bucket_holds_one_second),
        cmocka_unit_test(test_says_when),
        cmocka_unit_test(test_what_is_larger_than_the_bucket_is_owed),
        cmocka_unit_test(test_the_rate_holds_over_time),
        cmocka_unit_test(test_a_clock_that_stands_adds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
