#include "base/clock.h"

#include "sim_clock.h"
#include "test.h"

static struct format_case {
    const char *name;
    int64_t wall_ms;
} formats[] = {
    {"1970-01-01T00:00:00.000Z", 0},
    {"2026-11-22T15:00:00.123Z", 1795359600123},
    {"2024-02-29T23:59:59.999Z", 1709251199999},
    {"1969-12-31T23:59:59.999Z", -1},
    {"9999-12-31T23:59:59.999Z", 253402300799999},
};

static void test_format(void **state)
{
    const struct format_case *c = *state;
    char text[25];

    memset(text, 'x', sizeof(text));
    clock_format_utc(c->wall_ms, text);
    assert_string_equal(text, c->name);
}

static void test_years_without_four_digits_are_empty(void **state)
{
    static const int64_t times[] = {253402300800000, INT64_MAX, INT64_MIN};
    char text[25];

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        memset(text, 'x', sizeof(text));
        clock_format_utc(times[i], text);
        assert_string_equal(text, "");
    }
}

static void test_until_is_bounded_on_both_sides(void **state)
{
    (void)state;
    assert_int_equal(clock_until_ms(90, 100, 50), 0);
    assert_int_equal(clock_until_ms(100, 100, 50), 0);
    assert_int_equal(clock_until_ms(130, 100, 50), 30);
    assert_int_equal(clock_until_ms(CLOCK_NEVER, 100, 50), 50);
    assert_int_equal(clock_earlier(CLOCK_NEVER, 5), 5);
}

static void test_clocks_go_forward(void **state)
{
    const struct clock *system = clock_system();
    int64_t before = clock_now_ms(system);
    struct sim_clock sim;

    (void)state;
    assert_true(clock_now_ms(system) >= before);
    assert_true(clock_wall_ms(system) > 1700000000000);
    sim_clock_init(&sim);
    before = clock_now_ms(&sim.clock);
    sim_clock_advance(&sim, 250);
    assert_int_equal(clock_now_ms(&sim.clock), before + 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_years_without_four_digits_are_empty),
        cmocka_unit_test(test_until_is_bounded_on_both_sides),
        cmocka_unit_test(test_clocks_go_forward),
    };

    return run_table("clock_format_utc", formats, test_format) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
