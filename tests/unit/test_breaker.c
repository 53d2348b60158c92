#include "poller/breaker.h"

#include "base/clock.h"
#include "poller/batch.h"
#include "test.h"

static struct batch one, two;

static bool over(struct breaker *breaker, struct batch *batch,
                 enum breaker_result result, int64_t now_ms)
{
    return breaker_finished(breaker, batch, result, now_ms);
}

static bool fails(struct breaker *breaker, int64_t now_ms)
{
    breaker_started(breaker, &one);
    return over(breaker, &one, BREAKER_FAILURE, now_ms);
}

static void open_it(struct breaker *breaker, int64_t now_ms)
{
    breaker_init(breaker, 3, 1000);
    assert_false(fails(breaker, now_ms));
    assert_false(fails(breaker, now_ms));
    assert_true(breaker_allows(breaker, now_ms));
    assert_true(fails(breaker, now_ms));
    assert_true(breaker->is_open);
}

static void test_opens_after_so_many_in_a_row(void **state)
{
    struct breaker breaker;

    (void)state;
    breaker_init(&breaker, 3, 1000);
    for (int i = 0; i < 10; i++) { // a success in between: not in a row
        assert_false(fails(&breaker, 0));
        assert_false(fails(&breaker, 0));
        assert_false(over(&breaker, &two, BREAKER_NOTHING, 0));
        assert_false(over(&breaker, &two, BREAKER_SUCCESS, 0));
    }
    open_it(&breaker, 0);
    assert_false(breaker_allows(&breaker, 999));
    assert_int_equal(breaker_due_ms(&breaker), 1000);
}

static void test_never_opens_without_a_limit(void **state)
{
    struct breaker breaker;

    (void)state;
    breaker_init(&breaker, 0, 1000);
    for (int i = 0; i < 100; i++)
        assert_false(fails(&breaker, 0));
    assert_true(breaker_allows(&breaker, 0));
    assert_int_equal(breaker_due_ms(&breaker), INT64_MIN);
}

static void test_tries_exactly_one(void **state)
{
    struct breaker breaker;

    (void)state;
    open_it(&breaker, 0);
    assert_false(breaker_is_trying(&breaker, 999));
    assert_true(breaker_is_trying(&breaker, 1000));
    assert_true(breaker_allows(&breaker, 1000));
    breaker_started(&breaker, &two);
    assert_false(breaker_allows(&breaker, 5000));
    assert_int_equal(breaker_due_ms(&breaker), CLOCK_NEVER);
}

static void test_a_success_closes_it(void **state)
{
    struct breaker breaker;

    (void)state;
    open_it(&breaker, 0);
    breaker_started(&breaker, &two);
    assert_false(over(&breaker, &two, BREAKER_SUCCESS, 1500));
    assert_true(breaker_allows(&breaker, 1500));
    assert_false(fails(&breaker, 1500)); // and it counts from one again
    assert_false(fails(&breaker, 1500));
    assert_true(fails(&breaker, 1500));
}

static void test_a_failed_try_opens_it_again(void **state)
{
    struct breaker breaker;

    (void)state;
    open_it(&breaker, 0);
    for (int64_t now_ms = 1000; now_ms < 20000; now_ms += 1000) {
        assert_true(breaker_is_trying(&breaker, now_ms));
        breaker_started(&breaker, &two);
        assert_true(over(&breaker, &two, BREAKER_FAILURE, now_ms));
        assert_int_equal(breaker_due_ms(&breaker), now_ms + 1000);
    }
}

static void test_a_try_that_never_ran_is_made_again(void **state)
{
    struct breaker breaker;

    (void)state;
    open_it(&breaker, 0);
    breaker_started(&breaker, &two);
    assert_false(over(&breaker, &two, BREAKER_NOTHING, 1500));
    assert_true(breaker_is_trying(&breaker, 1500));
}

static void test_batches_that_ran_when_it_opened(void **state)
{
    struct breaker breaker;

    (void)state;
    open_it(&breaker, 0);
    assert_false(over(&breaker, &two, BREAKER_FAILURE, 900));
    assert_int_equal(breaker_due_ms(&breaker), 1000); // no longer for that
    assert_false(over(&breaker, &two, BREAKER_SUCCESS, 950));
    assert_true(breaker_allows(&breaker, 950));
}

static void test_a_late_failure_leaves_the_try_alone(void **state)
{
    struct breaker breaker;

    (void)state;
    open_it(&breaker, 0);
    breaker_started(&breaker, &two);
    assert_false(over(&breaker, &one, BREAKER_FAILURE, 1100));
    assert_false(breaker_allows(&breaker, 5000));
    assert_true(over(&breaker, &two, BREAKER_FAILURE, 1200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_after_so_many_in_a_row),
        cmocka_unit_test(test_never_opens_without_a_limit),
        cmocka_unit_test(test_tries_exactly_one),
        cmocka_unit_test(test_a_success_closes_it),
        cmocka_unit_test(test_a_failed_try_opens_it_again),
        cmocka_unit_test(test_a_try_that_never_ran_is_made_again),
        cmocka_unit_test(test_batches_that_ran_when_it_opened),
        cmocka_unit_test(test_a_late_failure_leaves_the_try_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
