#include "base/bytes.h"

#include "test.h"

static void test_append_grows_and_keeps_content(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 1000);
    for (int i = 0; i < 100; i++)
        buffer_append_text(&buffer, "0123456789");
    assert_true(buffer_ok(&buffer));
    assert_int_equal(buffer.size, 1000);
    assert_memory_equal(buffer.data + 990, "0123456789", 10);
    buffer_finish(&buffer);
}

static void test_overflow_sticks_and_keeps_what_was_there(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 4);
    buffer_append_text(&buffer, "abc");
    buffer_append_text(&buffer, "de");
    buffer_append_text(&buffer, "f");
    assert_false(buffer_ok(&buffer));
    assert_string_equal(buffer_text(&buffer), "abc");
    buffer_finish(&buffer);
}

static void test_printf_fits_to_the_last_byte(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 5);
    buffer_printf(&buffer, "%d", 12345);
    assert_true(buffer_ok(&buffer));
    assert_string_equal(buffer_text(&buffer), "12345");
    buffer_finish(&buffer);
}

static void test_digits_are_told_from_their_neighbours(void **state)
{
    char text[24] = "01234567890123456789012";

    (void)state;
    assert_true(bytes_are_digits((struct bytes){0}));
    for (size_t size = 0; size < sizeof(text); size++)
        assert_true(bytes_are_digits((struct bytes){text, size}));
    for (size_t at = 0; at < sizeof(text) - 1; at++)
        for (int c = -128; c < 128; c++) {
            char kept = text[at];

            text[at] = (char)c;
            assert_int_equal(
                bytes_are_digits((struct bytes){text, sizeof(text) - 1}),
                c >= '0' && c <= '9');
            text[at] = kept;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits_are_told_from_their_neighbours),
        cmocka_unit_test(test_append_grows_and_keeps_content),
        cmocka_unit_test(test_overflow_sticks_and_keeps_what_was_there),
        cmocka_unit_test(test_printf_fits_to_the_last_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
