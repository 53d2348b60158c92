#include "filter/decimal.h"

#include "test.h"

// How a compares to b, by their text.
static struct compare_case {
    const char *name, *a, *b;
    int sign;
} cases[] = {
    {"the same text", "300", "300", 0},
    {"a fraction of nothing", "300", "300.0", 0},
    {"an exponent", "300", "3e2", 0},
    {"a capital exponent with its sign", "300", "3E+2", 0},
    {"a negative exponent", "0.003", "3e-3", 0},
    {"the point within, moved", "12.5", "0.0125e3", 0},
    {"zeros at the end", "1.50", "1.5", 0},
    {"zeros in front", "0.05", "0.050e0", 0},
    {"zeros within are digits", "1001", "101", 1},
    {"zeros within, across a point", "10.01", "10.1", -1},

    {"zero and its negative", "0", "-0", 0},
    {"zero and its fraction", "-0.000", "0", 0},
    {"zero and its exponent", "0e400", "0", 0},
    {"zero is below what is small", "0", "1e-999", -1},
    {"zero is above what is small and negative", "0", "-1e-999", 1},
    {"small and negative is below zero", "-1e-999", "0.0", -1},

    {"one more", "2", "3", -1},
    {"more digits are more", "10", "9", 1},
    {"more digits behind the point are not", "1.19", "1.2", -1},
    {"a digit more behind the point", "1.2", "1.21", -1},
    {"negatives the other way round", "-2", "-3", 1},
    {"negative is below positive", "-100", "1", -1},
    {"positive is above negative", "0.1", "-1e9", 1},

    {"no double holds these two apart", "0.1", "0.1000000000000000055511", -1},
    {"nor these", "9007199254740993", "9007199254740992", 1},
    {"nor these, and they are the same", "9007199254740993.0",
     "9.007199254740993e15", 0},
    {"beyond a double", "1e400", "1e399", 1},
    {"beyond a double, equal", "1e400", "10e399", 0},
    {"beyond a double, negative", "-1e400", "1", -1},
    {"below a double", "1e-400", "1e-401", 1},
    {"an exponent of many digits", "1e999999999999999999999", "1e400", 1},
    {"two of them are the same", "1e999999999999999999999",
     "1e999999999999999999", 0},
    {"a negative exponent of many digits", "1e-999999999999999999999", "1e-400",
     -1},
    {"zeros in front of an exponent", "1e0000000000000000000005", "100000", 0},
};

static void test_compare(void **state)
{
    const struct compare_case *c = *state;
    struct decimal a = decimal_of(bytes_of(c->a));
    struct decimal b = decimal_of(bytes_of(c->b));
    int order = decimal_compare(&a, &b), back = decimal_compare(&b, &a);

    assert_int_equal((order > 0) - (order < 0), c->sign);
    assert_int_equal((back > 0) - (back < 0), -c->sign);
    assert_int_equal(decimal_compare(&a, &a), 0);
}

/* Nothing behind the text is read. */
static void test_the_text_is_a_slice(void **state)
{
    struct decimal a = decimal_of((struct bytes){"129", 2});
    struct decimal b = decimal_of((struct bytes){"12e9", 2});
    struct decimal c = decimal_of(bytes_of("12"));

    (void)state;
    assert_int_equal(decimal_compare(&a, &c), 0);
    assert_int_equal(decimal_compare(&b, &c), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_text_is_a_slice),
    };

    return run_table("compare", cases, test_compare) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
