#include "base/json_write.h"

#include <jansson.h>

#include "base/random.h"

#include "test.h"

static struct string_case {
    const char *name, *text, *json;
} strings[] = {
    {"empty", "", "\"\""},
    {"plain", "abc", "\"abc\""},
    {"quote and backslash", "a\"b\\c", "\"a\\\"b\\\\c\""},
    {"short escapes", "\n\r\t\b\f", "\"\\n\\r\\t\\b\\f\""},
    {"other controls", "\x01\x1f", "\"\\u0001\\u001f\""},
    {"an escape at both ends", "\"a\"", "\"\\\"a\\\"\""},
    {"UTF-8 as it is", "\xc3\xa9\xf0\x9f\x98\x80",
     "\"\xc3\xa9\xf0\x9f\x98\x80\""},
    {"a slash as it is", "/", "\"/\""},
};

static void test_string(void **state)
{
    const struct string_case *c = *state;
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    json_put_string(&buffer, bytes_of(c->text));
    assert_string_equal(buffer_text(&buffer), c->json);
    buffer_finish(&buffer);
}

static void test_any_bytes_come_back_through_jansson(void **state)
{
    struct random random = {3};

    (void)state;
    for (int i = 0; i < 500; i++) {
        char text[64];
        size_t size = random_below(&random, sizeof(text));
        struct buffer buffer;
        json_t *value;

        for (size_t j = 0; j < size; j++)
            text[j] = (char)random_below(&random, 128);
        buffer_init(&buffer, 1000);
        json_put_string(&buffer, (struct bytes){text, size});
        value = json_loadb(buffer.data, buffer.size,
                           JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        assert_int_equal(json_string_length(value), size);
        assert_memory_equal(json_string_value(value), text, size);
        json_decref(value);
        buffer_finish(&buffer);
    }
}

static void test_numbers_and_base64(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 1000);
    json_put_int(&buffer, INT64_MIN);
    buffer_append_char(&buffer, ' ');
    json_put_int(&buffer, INT64_MAX);
    buffer_append_char(&buffer, ' ');
    json_put_base64(&buffer, BYTES("hello"));
    json_put_base64(&buffer, (struct bytes){0});
    assert_string_equal(
        buffer_text(&buffer),
        "-9223372036854775808 9223372036854775807 \"aGVsbG8=\"\"\"");
    buffer_finish(&buffer);
}

static void test_what_does_not_fit_is_said(void **state)
{
    struct buffer buffer;

    (void)state;
    for (size_t limit = 0; limit < 8; limit++) {
        buffer_init(&buffer, limit);
        json_put_base64(&buffer, BYTES("abcd"));
        assert_false(buffer_ok(&buffer));
        buffer_finish(&buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bytes_come_back_through_jansson),
        cmocka_unit_test(test_numbers_and_base64),
        cmocka_unit_test(test_what_does_not_fit_is_said),
    };

    return run_table("string", strings, test_string) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
