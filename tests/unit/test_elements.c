#include "filter/elements.h"

#include "base/mem.h"
#include "filter/verdict.h"
#include "test.h"

static struct pattern *compile(const char *text)
{
    struct pattern *pattern = pattern_create(PATTERN_VIEW_EVENT);
    struct error err = {0};
    size_t offset;

    assert_ok(pattern_add(pattern, bytes_of(text), &offset, &err), &err);
    pattern_seal(pattern);
    return pattern;
}

/* The verdict, and whether it was given up. */
static bool judge(const char *text, struct bytes event, bool *gave_up)
{
    struct pattern *pattern = compile(text);
    struct verdict verdict;
    struct walk walk;

    walk_init(&walk, pattern);
    verdict = verdict_of_event(&walk, event);
    assert_int_equal(verdict.data, WALK_JSON_OBJECT);
    *gave_up = walk.elements.gave_up;
    walk_finish(&walk);
    pattern_destroy(pattern);
    return verdict.rule != NULL;
}

#define BOTH "{\"i\":{\"s\":[\"a\"],\"n\":[2]}}"

static struct element_case {
    const char *name, *pattern;
    const char *yes[8], *no[8]; // events
} cases[] = {
    {"both within one element",
     BOTH,
     {"{\"i\":[{\"s\":\"a\",\"n\":2}]}",
      "{\"i\":[{\"n\":1},{\"n\":2,\"s\":\"a\"}]}",
      "{\"i\":{\"s\":\"a\",\"n\":2}}", "{\"i\":[[{\"s\":\"a\",\"n\":2}]]}",
      "{\"i\":[{\"s\":[\"b\",\"a\"],\"n\":[1,2]}]}"},
     {"{\"i\":[{\"s\":\"a\"},{\"n\":2}]}",
      "{\"i\":[{\"s\":\"a\",\"n\":1},{\"s\":\"b\",\"n\":2}]}", "{\"i\":[]}",
      "{\"i\":[[{\"s\":\"a\"}],[{\"n\":2}]]}"}},
    // Two arrays, so their elements do not exclude each other.
    {"the key twice: fields spread over both arrays",
     BOTH,
     {"{\"i\":[{\"s\":\"a\"}],\"i\":[{\"s\":\"a\",\"n\":2}]}",
      "{\"i\":[{\"s\":\"a\",\"n\":2}],\"i\":[{\"s\":\"a\"}]}",
      "{\"i\":[{\"s\":\"a\"}],\"i\":[{\"n\":2}]}"},
     {"{\"i\":[{\"s\":\"a\"}],\"i\":[{\"n\":1}]}"}},
    {"arrays within arrays",
     "{\"o\":{\"k\":[1],\"i\":{\"s\":[\"a\"],\"n\":[2]}}}",
     {"{\"o\":[{\"k\":1,\"i\":[{\"s\":\"b\"},{\"s\":\"a\",\"n\":2}]}]}",
      "{\"o\":[{\"k\":2},{\"k\":1,\"i\":{\"s\":\"a\",\"n\":2}}]}"},
     {"{\"o\":[{\"k\":1},{\"i\":[{\"s\":\"a\",\"n\":2}]}]}",
      "{\"o\":[{\"k\":1,\"i\":[{\"s\":\"a\"},{\"n\":2}]}]}",
      "{\"o\":[{\"k\":1,\"i\":[{\"s\":\"a\",\"n\":1}]},"
      "{\"k\":1,\"i\":[{\"n\":2}]}]}"}},
    {"two arrays do not bind each other",
     "{\"a\":{\"x\":[1],\"y\":[1]},\"b\":{\"z\":[1]}}",
     {"{\"a\":[{\"x\":0},{\"x\":1,\"y\":1}],\"b\":[{\"z\":0},{\"z\":1}]}"},
     {"{\"a\":[{\"x\":1},{\"y\":1}],\"b\":[{\"z\":1}]}"}},
    {"values of an array do not bind",
     "{\"a\":[1],\"b\":[1]}",
     {"{\"a\":[0,1],\"b\":[1,0]}"},
     {"{\"a\":[1],\"b\":[0]}"}},
    {"each way of $or by itself",
     "{\"$or\":[{\"i\":{\"s\":[\"a\"],\"n\":[2]}},"
     "{\"i\":{\"s\":[\"b\"],\"n\":[1]}}]}",
     {"{\"i\":[{\"s\":\"b\",\"n\":1},{\"s\":\"a\",\"n\":3}]}"},
     {"{\"i\":[{\"s\":\"a\",\"n\":1},{\"s\":\"b\",\"n\":2}]}"}},
    {"absent from the element that the others are in",
     "{\"i\":{\"a\":[1],\"gone\":[{\"exists\":false}]}}",
     {"{\"i\":[{\"a\":1}]}", "{\"i\":[{\"a\":1},{\"gone\":1}]}",
      "{\"i\":[{\"a\":1,\"gone\":1},{\"a\":1}]}"},
     {"{\"i\":[{\"a\":1,\"gone\":1}]}", "{\"i\":[{\"a\":2}]}"}},
};

static void test_element(void **state)
{
    const struct element_case *c = *state;
    bool gave_up;

    for (size_t i = 0; c->yes[i]; i++)
        if (!judge(c->pattern, bytes_of(c->yes[i]), &gave_up))
            fail_msg("%s must match", c->yes[i]);
    for (size_t i = 0; c->no[i]; i++)
        if (judge(c->pattern, bytes_of(c->no[i]), &gave_up))
            fail_msg("%s must not match", c->no[i]);
}

/* {"i":[ELEMENT, ... ELEMENT, LAST]} */
static char *array_of(size_t count, const char *element, const char *last)
{
    struct buffer text;

    buffer_init(&text, (size_t)256 << 20);
    buffer_append_text(&text, "{\"i\":[");
    for (size_t i = 0; i < count; i++)
        buffer_printf(&text, "%s,", element);
    buffer_printf(&text, "%s]}", last);
    assert_true(buffer_ok(&text));
    return buffer_detach(&text);
}

static void test_many_elements_are_judged(void **state)
{
    AUTO_FREE char *in =
        array_of(100000, "{\"s\":\"a\",\"n\":1}", "{\"s\":\"a\",\"n\":2}");
    AUTO_FREE char *out =
        array_of(100000, "{\"s\":\"a\",\"n\":1}", "{\"s\":\"b\",\"n\":2}");
    bool gave_up;

    (void)state;
    assert_true(judge(BOTH, bytes_of(in), &gave_up));
    assert_false(gave_up);
    assert_false(judge(BOTH, bytes_of(out), &gave_up));
    assert_false(gave_up);
}

/* Losing a record would be worse than handing out one too many. */
static void test_what_is_too_large_to_judge_is_wanted(void **state)
{
    AUTO_FREE char *huge =
        array_of(ELEMENTS_LIMIT, "{\"s\":\"a\"}", "{\"n\":2}");
    AUTO_FREE char *without = array_of(ELEMENTS_LIMIT, "{\"s\":\"a\"}", "{}");
    bool gave_up;

    (void)state;
    assert_true(judge(BOTH, bytes_of(huge), &gave_up));
    assert_true(gave_up);
    // One of the two is nowhere: that needs no judging.
    assert_false(judge(BOTH, bytes_of(without), &gave_up));
}

/* Text that is not JSON is not wanted, however large its arrays were. */
static void test_what_is_no_json_is_not_given_up(void **state)
{
    AUTO_FREE char *cut =
        array_of(ELEMENTS_LIMIT, "{\"s\":\"a\"}", "{\"n\":2}");
    struct pattern *pattern = compile(BOTH);
    struct verdict verdict;
    struct walk walk;

    (void)state;
    walk_init(&walk, pattern);
    verdict = verdict_of_event(&walk, (struct bytes){cut, strlen(cut) - 1});
    assert_int_equal(verdict.data, WALK_JSON_NONE);
    assert_null(verdict.rule);
    assert_false(walk.elements.gave_up);
    // And the next is judged as ever.
    verdict =
        verdict_of_event(&walk, BYTES("{\"i\":[{\"s\":\"a\"},{\"n\":2}]}"));
    assert_null(verdict.rule);
    walk_finish(&walk);
    pattern_destroy(pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_elements_are_judged),
        cmocka_unit_test(test_what_is_too_large_to_judge_is_wanted),
        cmocka_unit_test(test_what_is_no_json_is_not_given_up),
    };

    return run_table("elements", cases, test_element) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
