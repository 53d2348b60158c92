#include "aws/retry.h"

#include "base/random.h"
#include "test.h"

static struct retry_plan decide(struct retry_bucket *bucket,
                                struct retry_failure failure)
{
    struct random random = {.state = failure.attempt};

    return retry_decide(bucket, &random, &failure);
}

static struct reaction_case {
    const char *name;
    enum error_code reaction;
    enum retry_advice advice;
    int paid;
} reactions[] = {
    {"transient", ERROR_TRANSIENT, RETRY_AGAIN, 14},
    {"throttled", ERROR_THROTTLED, RETRY_AGAIN, 5},
    {"invalid", ERROR_INVALID, RETRY_GIVE_UP, 0},
    {"denied", ERROR_DENIED, RETRY_GIVE_UP, 0},
    {"not found", ERROR_NOT_FOUND, RETRY_GIVE_UP, 0},
    {"lost", ERROR_LOST, RETRY_GIVE_UP, 0},
};

static void test_reaction(void **state)
{
    const struct reaction_case *c = *state;
    struct retry_bucket bucket;
    struct retry_plan plan;

    retry_bucket_init(&bucket);
    plan = decide(&bucket, (struct retry_failure){.reaction = c->reaction,
                                                  .attempt = 1,
                                                  .max_attempts = 3,
                                                  .hint_ms = -1});
    assert_int_equal(plan.advice, c->advice);
    assert_int_equal(plan.paid, c->paid);
    assert_int_equal(bucket.tokens, 500 - c->paid);
}

static void test_gives_up_after_the_last_attempt(void **state)
{
    struct retry_bucket bucket;
    struct retry_failure failure = {.reaction = ERROR_TRANSIENT,
                                    .attempt = 2,
                                    .max_attempts = 3,
                                    .hint_ms = -1};

    (void)state;
    retry_bucket_init(&bucket);
    assert_int_equal(decide(&bucket, failure).advice, RETRY_AGAIN);
    failure.attempt = 3;
    assert_int_equal(decide(&bucket, failure).advice, RETRY_GIVE_UP);
}

static int64_t longest_delay(enum error_code reaction, unsigned attempt)
{
    struct random random = {.state = 7};
    int64_t longest = 0;

    for (int i = 0; i < 2000; i++) {
        struct retry_bucket bucket = {500};
        const struct retry_failure failure = {.reaction = reaction,
                                              .attempt = attempt,
                                              .max_attempts = 99,
                                              .hint_ms = -1};
        int64_t delay = retry_decide(&bucket, &random, &failure).delay_ms;

        if (delay > longest)
            longest = delay;
    }
    return longest;
}

// Full jitter: all of [0, min(base * 2^i, 20 s)].
static void test_delays_double_up_to_twenty_seconds(void **state)
{
    (void)state;
    assert_in_range(longest_delay(ERROR_TRANSIENT, 1), 40, 50);
    assert_in_range(longest_delay(ERROR_TRANSIENT, 3), 180, 200);
    assert_in_range(longest_delay(ERROR_TRANSIENT, 30), 19000, 20000);
    assert_in_range(longest_delay(ERROR_THROTTLED, 1), 900, 1000);
    assert_in_range(longest_delay(ERROR_THROTTLED, 5), 15000, 16000);
    assert_in_range(longest_delay(ERROR_THROTTLED, 6), 19000, 20000);
}

// max(t, min(hint, t + 5 s))
static void
test_the_servers_hint_stretches_the_delay_within_reason(void **state)
{
    struct retry_bucket bucket = {500};
    struct retry_failure failure = {.reaction = ERROR_TRANSIENT,
                                    .attempt = 1,
                                    .max_attempts = 3,
                                    .hint_ms = 1500};

    (void)state;
    assert_int_equal(decide(&bucket, failure).delay_ms, 1500);
    failure.hint_ms = 3600 * 1000;
    assert_in_range(decide(&bucket, failure).delay_ms, 5000, 5050);
    failure.hint_ms = 0;
    assert_in_range(decide(&bucket, failure).delay_ms, 0, 50);
}

static void test_an_empty_bucket_fails_at_once_but_for_long_polls(void **state)
{
    struct retry_bucket bucket = {13};
    struct retry_failure failure = {.reaction = ERROR_TRANSIENT,
                                    .attempt = 1,
                                    .max_attempts = 3,
                                    .hint_ms = 700};
    struct retry_plan plan;

    (void)state;
    assert_int_equal(decide(&bucket, failure).advice, RETRY_GIVE_UP);
    failure.is_long_poll = true;
    plan = decide(&bucket, failure);
    assert_int_equal(plan.advice, RETRY_SLEEP_FAIL);
    assert_int_equal(plan.delay_ms, 700);
    assert_int_equal(plan.paid, 0);
    assert_int_equal(bucket.tokens, 13);
}

static void test_success_fills_the_bucket_and_no_more(void **state)
{
    struct retry_bucket bucket = {100};

    (void)state;
    retry_succeeded(&bucket, 0);
    assert_int_equal(bucket.tokens, 101);
    retry_succeeded(&bucket, 14);
    assert_int_equal(bucket.tokens, 115);
    bucket.tokens = 495;
    retry_succeeded(&bucket, 14);
    assert_int_equal(bucket.tokens, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_up_after_the_last_attempt),
        cmocka_unit_test(test_delays_double_up_to_twenty_seconds),
        cmocka_unit_test(
            test_the_servers_hint_stretches_the_delay_within_reason),
        cmocka_unit_test(test_an_empty_bucket_fails_at_once_but_for_long_polls),
        cmocka_unit_test(test_success_fills_the_bucket_and_no_more),
    };

    return run_table("reactions", reactions, test_reaction) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
