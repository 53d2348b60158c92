#include "base/random.h"

#include "test.h"

// Reference values of splitmix64 for seed 1234567.
static void test_is_splitmix64(void **state)
{
    struct random random = {1234567};

    (void)state;
    assert_true(random_next(&random) == 6457827717110365317u);
    assert_true(random_next(&random) == 3203168211198807973u);
    assert_true(random_next(&random) == 9817491932198370423u);
}

static void test_below_stays_below_and_reaches_every_value(void **state)
{
    struct random random = {1};
    unsigned seen[7] = {0};

    (void)state;
    for (int i = 0; i < 7000; i++)
        seen[random_below(&random, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 800, 1200);
    assert_int_equal(random_below(&random, 0), 0);
    assert_int_equal(random_below(&random, 1), 0);
}

static struct jitter_case {
    const char *name;
    int64_t base_ms, maximum_ms;
    unsigned attempt;
    int64_t ceiling_ms;
} jitters[] = {
    {"first attempt", 1000, 300000, 0, 1000},
    {"doubles", 1000, 300000, 3, 8000},
    {"meets its maximum", 1000, 300000, 9, 300000},
    {"stays there", 1000, 300000, 4000000000u, 300000},
    {"base over maximum", 1000, 500, 0, 500},
    {"no base", 0, 300000, 100, 0},
    {"no base, and for ever", 0, 300000, 4294967295u, 0},
    {"no maximum", 1000, 0, 5, 0},
};

// Full jitter: from zero to the ceiling, all of it.
static void test_jitter(void **state)
{
    const struct jitter_case *c = *state;
    struct random random = {99};
    int64_t least = INT64_MAX, most = -1;

    for (int i = 0; i < 2000; i++) {
        int64_t ms = random_full_jitter_ms(&random, c->base_ms, c->maximum_ms,
                                           c->attempt);

        assert_true(ms >= 0 && ms <= c->ceiling_ms);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    assert_true(least <= c->ceiling_ms / 100);
    assert_true(most >= c->ceiling_ms - c->ceiling_ms / 100);
}

static void test_the_same_seed_runs_again(void **state)
{
    struct random a = {random_seed()}, b = a;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(random_next(&a) == random_next(&b));
    assert_true(random_seed() != random_seed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_splitmix64),
        cmocka_unit_test(test_below_stays_below_and_reaches_every_value),
        cmocka_unit_test(test_the_same_seed_runs_again),
    };

    return run_table("full jitter", jitters, test_jitter) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
