#include "source/receive_attempt.h"

#include "test.h"

static void test_each_receive_has_its_own(void **state)
{
    struct receive_attempts attempts;

    (void)state;
    receive_attempts_init(&attempts, 7);
    for (uint64_t i = 1; i < 100; i++) {
        assert_int_equal(receive_attempts_start(&attempts, 0), i);
        receive_attempts_answered(&attempts, i);
    }
}

static void test_what_was_lost_is_repeated_once_at_a_time(void **state)
{
    struct receive_attempts attempts;

    (void)state;
    receive_attempts_init(&attempts, 7);
    assert_int_equal(receive_attempts_start(&attempts, 0), 1);
    assert_int_equal(receive_attempts_start(&attempts, 0), 2);
    receive_attempts_lost(&attempts, 2, 0);
    receive_attempts_lost(&attempts, 1, 0);
    assert_int_equal(receive_attempts_start(&attempts, 10), 2);
    assert_int_equal(receive_attempts_start(&attempts, 10), 1);
    assert_int_equal(receive_attempts_start(&attempts, 10), 3); // both are out
    receive_attempts_lost(&attempts, 1, 10);
    receive_attempts_answered(&attempts, 2);
    assert_int_equal(receive_attempts_start(&attempts, 20), 1);
    receive_attempts_answered(&attempts, 1);
    assert_int_equal(receive_attempts_start(&attempts, 30), 4);
}

/* Counted from when it was first sent: the server counts so, too. */
static void test_five_minutes_and_no_longer(void **state)
{
    struct receive_attempts attempts;

    (void)state;
    receive_attempts_init(&attempts, 7);
    (void)receive_attempts_start(&attempts, 1000);
    receive_attempts_lost(&attempts, 1, 1000);
    assert_int_equal(receive_attempts_start(&attempts, 300999), 1);
    receive_attempts_lost(&attempts, 1, 300999);
    assert_int_equal(receive_attempts_start(&attempts, 301000), 2);
}

static void test_only_so_many_are_remembered(void **state)
{
    struct receive_attempts attempts;

    (void)state;
    receive_attempts_init(&attempts, 7);
    for (uint64_t i = 0; i < 20; i++)
        (void)receive_attempts_start(&attempts, 0);
    for (uint64_t i = 1; i <= 20; i++)
        receive_attempts_lost(&attempts, i, 0);
    for (uint64_t i = 5; i <= 20; i++) // the oldest are given up
        assert_int_equal(receive_attempts_start(&attempts, 0), i);
    assert_int_equal(receive_attempts_start(&attempts, 0), 21);
}

static void test_ids_of_two_runs_differ(void **state)
{
    struct receive_attempts one, two;
    char id[RECEIVE_ATTEMPT_ID_SIZE], other[RECEIVE_ATTEMPT_ID_SIZE];

    (void)state;
    receive_attempts_init(&one, 1);
    receive_attempts_init(&two, 2);
    receive_attempts_id(&one, 0xabc, id);
    receive_attempts_id(&two, 0xabc, other);
    assert_string_equal(id, "0000000000000001-abc");
    assert_string_not_equal(id, other);
    receive_attempts_id(&one, ((uint64_t)1 << 48) - 1, id);
    assert_string_equal(id, "0000000000000001-ffffffffffff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_receive_has_its_own),
        cmocka_unit_test(test_what_was_lost_is_repeated_once_at_a_time),
        cmocka_unit_test(test_five_minutes_and_no_longer),
        cmocka_unit_test(test_only_so_many_are_remembered),
        cmocka_unit_test(test_ids_of_two_runs_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
