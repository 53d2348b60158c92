#include "base/json_read.h"

#include <jansson.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/random.h"

#include "test.h"

// Exactly as many bytes as the document has, so that a read past the end is
// seen by valgrind and the address sanitizer.
static char *exact_copy(const char *text, size_t size)
{
    char *copy = mem_calloc(size, 1);

    memcpy(copy, text, size);
    return copy;
}

static struct document_case {
    const char *name, *text;
    const char *error; // NULL: a good document
} documents[] = {
    {"null", "null", NULL},
    {"a scalar", " 12 ", NULL},
    {"empty containers", "[{},[],\"\",{\"\":[]}]", NULL},
    {"space everywhere", "\r\n\t { \"a\" : [ 1 , 2 ] , \"b\" : null } ", NULL},
    {"every kind", "[true,false,null,-0,1.5e+3,\"x\",{\"a\":1}]", NULL},
    {"every escape", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", NULL},
    {"a lone surrogate", "\"\\ud800\"", NULL},
    {"a DEL is no control character", "\"\x7f\"", NULL},
    {"nothing", "", "ends early"},
    {"only space", " \n", "ends early"},
    {"two documents", "1 2", "follows"},
    {"a tail", "{}x", "follows"},
    {"open object", "{", "ends early"},
    {"open array", "[1", "ends early"},
    {"open string", "\"abc", "ends early"},
    {"open name", "{\"a", "ends early"},
    {"name alone", "{\"a\"", "ends early"},
    {"name and colon", "{\"a\":", "ends early"},
    {"half an escape", "\"\\", "ends early"},
    {"half a unicode escape", "\"\\u12", "ends early"},
    {"half a word", "tru", "ends early"},
    {"half a number", "-", "ends early"},
    {"half a fraction", "1.", "ends early"},
    {"half an exponent", "1e+", "ends early"},
    {"closed by the wrong bracket", "[1}", "comma or a closing"},
    {"no comma", "[1 2]", "comma or a closing"},
    {"no comma between members", "{\"a\":1 \"b\":2}", "comma or a closing"},
    {"a comma too many", "[1,]", "comma before"},
    {"a comma after the last member", "{\"a\":1,}", "comma before"},
    {"two commas", "[1,,2]", "not a value"},
    {"a comma first", "[,1]", "not a value"},
    {"no colon", "{\"a\" 1}", "colon"},
    {"a bare name", "{a:1}", "without a name"},
    {"null as a name", "{null:1}", "without a name"},
    {"single quotes", "['a']", "not a value"},
    {"unknown word", "nope", "unknown word"},
    {"upper case", "[True]", "not a value"},
    {"NaN", "NaN", "not a value"},
    {"leading zero", "[01]", "comma or a closing"},
    {"leading plus", "+1", "not a value"},
    {"leading point", ".5", "not a value"},
    {"no digit after the point", "[1.]", "without digits"},
    {"hex number", "[0x10]", "comma or a closing"},
    {"unknown escape", "\"\\x41\"", "unknown escape"},
    {"bad unicode escape", "\"\\u12g4\"", "four hex digits"},
    {"newline in a string", "\"a\nb\"", "control character"},
    {"tab in a string after 8 bytes", "\"0123456789\tb\"", "control character"},
    {"comment", "[1] // no", "follows"},
    {"byte order mark", "\xef\xbb\xbf{}", "not a value"},
};

static void test_document(void **state)
{
    const struct document_case *c = *state;
    size_t size = strlen(c->text);
    AUTO_FREE char *text = exact_copy(c->text, size);
    struct json_read in;

    json_read_init(&in, text, size);
    bool ok = json_read_skip(&in) && json_read_end(&in);
    if (!c->error && !ok)
        fail_msg("%s at %zu", in.error, json_read_offset(&in));
    assert_int_equal(ok, !c->error);
    if (c->error)
        assert_contains(in.error, c->error);
}

static struct string_case {
    const char *name, *text, *value;
    size_t size; // 0: strlen(value)
} strings[] = {
    {"plain", "\"abc\"", "abc", 0},
    {"longer than a word", "\"0123456789abcdef0\"", "0123456789abcdef0", 0},
    {"short escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 0},
    {"an escape, then words", "\"\\n0123456789abcdefghi\\n\"",
     "\n0123456789abcdefghi\n", 0},
    {"text, escape, text", "\"0123456789\\t0123456789\"",
     "0123456789\t0123456789", 0},
    {"json within json", "\"{\\\"a\\\":\\\"b\\\\n\\\"}\"", "{\"a\":\"b\\n\"}",
     0},
    {"two bytes", "\"\\u00e9\"", "\xc3\xa9", 0},
    {"three bytes, capitals", "\"\\u20AC\"", "\xe2\x82\xac", 0},
    {"a surrogate pair", "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 0},
    {"a zero byte", "\"a\\u0000b\"", "a\0b", 3},
    {"UTF-8 as it is", "\"\xc3\xa9\xf0\x9f\x98\x80\"",
     "\xc3\xa9\xf0\x9f\x98\x80", 0},
    {"a high surrogate alone", "\"\\ud83dx\"", "\xef\xbf\xbdx", 0},
    {"a low surrogate alone", "\"\\ude00\"", "\xef\xbf\xbd", 0},
    {"two high surrogates", "\"\\ud83d\\ud83d\\ude00\"",
     "\xef\xbf\xbd\xf0\x9f\x98\x80", 0},
    {"a high surrogate, then another escape", "\"\\ud83d\\n\"",
     "\xef\xbf\xbd\n", 0},
    {"bytes over 0x7f beside an escape",
     "\"\xc3\xa9\\\"\xc3\xa9\xc3\xa9\xc3"
     "\xa9\"",
     "\xc3\xa9\"\xc3\xa9\xc3\xa9\xc3\xa9", 0},
};

static void test_string(void **state)
{
    const struct string_case *c = *state;
    size_t size = strlen(c->text);
    AUTO_FREE char *copy = exact_copy(c->text, size);
    struct json_read in;
    struct bytes text;

    json_read_init(&in, copy, size);
    assert_true(json_read_string(&in, &text));
    assert_true(json_read_end(&in));
    assert_int_equal(text.size, c->size ? c->size : strlen(c->value));
    assert_memory_equal(text.data, c->value, text.size);
}

static struct number_case {
    const char *name, *text;
    bool ok;
    int64_t whole, ms;
} numbers[] = {
    {"zero", "0", true, 0, 0},
    {"negative", "-12", true, -12, -12000},
    {"a fraction", "1545084650.987", true, 1545084650, 1545084650987},
    {"more than milliseconds", "1545084650.98761", true, 1545084650,
     1545084650988},
    {"a double's neighbour", "1545084650.9869998", true, 1545084650,
     1545084650987},
    {"exponent as Java writes it", "1.545084650987E9", true, 1545084650,
     1545084650987},
    {"a small exponent", "5e-4", true, 0, 1},
    {"a tiny exponent", "5e-999999999999", true, 0, 0},
    {"a negative fraction", "-1.5", true, -1, -1500},
    {"zeros behind the point", "0.004", true, 0, 4},
    {"zero with an exponent", "0e999999999999", true, 0, 0},
    {"null", "null", true, 0, 0},
    {"largest in milliseconds", "9223372036854775.807", true, 9223372036854775,
     INT64_MAX},
    {"too large", "9223372036854775808", false, 0, 0},
    {"too large by exponent", "1e99999999999", false, 0, 0},
    {"a string", "\"12\"", false, 0, 0},
};

static void test_number(void **state)
{
    const struct number_case *c = *state;
    size_t size = strlen(c->text);
    AUTO_FREE char *copy = exact_copy(c->text, size);
    struct json_read in;
    int64_t number;

    json_read_init(&in, copy, size);
    assert_int_equal(json_read_int(&in, &number) && json_read_end(&in), c->ok);
    if (c->ok)
        assert_int_equal(number, c->whole);
    json_read_init(&in, copy, size);
    assert_int_equal(
        json_read_seconds_as_ms(&in, &number) && json_read_end(&in), c->ok);
    if (c->ok)
        assert_int_equal(number, c->ms);
}

static void test_reads_an_answer_as_its_caller_would(void **state)
{
    char body[] =
        "{\"Other\":[{\"x\":[1,{}]}],\"Messages\":[{\"Body\":\"a\\nb\","
        "\"Count\":3,\"Last\":true},{\"Body\":null,\"Last\":null}],"
        "\"Next\":null}";
    struct json_read in;
    struct bytes name, text[2] = {{0}};
    int64_t count = 0;
    size_t seen = 0;
    bool last = false;

    (void)state;
    json_read_init(&in, body, strlen(body));
    assert_true(json_read_object(&in));
    while (json_read_member(&in, &name)) {
        if (!bytes_equal(name, BYTES("Messages"))) {
            json_read_skip(&in);
            continue;
        }
        assert_true(json_read_array(&in));
        for (; json_read_element(&in); seen++) {
            assert_true(json_read_object(&in));
            while (json_read_member(&in, &name))
                if (bytes_equal(name, BYTES("Body")))
                    json_read_string(&in, &text[seen]);
                else if (bytes_equal(name, BYTES("Count")))
                    json_read_int(&in, &count);
                else
                    json_read_bool(&in, &last);
        }
    }
    assert_true(json_read_end(&in));
    assert_int_equal(seen, 2);
    assert_true(bytes_equal(text[0], BYTES("a\nb")));
    assert_null(text[1].data);
    assert_int_equal(count, 3);
    assert_false(last);
}

static void test_an_empty_string_is_not_null(void **state)
{
    char body[] = "\"\"";
    struct json_read in;
    struct bytes text;

    (void)state;
    json_read_init(&in, body, 2);
    assert_true(json_read_string(&in, &text));
    assert_non_null(text.data);
    assert_int_equal(text.size, 0);
}

static void test_null_is_an_empty_container_without_error(void **state)
{
    char body[] = "[null,null]";
    struct json_read in;

    (void)state;
    json_read_init(&in, body, strlen(body));
    assert_true(json_read_array(&in));
    assert_true(json_read_element(&in));
    assert_false(json_read_object(&in));
    assert_true(json_read_element(&in));
    assert_false(json_read_array(&in));
    assert_false(json_read_element(&in));
    assert_true(json_read_end(&in));
}

static void test_errors_stick_and_keep_the_first_place(void **state)
{
    char body[] = "[1, x, 3]";
    struct json_read in;
    struct bytes text;
    int64_t number;

    (void)state;
    json_read_init(&in, body, strlen(body));
    assert_true(json_read_array(&in));
    assert_true(json_read_element(&in));
    assert_true(json_read_int(&in, &number));
    assert_true(json_read_element(&in));
    assert_false(json_read_int(&in, &number));
    assert_int_equal(json_read_offset(&in), 4);
    assert_string_equal(in.error, "not a number");
    assert_int_equal(json_read_peek(&in), JSON_READ_NOTHING);
    assert_false(json_read_string(&in, &text));
    assert_false(json_read_element(&in));
    assert_false(json_read_object(&in));
    assert_false(json_read_skip(&in));
    assert_false(json_read_end(&in));
    assert_string_equal(in.error, "not a number");
}

static void test_what_is_left_unread_is_an_error(void **state)
{
    char body[] = "[1,2]";
    struct json_read in;

    (void)state;
    json_read_init(&in, body, strlen(body));
    assert_true(json_read_array(&in));
    assert_true(json_read_element(&in));
    assert_true(json_read_skip(&in));
    assert_false(json_read_end(&in));
    assert_contains(in.error, "not read to its end");
}

static bool skips(const char *text, size_t size)
{
    AUTO_FREE char *copy = exact_copy(text, size);
    struct json_read in;

    json_read_init(&in, copy, size);
    return json_read_skip(&in) && json_read_end(&in);
}

static void test_nesting_is_bounded(void **state)
{
    char deep[258];

    (void)state;
    memset(deep, '[', 129);
    memset(deep + 129, ']', 129);
    assert_true(skips(deep + 1, 256));
    assert_false(skips(deep, 258));
}

// Every document cut anywhere must be refused, and never read past its end.
static void test_every_truncation_is_refused(void **state)
{
    static const char text[] =
        "{\"a\":[1.5e3,-2,true,false,null,\"x\\u00e9\\ud83d\\ude00\\n\"],"
        "\"a longer name\":{\"b\":\"0123456789abcdef\\\\\"}}";

    (void)state;
    assert_true(skips(text, sizeof(text) - 1));
    for (size_t size = 0; size < sizeof(text) - 1; size++)
        assert_false(skips(text, size));
}

static json_t *read_value(struct json_read *in)
{
    struct bytes text;
    json_t *value;
    bool flag;

    switch (json_read_peek(in)) {
    case JSON_READ_OBJECT:
        value = json_object();
        json_read_object(in);
        while (json_read_member(in, &text)) {
            AUTO_FREE char *name = mem_strndup(text.data, text.size);
            json_object_set_new_nocheck(value, name, read_value(in));
        }
        return value;
    case JSON_READ_ARRAY:
        value = json_array();
        json_read_array(in);
        while (json_read_element(in))
            json_array_append_new(value, read_value(in));
        return value;
    case JSON_READ_STRING:
        json_read_string(in, &text);
        return json_stringn_nocheck(text.data ? text.data : "", text.size);
    case JSON_READ_NUMBER:
        json_read_number(in, &text);
        if (!text.size)
            return json_null();
        value = json_loadb(text.data, text.size, JSON_DECODE_ANY, NULL);
        return value ? value : json_null();
    case JSON_READ_TRUE:
    case JSON_READ_FALSE:
        json_read_bool(in, &flag);
        return json_boolean(flag);
    case JSON_READ_NULL:
    case JSON_READ_NOTHING:
        break;
    }
    json_read_skip(in);
    return json_null();
}

static json_t *random_string(struct random *random)
{
    static const char *const parts[] = {"a",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\x01",
                                        "\xc3\xa9",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "0123456789abcdef",
                                        "/",
                                        "\x7f",
                                        " "};
    char text[400] = "";
    uint64_t count = random_below(random, 20);

    while (count-- > 0)
        strcat(text,
               parts[random_below(random, sizeof(parts) / sizeof(parts[0]))]);
    return json_string(text);
}

static json_t *random_value(struct random *random, unsigned depth)
{
    uint64_t kind = random_below(random, depth ? 8 : 6);
    uint64_t count = random_below(random, 5);
    json_t *value;

    switch (kind) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(random_below(random, 2));
    case 2:
        return json_integer((json_int_t)random_next(random));
    case 3:
        return json_real((double)(int64_t)random_next(random) / 1e6);
    case 4:
    case 5:
        return random_string(random);
    case 6:
        value = json_array();
        while (count-- > 0)
            json_array_append_new(value, random_value(random, depth - 1));
        return value;
    default:
        value = json_object();
        while (count-- > 0) {
            json_t *name = random_string(random);

            json_object_set_new(value, json_string_value(name),
                                random_value(random, depth - 1));
            json_decref(name);
        }
        return value;
    }
}

static char *random_document(struct random *random)
{
    json_t *value = random_value(random, 5);
    size_t flags = JSON_ENCODE_ANY | JSON_INDENT(random_below(random, 3)) |
                   (random_below(random, 2) ? JSON_ENSURE_ASCII : 0) |
                   (random_below(random, 2) ? JSON_ESCAPE_SLASH : 0);
    char *text = json_dumps(value, flags);

    assert_non_null(text);
    json_decref(value);
    return text;
}

// Damage that keeps the text ASCII where it was, or doubles or drops bytes.
static void damage(struct random *random, char *text)
{
    static const char soup[] = "{}[],:\"\\ 0129eE+-.utfn\n\t";
    size_t size = strlen(text), at;

    if (!size)
        return;
    at = random_below(random, size);
    if (random_below(random, 3) == 0)
        memmove(text + at, text + at + 1, size - at);
    else
        text[at] = soup[random_below(random, sizeof(soup) - 1)];
}

// Where we differ by intent: bytes that are no UTF-8, half surrogates, numbers
// beyond a double, zero bytes in names.
static bool is_told_apart_by_intent(const json_error_t *error)
{
    return json_error_code(error) == json_error_invalid_utf8 ||
           json_error_code(error) == json_error_numeric_overflow ||
           json_error_code(error) == json_error_null_byte_in_key ||
           strstr(error->text, "invalid Unicode") != NULL;
}

static void compare_with_jansson(const char *text)
{
    size_t size = strlen(text);
    AUTO_FREE char *copy = exact_copy(text, size);
    json_error_t error;
    struct json_read in;
    json_t *theirs =
        json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    json_t *ours;
    bool ok;

    json_read_init(&in, copy, size);
    ours = read_value(&in);
    ok = json_read_end(&in);
    if (theirs && (!ok || !json_equal(ours, theirs)))
        fail_msg("%s at %zu: %s", ok ? "differs" : in.error,
                 json_read_offset(&in), text);
    if (!theirs && ok && !is_told_apart_by_intent(&error))
        fail_msg("accepted although %s: %s", error.text, text);
    json_decref(ours);
    json_decref(theirs);
}

static void test_agrees_with_jansson(void **state)
{
    struct random random = {20261122};

    (void)state;
    for (int i = 0; i < 4000; i++) {
        char *text = random_document(&random);

        compare_with_jansson(text);
        for (int j = 0; j < 3; j++) {
            damage(&random, text);
            compare_with_jansson(text);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_an_answer_as_its_caller_would),
        cmocka_unit_test(test_an_empty_string_is_not_null),
        cmocka_unit_test(test_null_is_an_empty_container_without_error),
        cmocka_unit_test(test_errors_stick_and_keep_the_first_place),
        cmocka_unit_test(test_what_is_left_unread_is_an_error),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_agrees_with_jansson),
    };
    int failed = run_table("document", documents, test_document);

    failed += run_table("string", strings, test_string);
    failed += run_table("number", numbers, test_number);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
