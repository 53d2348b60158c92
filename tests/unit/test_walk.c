#include "filter/walk.h"

#include "base/mem.h"
#include "filter/verdict.h"
#include "test.h"

/* A pattern that the walk borrows. */
static struct pattern *compile(enum pattern_view view, const char *text)
{
    struct pattern *pattern = pattern_create(view);
    struct error err = {0};
    size_t offset;

    assert_ok(pattern_add(pattern, bytes_of(text), &offset, &err), &err);
    pattern_seal(pattern);
    return pattern;
}

/* Does the event match? It must be an object. */
static bool matches(const char *text, struct bytes event)
{
    struct pattern *pattern = compile(PATTERN_VIEW_EVENT, text);
    struct verdict verdict;
    struct walk walk;

    walk_init(&walk, pattern);
    verdict = verdict_of_event(&walk, event);
    assert_int_equal(verdict.data, WALK_JSON_OBJECT);
    walk_finish(&walk);
    pattern_destroy(pattern);
    return verdict.rule != NULL;
}

static struct match_case {
    const char *name, *pattern;
    const char *yes[8], *no[8]; // events
} cases[] = {
    {"all fields, of each list one value",
     "{\"a\":[1,2],\"b\":[\"x\"]}",
     {"{\"a\":2,\"b\":\"x\"}", "{\"b\":\"x\",\"c\":[],\"a\":1}"},
     {"{\"a\":1}", "{\"a\":3,\"b\":\"x\"}", "{}"}},
    {"blanks do not matter",
     "{\"a\":{\"b\":[1]}}",
     {"\n{ \"a\"\t:\r\n{ \"b\" : 1 } }\n"},
     {NULL}},
    {"a key with escapes",
     "{\"a\\u0062\":[1]}",
     {"{\"ab\":1}", "{\"\\u0061b\":1}", "{\"\\u0061\\u0062\":1}"},
     {"{\"a\":1}", "{\"\\\\u0061b\":1}"}},
    {"a key beyond the first plane",
     "{\"\xf0\x9f\x98\x80\":[1]}",
     {"{\"\\ud83d\\ude00\":1}", "{\"\xf0\x9f\x98\x80\":1}"},
     {"{\"\\ud83d\":1}"}},
    {"a dot in an event's key goes down",
     "{\"a\":{\"b\":{\"c\":[1]}}}",
     {"{\"a.b\":{\"c\":1}}", "{\"a\":{\"b.c\":1}}", "{\"a.b.c\":1}"},
     {"{\"a.b\":1}", "{\"a\":{\"c\":1}}"}},
    {"a key twice counts both times",
     "{\"a\":[1],\"b\":{\"c\":[1],\"d\":[1]}}",
     {"{\"a\":1,\"a\":2,\"b\":{\"c\":1},\"b\":{\"d\":1}}",
      "{\"a\":2,\"a\":1,\"b\":{\"c\":1,\"d\":1,\"c\":2}}"},
     {"{\"a\":2,\"a\":3,\"b\":{\"c\":1,\"d\":1}}"}},
    {"one of an array's elements",
     "{\"a\":[1]}",
     {"{\"a\":[2,1]}", "{\"a\":[[3,[1]]]}", "{\"a\":[{\"b\":1},1]}"},
     {"{\"a\":[]}", "{\"a\":[2,3]}", "{\"a\":[{\"a\":1}]}",
      "{\"a\":{\"a\":1}}"}},
    {"below an array",
     "{\"a\":{\"b\":[1]}}",
     {"{\"a\":[{\"b\":2},{\"b\":1}]}", "{\"a\":[[{\"b\":[1]}]]}"},
     {"{\"a\":[1]}", "{\"a\":[]}", "{\"b\":1}"}},
    {"what is in between does not exist",
     "{\"a\":[{\"exists\":true}]}",
     {"{\"a\":null}", "{\"a\":\"\"}", "{\"a\":[0]}", "{\"a\":[[],1]}"},
     {"{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":[]}", "{\"a\":[{}]}", "{}"}},
    {"absent, or without its parents",
     "{\"a\":{\"b\":[{\"exists\":false}]}}",
     {"{}", "{\"a\":{}}", "{\"a\":1}", "{\"a\":{\"b\":{\"c\":1}}}",
      "{\"a\":[]}", "{\"a\":{\"b\":[]}}"},
     {"{\"a\":{\"b\":null}}", "{\"a.b\":1}", "{\"a\":[{\"b\":1}]}"}},
    {"absent or a value",
     "{\"a\":[{\"exists\":false},5]}",
     {"{}", "{\"a\":5}", "{\"a\":[6,5]}"},
     {"{\"a\":6}", "{\"a\":null}"}},
    {"a value and its fields",
     "{\"a\":[1],\"a.b\":[2]}",
     {"{\"a\":1,\"a.b\":2}", "{\"a\":[1,{\"b\":2}]}"},
     {"{\"a\":1}", "{\"a\":{\"b\":2}}"}},
    {"$or, and beside it",
     "{\"t\":[0],\"$or\":[{\"a\":[1]},{\"b\":[1],\"c\":[1]}]}",
     {"{\"t\":0,\"a\":1}", "{\"t\":0,\"b\":1,\"c\":1}"},
     {"{\"a\":1}", "{\"t\":0,\"b\":1}", "{\"t\":0}"}},
    {"$or within $or, the same field in both",
     "{\"$or\":[{\"a\":[1],\"$or\":[{\"b\":[1]},{\"b\":[2]}]},{\"a\":[2]}]}",
     {"{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}", "{\"a\":2}"},
     {"{\"a\":1,\"b\":3}", "{\"b\":1}", "{\"a\":3,\"b\":1}"}},
    {"a field of an event may be called $or",
     "{\"a\":{\"$or\":[{\"b\":[1]},{\"c\":[1]}]}}",
     {"{\"a\":{\"c\":1,\"$or\":5}}"},
     {"{\"a\":{\"$or\":{\"c\":1}}}"}},
    {"JSON within a string stays a string",
     "{\"a\":{\"b\":[1]}}",
     {NULL},
     {"{\"a\":\"{\\\"b\\\":1}\"}"}},
    {"an empty key", "{\"\":[1]}", {"{\"\":1}"}, {"{\"a\":1}", "{\" \":1}"}},
};

static void test_match(void **state)
{
    const struct match_case *c = *state;

    for (size_t i = 0; c->yes[i]; i++)
        if (!matches(c->pattern, bytes_of(c->yes[i])))
            fail_msg("%s must match", c->yes[i]);
    for (size_t i = 0; c->no[i]; i++)
        if (matches(c->pattern, bytes_of(c->no[i])))
            fail_msg("%s must not match", c->no[i]);
}

/* ---- what is JSON ---------------------------------------------------------
 */

static struct json_case {
    const char *name;
    struct bytes text;
    enum walk_json type;
} documents[] = {
    {"an object", BYTES("{\"a\":1}"), WALK_JSON_OBJECT},
    {"an array", BYTES(" [1] "), WALK_JSON_ARRAY},
    {"a string", BYTES("\"a\""), WALK_JSON_SCALAR},
    {"a number", BYTES("5"), WALK_JSON_SCALAR},
    {"a word", BYTES("null\n"), WALK_JSON_SCALAR},
    {"nothing", BYTES(""), WALK_JSON_NONE},
    {"blanks", BYTES("  \n"), WALK_JSON_NONE},
    {"text", BYTES("hello"), WALK_JSON_NONE},
    {"a number and more", BYTES("5 apples"), WALK_JSON_NONE},
    {"two documents", BYTES("{} {}"), WALK_JSON_NONE},
    {"cut", BYTES("{\"a\":1"), WALK_JSON_NONE},
    {"a mark in front", BYTES("\xef\xbb\xbf{\"a\":1}"), WALK_JSON_NONE},
    {"a NUL behind it", BYTES("{\"a\":1}\0"), WALK_JSON_NONE},
    {"a NUL within", BYTES("{\"a\":\"\0\"}"), WALK_JSON_NONE},
    {"UTF-8", BYTES("{\"\xc3\xa4\":\"\xf0\x9f\x98\x80\"}"), WALK_JSON_OBJECT},
    {"a value that is not UTF-8", BYTES("{\"a\":\"\xff\"}"), WALK_JSON_NONE},
    {"a key that is not UTF-8", BYTES("{\"\xc3\":1}"), WALK_JSON_NONE},
    {"an overlong form", BYTES("{\"a\":\"\xc0\xaf\"}"), WALK_JSON_NONE},
    {"half a pair as UTF-8", BYTES("{\"a\":\"\xed\xa0\xbd\"}"), WALK_JSON_NONE},
    {"wrong behind all that is asked for",
     BYTES("{\"a\":1,\"z\":[1,{\"y\":}]}"), WALK_JSON_NONE},
};

static void see(void *context, uint32_t condition,
                const struct criterion_value *value,
                const struct criterion *found)
{
    size_t *count = context;

    (void)condition;
    (void)value;
    (void)found;
    ++*count;
}

static void test_json(void **state)
{
    const struct json_case *c = *state;
    struct pattern *pattern =
        compile(PATTERN_VIEW_EVENT, "{\"a\":[{\"exists\":true}]}");
    size_t seen = 0;
    struct walk walk;

    walk_init(&walk, pattern);
    walk_begin(&walk);
    assert_int_equal(walk_json(&walk, PATTERN_ROOT, c->text), c->type);
    if (c->type == WALK_JSON_NONE)
        assert_false(walk_holds(&walk, &pattern->rules[0]));
    walk.observe = see;
    walk.context = &seen;
    walk_begin(&walk);
    assert_int_equal(walk_json(&walk, PATTERN_ROOT, c->text), c->type);
    if (c->type == WALK_JSON_NONE)
        assert_int_equal(seen, 0);
    walk_finish(&walk);
    pattern_destroy(pattern);
}

/* An event of many levels, around a value. */
static char *nested(int depth, const char *open, const char *shut)
{
    struct buffer text;

    buffer_init(&text, 1 << 20);
    for (int i = 0; i < depth; i++)
        buffer_append_text(&text, open);
    buffer_append_text(&text, "1");
    for (int i = 0; i < depth; i++)
        buffer_append_text(&text, shut);
    return buffer_detach(&text);
}

static enum walk_json type_of(struct walk *walk, const char *text)
{
    walk_begin(walk);
    return walk_json(walk, PATTERN_ROOT, bytes_of(text));
}

static void test_nesting_is_bounded(void **state)
{
    static const char *const brackets[][2] = {
        {"[", "]"}, {"{\"a\":", "}"}, {"{\"z\":", "}"}, {"[{\"a\":", "}]"}};
    struct pattern *pattern = compile(PATTERN_VIEW_EVENT, "{\"a\":[1]}");
    struct walk walk;

    (void)state;
    walk_init(&walk, pattern);
    for (size_t i = 0; i < 4; i++) {
        const char *open = brackets[i][0], *shut = brackets[i][1];
        int most = SCAN_DEPTH_LIMIT / (*open == '[' && open[1] ? 2 : 1);
        AUTO_FREE char *good = nested(most, open, shut);
        AUTO_FREE char *bad = nested(most + 1, open, shut);
        AUTO_FREE char *far = nested(100000, open, shut);

        assert_int_not_equal(type_of(&walk, good), WALK_JSON_NONE);
        assert_int_equal(type_of(&walk, bad), WALK_JSON_NONE);
        assert_int_equal(type_of(&walk, far), WALK_JSON_NONE);
    }
    walk_finish(&walk);
    pattern_destroy(pattern);
}

/* What one record left behind does not count for the next. */
static void test_a_walk_forgets(void **state)
{
    struct pattern *pattern =
        compile(PATTERN_VIEW_EVENT, "{\"a\":[1],\"b\":{\"c\":[1],\"d\":[1]}}");
    struct verdict verdict;
    struct walk walk;

    (void)state;
    walk_init(&walk, pattern);
    verdict =
        verdict_of_event(&walk, BYTES("{\"a\":1,\"b\":[{\"c\":1,\"d\":1}]}"));
    assert_non_null(verdict.rule);
    verdict = verdict_of_event(&walk, BYTES("{\"b\":{\"c\":1,\"d\":1}}"));
    assert_null(verdict.rule);
    verdict = verdict_of_event(&walk, BYTES("{\"a\":1,\"b\":[{\"c\":1}"));
    assert_null(verdict.rule);
    verdict = verdict_of_event(&walk, BYTES("{\"a\":1,\"b\":[{\"d\":1}]}"));
    assert_null(verdict.rule);
    walk_finish(&walk);
    pattern_destroy(pattern);
}

/* Each place of a document cut short: nothing of it counts, and under a
 * sanitizer nothing behind it is read. */
static void test_every_cut_is_seen(void **state)
{
    static const char whole[] = "{\"a\":[{\"\\u0062\":1.5e-7},{\"b\":"
                                "\"\\uD83D\\uDE00\"},null],\"z\":{}}";
    struct pattern *pattern = compile(
        PATTERN_VIEW_EVENT,
        "{\"a\":{\"b\":[{\"exists\":true}],\"c\":[{\"exists\":false}]}}");
    struct walk walk;

    (void)state;
    walk_init(&walk, pattern);
    for (size_t size = 0; size <= strlen(whole); size++) {
        struct verdict verdict =
            verdict_of_event(&walk, (struct bytes){whole, size});

        assert_int_equal(verdict.rule != NULL, size == strlen(whole));
    }
    walk_finish(&walk);
    pattern_destroy(pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_a_walk_forgets),
        cmocka_unit_test(test_every_cut_is_seen),
    };

    return run_table("match", cases, test_match) +
           run_table("json", documents, test_json) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
