#include "filter/criterion.h"

#include "base/mem.h"
#include "filter/pattern.h"
#include "filter/scan.h"
#include "test.h"

#define ADDRESS "::ffff:a00:1"

/* A list of a pattern, values that it takes and values that it does not: JSON,
 * a value by itself. NULL ends them. */
static struct list_case {
    const char *name, *list;
    const char *yes[10], *no[10];
} lists[] = {
    {"a string, to the letter",
     "[\"Ann\"]",
     {"\"Ann\"", "\"\\u0041nn\"", "\"\\u0041\\u006e\\u006E\""},
     {"\"ann\"", "\"Ann \"", "\"An\"", "\"\"", "5", "null", "true"}},
    {"a string of the pattern with escapes",
     "[\"\\u0041\\n\\\"\\\\\\/\"]",
     {"\"A\\n\\\"\\\\/\"", "\"A\\u000a\\u0022\\u005c\\u002f\""},
     {"\"A\\n\\\"\\\\\"", "\"A\\\\n\\\"\\\\/\""}},
    {"characters beyond the first plane",
     "[\"\\ud83d\\ude00\", \"\xf0\x9f\x90\xb9\"]",
     {"\"\xf0\x9f\x98\x80\"", "\"\\uD83D\\uDE00\"", "\"\\ud83d\\udc39\""},
     {"\"\\ud83d\"", "\"\xef\xbf\xbd\""}},
    {"half a pair is U+FFFD, there and here",
     "[\"\\ud83d\"]",
     {"\"\\ud83d\"", "\"\\ude00\"", "\"\xef\xbf\xbd\""},
     {"\"\""}},
    {"forms of one letter are two texts",
     "[\"\xc3\xa4\"]",
     {"\"\xc3\xa4\"", "\"\\u00e4\""},
     {"\"a\\u0308\""}},
    {"a NUL is a character",
     "[\"a\\u0000b\"]",
     {"\"a\\u0000b\""},
     {"\"a\"", "\"ab\""}},
    {"the empty string", "[\"\"]", {"\"\""}, {"\" \"", "null"}},
    {"many strings",
     "[\"b\", \"aa\", \"\", \"c\", \"abc\", \"a\", \"b\"]",
     {"\"a\"", "\"b\"", "\"c\"", "\"aa\"", "\"abc\"", "\"\""},
     {"\"ab\"", "\"d\"", "\"aaa\""}},
    {"strings between operators",
     "[{\"prefix\": \"x\"}, \"b\", 5, \"a\", {\"suffix\": \"z\"}]",
     {"\"a\"", "\"b\"", "\"xx\"", "\"yz\"", "5"},
     {"\"c\"", "6"}},
    {"exactly", "[{\"exactly\": \"x\"}]", {"\"x\""}, {"\"X\"", "\"xx\""}},

    {"a number by its value",
     "[300]",
     {"300", "300.0", "3e2", "3E+2", "30000e-2"},
     {"301", "300.0000000000000000001", "-300", "\"300\""}},
    {"numbers that no double holds",
     "[1e400, 9007199254740993]",
     {"1e400", "10e399", "9007199254740993.0"},
     {"1e401", "9007199254740992", "9007199254740994"}},
    {"zero", "[-0]", {"0", "-0", "0.0", "-0e5"}, {"1e-400", "\"0\"", "false"}},
    {"words",
     "[true, null]",
     {"true", "null"},
     {"false", "\"true\"", "\"null\"", "1", "0", "\"\""}},
    {"false", "[false]", {"false"}, {"true", "null", "0"}},

    {"a prefix",
     "[{\"prefix\": \"us-\"}]",
     {"\"us-\"", "\"us-east\"", "\"\\u0075s-x\""},
     {"\"us\"", "\"US-\"", "\"eus-\"", "5"}},
    {"an empty prefix is any string",
     "[{\"prefix\": \"\"}]",
     {"\"\"", "\"a\""},
     {"5", "null"}},
    {"a suffix",
     "[{\"suffix\": \".png\"}]",
     {"\".png\"", "\"a.png\""},
     {"\"png\"", "\"a.PNG\"", "\".png \""}},
    {"a text that is shorter",
     "[{\"suffix\": \"abc\"}]",
     {"\"abc\""},
     {"\"bc\"", "\"\""}},
    {"ignoring case",
     "[{\"equals-ignore-case\": \"Ann\"}]",
     {"\"ann\"", "\"ANN\"", "\"aNn\""},
     {"\"anne\"", "\"an\"", "\"xann\"", "5"}},
    {"ignoring case beyond ASCII",
     "[{\"equals-ignore-case\": \"\xc3\x84ra \xd0\x94\"}]",
     {"\"\xc3\xa4RA \xd0\xb4\"", "\"\xc3\x84ra \xd0\x94\""},
     {"\"ara \xd0\xb4\""}},
    {"an end ignoring case",
     "[{\"prefix\": {\"equals-ignore-case\": \"ev\"}}, "
     "{\"suffix\": {\"equals-ignore-case\": \"ID\"}}]",
     {"\"EVent\"", "\"eV\"", "\"orderId\""},
     {"\"e\"", "\"xev\"", "\"idx\""}},

    {"a wildcard in the middle",
     "[{\"wildcard\": \"a*b\"}]",
     {"\"ab\"", "\"axb\"", "\"a*b\"", "\"abab\""},
     {"\"a\"", "\"b\"", "\"abx\"", "\"xab\""}},
    {"wildcards at the ends",
     "[{\"wildcard\": \"*mid*\"}]",
     {"\"mid\"", "\"xmidx\"", "\"midmid\""},
     {"\"mi\"", "\"id\"", "\"\""}},
    {"a wildcard alone",
     "[{\"wildcard\": \"*\"}]",
     {"\"\"", "\"any\""},
     {"5", "null"}},
    {"no wildcard at all",
     "[{\"wildcard\": \"ab\"}]",
     {"\"ab\""},
     {"\"a\"", "\"abc\""}},
    {"an empty wildcard", "[{\"wildcard\": \"\"}]", {"\"\""}, {"\"a\""}},
    {"pieces do not overlap",
     "[{\"wildcard\": \"ab*ba\"}]",
     {"\"abba\"", "\"abxba\""},
     {"\"aba\"", "\"ab\""}},
    {"pieces in their order",
     "[{\"wildcard\": \"*a*b*c\"}]",
     {"\"abc\"", "\"xaxbxc\"", "\"aabbcc\""},
     {"\"acb\"", "\"abcx\"", "\"bac\""}},
    {"a star that is meant",
     "[{\"wildcard\": \"a\\\\**\\\\\\\\\"}]",
     {"\"a*\\\\\"", "\"a*xyz\\\\\""},
     {"\"a\\\\\"", "\"ax\\\\\"", "\"a*\""}},

    {"above and up to",
     "[{\"numeric\": [\">\", 0, \"<=\", 5]}]",
     {"5", "5.0", "0.1", "1e-400", "4.9999999999999999999"},
     {"0", "-0", "5.0000000000000000001", "1e400", "-1", "\"3\""}},
    {"at least",
     "[{\"numeric\": [\">=\", -1.5]}]",
     {"-1.5", "-15e-1", "1e999"},
     {"-1.51", "-1e999", "true"}},
    {"below",
     "[{\"numeric\": [\"<\", 1e3]}]",
     {"999.9", "-1e999"},
     {"1000", "1000.0"}},
    {"equal", "[{\"numeric\": [\"=\", 0]}]", {"0", "-0.0"}, {"1e-999", "null"}},

    {"a block of addresses",
     "[{\"cidr\": \"10.0.0.0/24\"}]",
     {"\"10.0.0.0\"", "\"10.0.0.255\"", "\"" ADDRESS "\""},
     {"\"10.0.1.0\"", "\"10.0.0.0/24\"", "\"x\"", "\"\"", "10"}},
    {"a string that is an address is compared as one",
     "[\"10.0.0.1\"]",
     {"\"10.0.0.1\"", "\"" ADDRESS "\"", "\"010.0.0.1\""},
     {"\"10.0.0.2\"", "\"10.0.0.1 \""}},

    {"exists", "[{\"exists\": true}]", {"\"\"", "null", "false", "0"}, {NULL}},
    {"exists false is no value's",
     "[{\"exists\": false}]",
     {NULL},
     {"\"\"", "null", "0"}},

    {"anything but a string",
     "[{\"anything-but\": \"x\"}]",
     {"\"X\"", "\"\"", "5", "null", "true"},
     {"\"x\"", "\"\\u0078\""}},
    {"anything but strings",
     "[{\"anything-but\": [\"x\", \"y\"]}]",
     {"\"z\"", "null"},
     {"\"x\"", "\"y\""}},
    {"anything but a number",
     "[{\"anything-but\": 404}]",
     {"200", "\"404\"", "null"},
     {"404", "404.0", "4.04e2"}},
    {"anything but numbers",
     "[{\"anything-but\": [1, 2]}]",
     {"3", "\"1\""},
     {"1", "2.0"}},
    {"anything but a beginning",
     "[{\"anything-but\": {\"prefix\": [\"a\", \"b\"]}}]",
     {"\"c\"", "\"\"", "5", "null"},
     {"\"a\"", "\"bx\""}},
    {"anything but an end",
     "[{\"anything-but\": {\"suffix\": \"z\"}}]",
     {"\"zx\"", "5"},
     {"\"z\"", "\"xz\""}},
    {"anything but, ignoring case",
     "[{\"anything-but\": {\"equals-ignore-case\": [\"Draft\", \"void\"]}}]",
     {"\"drafts\"", "5"},
     {"\"DRAFT\"", "\"Void\""}},
    {"anything but what looks so",
     "[{\"anything-but\": {\"wildcard\": [\"*/tmp/*\", \"*.bak\"]}}]",
     {"\"/tmp\"", "\"a\"", "null"},
     {"\"/tmp/\"", "\"a.bak\""}},
    {"one of two exclusions is enough",
     "[{\"anything-but\": \"x\"}, {\"anything-but\": \"y\"}]",
     {"\"x\"", "\"y\"", "\"z\""},
     {NULL}},
};

static struct criterion_value value_of(char *text)
{
    struct criterion_value value = {VALUE_NUMBER, bytes_of(text)};

    if (*text == '"') {
        value.kind = VALUE_TEXT;
        value.text.data = text + 1;
        value.text.size = scan_decode(text + 1, strlen(text) - 2);
    } else if (*text == 't' || *text == 'f' || *text == 'n') {
        value.kind = *text == 't'   ? VALUE_TRUE
                     : *text == 'f' ? VALUE_FALSE
                                    : VALUE_NULL;
    }
    return value;
}

static void check(const struct criteria *criteria, const char *json,
                  bool matches)
{
    AUTO_FREE char *text = mem_strdup(json);
    struct criterion_value value = value_of(text);

    if ((criteria_find(criteria, &value) != NULL) != matches)
        fail_msg("%s must%s match", json, matches ? "" : " not");
}

static void test_list(void **state)
{
    const struct list_case *c = *state;
    AUTO_FREE char *text = mem_printf("{\"a\": %s}", c->list);
    struct pattern *pattern = pattern_create(PATTERN_VIEW_EVENT);
    struct error err = {0};
    size_t offset;

    assert_ok(pattern_add(pattern, bytes_of(text), &offset, &err), &err);
    pattern_seal(pattern);
    for (size_t i = 0; c->yes[i]; i++)
        check(&pattern->conditions[0].criteria, c->yes[i], true);
    for (size_t i = 0; c->no[i]; i++)
        check(&pattern->conditions[0].criteria, c->no[i], false);
    pattern_destroy(pattern);
}

/* The criterion that matched is told, as it stands in the pattern. */
static void test_it_tells_which_one_matched(void **state)
{
    struct pattern *pattern = pattern_create(PATTERN_VIEW_EVENT);
    char text[] = "\"xyz\"";
    struct criterion_value value = value_of(text);
    const struct criterion *found;
    struct error err = {0};
    size_t offset;

    (void)state;
    assert_ok(pattern_add(pattern,
                          BYTES("{\"a\": [\"b\", { \"suffix\":\"z\" }, 5]}"),
                          &offset, &err),
              &err);
    pattern_seal(pattern);
    found = criteria_find(&pattern->conditions[0].criteria, &value);
    assert_non_null(found);
    assert_true(bytes_equal(found->source, BYTES("{ \"suffix\":\"z\" }")));
    pattern_destroy(pattern);
}

/* No operator goes back in its text: this would take 2^40 steps otherwise. */
static void test_a_wildcard_takes_no_time(void **state)
{
    struct pattern *pattern = pattern_create(PATTERN_VIEW_EVENT);
    AUTO_FREE char *text = mem_calloc(1, 100003);
    struct criterion_value value;
    struct error err = {0};
    size_t offset;

    (void)state;
    assert_ok(
        pattern_add(pattern,
                    BYTES("{\"a\":[{\"wildcard\":\"*a*a*a*a*a*a*a*a*a*a*a*a*a*"
                          "a*a*a*a*a*a*a*b\"}]}"),
                    &offset, &err),
        &err);
    pattern_seal(pattern);
    memset(text, 'a', 100002);
    text[0] = text[100001] = '"';
    value = value_of(text);
    assert_null(criteria_find(&pattern->conditions[0].criteria, &value));
    pattern_destroy(pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_tells_which_one_matched),
        cmocka_unit_test(test_a_wildcard_takes_no_time),
    };

    return run_table("list", lists, test_list) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
