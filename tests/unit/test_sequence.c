#include "record/sequence.h"

#include <string.h>

#include "test.h"

static void orders_by_number_and_not_by_text(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {
        {"1", "2", -1},
        {"10", "9", 1},
        {"007", "7", 0},
        {"49590338271490256608559692538361571095921575989136588898",
         "49590338271490256608559692538361571095921575989136588899", -1},
        {"TRIM_HORIZON", "0", -1}, // what is no number is before all
        {"7:1", "7:2", -1},
        {"7:2", "7:10", -1},
        {"7:4294967295", "7", -1}, // the whole is later than any part
        {"7", "7:1", 1},
        {"7", "8:1", -1},
        {"7:3", "7:3", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(sequence_compare(rows[i].a, rows[i].b), rows[i].order);
        assert_int_equal(sequence_compare(rows[i].b, rows[i].a),
                         -rows[i].order);
    }
}

static void takes_only_its_two_forms(void **state)
{
    static const char *const refused[] = {"",   "x",   "7x",   ":1",
                                          "7:", "7:0", "7:1x", "7:4294967296"};
    struct sequence sequence;

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        assert_false(sequence_parse(bytes_of(refused[i]), &sequence));
    assert_true(sequence_parse(bytes_of("123:4"), &sequence));
    assert_true(bytes_equal(sequence.digits, bytes_of("123")));
    assert_int_equal(sequence.subs, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_by_number_and_not_by_text),
        cmocka_unit_test(takes_only_its_two_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
