#include "poller/concurrency.h"

#include "test.h"

/* As many as may run start and end together. Returns how many rounds it took
 * until nothing changed. */
static size_t rounds_of_failure(struct concurrency *concurrency)
{
    size_t rounds = 0, before;

    do {
        size_t count = before = concurrency->now;

        while (count)
            concurrency_finished(concurrency, true, --count);
        rounds++;
    } while (concurrency->now != before);
    return rounds - 1;
}

static void test_a_failing_handler_comes_down_to_one(void **state)
{
    struct concurrency concurrency;

    (void)state;
    concurrency_init(&concurrency, 10, true);
    assert_int_equal(concurrency.now, 10);                // no ramp
    assert_int_equal(rounds_of_failure(&concurrency), 5); // 7 5 3 2 1
    assert_int_equal(concurrency.now, 1);
    concurrency_init(&concurrency, 1000, true);
    assert_true(rounds_of_failure(&concurrency) < 25);
    assert_int_equal(concurrency.now, 1);
}

static void test_one_round_is_one_cut(void **state)
{
    struct concurrency concurrency;

    (void)state;
    concurrency_init(&concurrency, 8, true);
    for (size_t running = 8; running-- > 0;)
        concurrency_finished(&concurrency, true, running);
    assert_int_equal(concurrency.now, 6);
}

static void test_success_brings_it_back(void **state)
{
    struct concurrency concurrency;

    (void)state;
    concurrency_init(&concurrency, 10, true);
    rounds_of_failure(&concurrency);
    for (size_t i = 1; i < 10; i++) {
        assert_int_equal(concurrency.now, i);
        concurrency_finished(&concurrency, false, 0);
    }
    concurrency_finished(&concurrency, false, 0);
    assert_int_equal(concurrency.now, 10);
}

static void test_now_and_then_costs_nothing(void **state)
{
    struct concurrency concurrency;

    (void)state;
    concurrency_init(&concurrency, 10, true);
    for (int i = 0; i < 1000; i++)
        concurrency_finished(&concurrency, i % 10 == 9, 9);
    for (int i = 0; i < 5; i++)
        concurrency_finished(&concurrency, false, 9);
    assert_int_equal(concurrency.now, 10);
}

static void test_partial_responses_do_not_slow_it_down(void **state)
{
    struct concurrency concurrency;

    (void)state;
    concurrency_init(&concurrency, 10, false);
    for (int i = 0; i < 100; i++)
        concurrency_finished(&concurrency, true, 0);
    assert_int_equal(concurrency.now, 10);
}

static void test_follows_the_handlers_instances(void **state)
{
    struct concurrency concurrency;

    (void)state;
    concurrency_init(&concurrency, 10, true);
    concurrency_set_most(&concurrency, 4);
    assert_int_equal(concurrency.now, 4);
    concurrency_set_most(&concurrency, 8);
    assert_int_equal(concurrency.now, 8);
    concurrency_finished(&concurrency, true, 0);
    concurrency_set_most(&concurrency, 12);
    assert_int_equal(concurrency.now, 6); // what it had learned stays
    concurrency_set_most(&concurrency, 1);
    assert_int_equal(concurrency.now, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failing_handler_comes_down_to_one),
        cmocka_unit_test(test_one_round_is_one_cut),
        cmocka_unit_test(test_success_brings_it_back),
        cmocka_unit_test(test_now_and_then_costs_nothing),
        cmocka_unit_test(test_partial_responses_do_not_slow_it_down),
        cmocka_unit_test(test_follows_the_handlers_instances),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
