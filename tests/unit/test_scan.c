#include "filter/scan.h"

#include "base/mem.h"
#include "test.h"

// A copy with zeros behind it, to the byte, so that a sanitizer sees a step too
// far.
static char *padded(const char *text, size_t size)
{
    char *copy = mem_calloc(size + SCAN_PAD, 1);

    if (size)
        memcpy(copy, text, size);
    return copy;
}

// Is all of it one value?
static bool is_value(const char *text, size_t size)
{
    struct scan_string found = {0};
    AUTO_FREE char *copy = padded(text, size);
    const char *end = scan_value(copy, 0, &found);

    return end && end == copy + size;
}

static struct value_case {
    const char *name, *text;
    bool good;
} values[] = {
    {"a string", "\"a\"", true},
    {"the empty string", "\"\"", true},
    {"a long string", "\"0123456789012345678901234567890123456789\"", true},
    {"a quote in a string", "\"a\\\"b\"", true},
    {"every escape", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\"", true},
    {"an escape behind eight bytes", "\"12345678\\n\"", true},
    {"what is not ASCII", "\"\xc3\xa4\"", true},
    {"DEL", "\"\x7f\"", true},
    {"a string that does not end", "\"a", false},
    {"a string that ends in its escape", "\"a\\", false},
    {"a string that ends in its \\u", "\"a\\u00", false},
    {"an unknown escape", "\"\\x41\"", false},
    {"a letter that is not hex", "\"\\u00g0\"", false},
    {"a line's end in a string", "\"a\nb\"", false},
    {"a tab in a string", "\"a\tb\"", false},
    {"0x1f in a string", "\"\x1f\"", false},
    {"single quotes", "'a'", false},

    {"zero", "0", true},
    {"minus zero", "-0", true},
    {"a whole number", "-120", true},
    {"a fraction", "0.50", true},
    {"an exponent", "1e400", true},
    {"an exponent with sign", "1.5E-07", true},
    {"minus alone", "-", false},
    {"plus", "+1", false},
    {"a zero in front", "01", false},
    {"a point in front", ".5", false},
    {"a point at the end", "5.", false},
    {"an exponent without digits", "1e", false},
    {"an exponent's sign alone", "1e+", false},
    {"hex", "0x10", false},
    {"Infinity", "Infinity", false},
    {"NaN", "NaN", false},

    {"true", "true", true},
    {"false", "false", true},
    {"null", "null", true},
    {"True", "True", false},
    {"half a word", "tru", false},
    {"a word and more", "nullx", false},

    {"an empty object", "{}", true},
    {"an empty array", "[ ]", true},
    {"blanks of all kinds", "{ \t\r\n\"a\" : [ 1 , { } ] }", true},
    {"nested", "[[{\"a\":[{}]}],[]]", true},
    {"the same key twice", "{\"a\":1,\"a\":2}", true},
    {"a comma at the end", "[1,]", false},
    {"a comma at an object's end", "{\"a\":1,}", false},
    {"a comma in front", "[,1]", false},
    {"no comma", "[1 2]", false},
    {"no colon", "{\"a\" 1}", false},
    {"no value", "{\"a\":}", false},
    {"a key without quotes", "{a:1}", false},
    {"a number for a key", "{1:1}", false},
    {"a bracket that is not closed", "[1", false},
    {"the other bracket", "[1}", false},
    {"the other bracket, empty", "{]", false},
    {"a bracket too many", "[]]", false},
    {"a comment", "[/**/]", false},
    {"a form feed between", "[\f]", false},
    {"nothing", "", false},
    {"a byte order mark", "\xef\xbb\xbf{}", false},
};

static void test_value(void **state)
{
    const struct value_case *c = *state;

    assert_int_equal(is_value(c->text, strlen(c->text)), c->good);
}

/* Cut anywhere a document is refused, and nothing behind it is read. */
static void test_every_cut_is_refused(void **state)
{
    static const char whole[] =
        "{\"a\\u00e4\":[1.5e-7,{\"b\":null},\"\\uD83D\\uDE00\",true],\"c\":{}}";

    (void)state;
    assert_true(is_value(whole, strlen(whole)));
    for (size_t size = 0; size < strlen(whole); size++)
        assert_false(is_value(whole, size));
}

static void test_a_nul_is_no_end(void **state)
{
    (void)state;
    assert_false(is_value("\"a\0b\"", 5));
    assert_false(is_value("[1,\0]", 5));
    assert_false(is_value("[]\0", 3));
}

static void test_nesting_is_bounded(void **state)
{
    char deep[2 * SCAN_DEPTH_LIMIT + 2];
    struct scan_string found = {0};
    AUTO_FREE char *copy = padded("[[]]", 4);

    (void)state;
    memset(deep, '[', SCAN_DEPTH_LIMIT + 1);
    memset(deep + SCAN_DEPTH_LIMIT + 1, ']', SCAN_DEPTH_LIMIT + 1);
    assert_true(is_value(deep + 1, sizeof(deep) - 2));
    assert_false(is_value(deep, sizeof(deep)));
    // What lies around it counts.
    assert_non_null(scan_value(copy, SCAN_DEPTH_LIMIT - 2, &found));
    assert_null(scan_value(copy, SCAN_DEPTH_LIMIT - 1, &found));
}

static bool is_seen_as_ascii(const char *text)
{
    AUTO_FREE char *copy = padded(text, strlen(text));
    struct scan_string found = {0};

    assert_non_null(scan_value(copy, 0, &found));
    return !(found.high & 0x8080808080808080u);
}

static void test_it_tells_whether_utf8_is_to_be_proved(void **state)
{
    (void)state;
    assert_true(is_seen_as_ascii("{\"a\":[\"0123456789\",\"\\u00e4\"]}"));
    assert_false(is_seen_as_ascii("{\"a\":[\"0123456789\xc3\xa4\"]}"));
    assert_false(is_seen_as_ascii("{\"\xff\":1}"));
}

static struct decode_case {
    const char *name, *text, *decoded;
} decodes[] = {
    {"nothing to do", "abc", "abc"},
    {"short ones", "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
    {"a letter", "\\u0041", "A"},
    {"of two bytes", "x\\u00E4y", "x\xc3\xa4y"},
    {"of three bytes", "\\u20ac", "\xe2\x82\xac"},
    {"of four bytes", "\\ud83d\\uDE00", "\xf0\x9f\x98\x80"},
    {"the last there is", "\\udbff\\udfff", "\xf4\x8f\xbf\xbf"},
    {"the first half alone", "\\ud83d", "\xef\xbf\xbd"},
    {"the second half alone", "\\ude00", "\xef\xbf\xbd"},
    {"the halves the wrong way round", "\\ude00\\ud83d",
     "\xef\xbf\xbd\xef\xbf\xbd"},
    {"the first half twice, and the second", "\\ud83d\\ud83d\\ude00",
     "\xef\xbf\xbd\xf0\x9f\x98\x80"},
    {"the first half before a letter", "\\ud83dx", "\xef\xbf\xbdx"},
    {"the first half before another escape", "\\ud83d\\n", "\xef\xbf\xbd\n"},
    {"the first half before another character", "\\ud83d\\u0041",
     "\xef\xbf\xbd"
     "A"},
    {"an escaped backslash before a u", "\\\\u0041", "\\u0041"},
    {"plain text around", "a\\u0041b\\u0042c", "aAbBc"},
};

static void test_decode(void **state)
{
    const struct decode_case *c = *state;
    AUTO_FREE char *text = mem_strdup(c->text);
    size_t size = scan_decode(text, strlen(text));

    assert_int_equal(size, strlen(c->decoded));
    assert_memory_equal(text, c->decoded, size);
}

static void test_a_nul_that_is_escaped_is_a_character(void **state)
{
    char text[] = "a\\u0000b";

    (void)state;
    assert_int_equal(scan_decode(text, 8), 3);
    assert_memory_equal(text, "a\0b", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_a_nul_is_no_end),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_it_tells_whether_utf8_is_to_be_proved),
        cmocka_unit_test(test_a_nul_that_is_escaped_is_a_character),
    };

    return run_table("value", values, test_value) +
           run_table("decode", decodes, test_decode) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
