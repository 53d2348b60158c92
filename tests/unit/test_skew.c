#include "aws/skew.h"

#include "test.h"

#define MINUTE_MS 60000

static struct measure_case {
    const char *name;
    struct skew_sample sample;
    bool usable;
    int64_t offset_ms;
} measures[] = {
    {"in step", {.date_ms = 5000, .received_ms = 5000}, true, 0},
    {"the middle of the round trip",
     {.date_ms = 95000, .received_ms = 100000, .round_trip_ms = 10000},
     true,
     0},
    {"the server is ahead",
     {.date_ms = 900000, .received_ms = 300000},
     true,
     600000},
    {"the server is behind",
     {.date_ms = 300000, .received_ms = 900000},
     true,
     -600000},
    {"no Date", {.date_ms = -1, .received_ms = 5000}, false, 0},
    {"out of a cache",
     {.date_ms = 1, .has_age = true, .received_ms = 5000},
     false,
     0},
    {"a round trip of a quarter of an hour",
     {.date_ms = 1, .received_ms = 5000, .round_trip_ms = 15 * MINUTE_MS + 1},
     false,
     0},
};

static void test_measure(void **state)
{
    const struct measure_case *c = *state;
    int64_t offset_ms = 77;

    assert_int_equal(skew_measure(&c->sample, &offset_ms), c->usable);
    assert_int_equal(offset_ms, c->usable ? c->offset_ms : 77);
}

static void test_only_more_than_four_minutes_explain_a_refusal(void **state)
{
    (void)state;
    assert_false(skew_explains(0, 4 * MINUTE_MS));
    assert_true(skew_explains(0, 4 * MINUTE_MS + 1));
    assert_true(skew_explains(0, -4 * MINUTE_MS - 1));
    assert_false(skew_explains(600000, 600000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_more_than_four_minutes_explain_a_refusal),
    };

    return run_table("measures", measures, test_measure) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
