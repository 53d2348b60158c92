#include "filter/explain.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "filter/filter.h"
#include "filter/filter_config.h"
#include "filter/trial.h"
#include "test.h"

/* A pattern on an event as it is, and all that is said. */
static struct event_case {
    const char *name, *pattern, *event;
    bool matches;
    const char *why;
} events[] = {
    {"which value by which entry", "{\"a\":[\"y\",{\"prefix\":\"x\"}]}",
     "{\"a\":\"xz\"}", true,
     "match:\n"
     "  a: \"xz\" matches {\"prefix\":\"x\"}\n"},
    {"a line a field, in order of paths", "{\"b\":{\"c\":[1]},\"a\":[null]}",
     "{\"a\":null,\"b\":{\"c\":1.0}}", true,
     "match:\n"
     "  a: null matches null\n"
     "  b.c: 1.0 matches 1\n"},
    {"what is absent", "{\"a\":{\"b\":[1, 2]}}", "{\"a\":{}}", false,
     "no match:\n"
     "  a.b: is absent; wanted [1, 2]\n"},
    {"what is absent and should be", "{\"a\":[{\"exists\":false}]}", "{}", true,
     "match:\n"
     "  a: is absent, as wanted\n"},
    {"what is there and should not be", "{\"a\":[{\"exists\":false}]}",
     "{\"a\":5}", false,
     "no match:\n"
     "  a: 5 does not match [{\"exists\":false}]\n"},
    {"only what fails", "{\"a\":[1],\"b\":[1],\"c\":[1]}",
     "{\"a\":1,\"b\":2,\"c\":1}", false,
     "no match:\n"
     "  b: 2 does not match [1]\n"},
    {"some of many values", "{\"a\":[9]}", "{\"a\":[1,2,3,4,5]}", false,
     "no match:\n"
     "  a: 1, 2, 3 ... does not match [9]\n"},
    {"the one of many that matches", "{\"a\":[9]}", "{\"a\":[1,2,3,4,9,5]}",
     true,
     "match:\n"
     "  a: 9 matches 9\n"},
    {"an object in the place of a value", "{\"a\":[{\"exists\":true}]}",
     "{\"a\":{\"b\":1}}", false,
     "no match:\n"
     "  a: is absent; wanted [{\"exists\":true}]\n"},
    {"not within one element", "{\"i\":{\"s\":[\"a\"],\"n\":[2]}}",
     "{\"i\":[{\"s\":\"a\"},{\"n\":2}]}", false,
     "no match:\n"
     "  each field matches, but not all of them within one element of an "
     "array: i.n, i.s\n"},
    {"absent from one element only",
     "{\"i\":{\"a\":[1],\"gone\":[{\"exists\":false}]}}",
     "{\"i\":[{\"a\":1},{\"gone\":1}]}", true,
     "match:\n"
     "  i.a: 1 matches 1\n"
     "  i.gone: is absent from that element, as wanted\n"},
    {"the way of $or that holds",
     "{\"a\":[1],\"$or\":[{\"b\":[1]},{\"c\":[1]}]}", "{\"a\":1,\"c\":1}", true,
     "match by way 2 of $or:\n"
     "  a: 1 matches 1\n"
     "  c: 1 matches 1\n"},
    {"each way of $or that does not", "{\"$or\":[{\"b\":[1]},{\"c\":[1]}]}",
     "{\"b\":2}", false,
     "no match by way 1 of $or:\n"
     "  b: 2 does not match [1]\n"
     "no match by way 2 of $or:\n"
     "  c: is absent; wanted [1]\n"},
    {"the first ways of many",
     "{\"$or\":[{\"a\":[1]},{\"a\":[2]},{\"a\":[3]},{\"a\":[4]},{\"a\":[5]},"
     "{\"a\":[6]},{\"a\":[7]}]}",
     "{}", false,
     "no match by way 1 of $or:\n  a: is absent; wanted [1]\n"
     "no match by way 2 of $or:\n  a: is absent; wanted [2]\n"
     "no match by way 3 of $or:\n  a: is absent; wanted [3]\n"
     "no match by way 4 of $or:\n  a: is absent; wanted [4]\n"
     "no match by way 5 of $or:\n  a: is absent; wanted [5]\n"
     "no match: 2 more\n"},
    {"control characters are escaped", "{\"a\":[\"x\"]}",
     "{\"a\":\"\\u001b\\u0007\\n\"}", false,
     "no match:\n"
     "  a: \"\\u001b\\u0007\\n\" does not match [\"x\"]\n"},
    {"the start of what is long", "{\"a\":[\"x\"]}",
     "{\"a\":\"0123456789012345678901234567890123456789012345678901234567890123"
     "456789\"}",
     false,
     "no match:\n"
     "  a: \"01234567890123456789012345678901234567890123456789012345678... "
     "does not match [\"x\"]\n"},
    {"a number of many digits", "{\"a\":[1]}",
     "{\"a\":1234567890123456789012345678901234567890123456789012345678901234}",
     false,
     "no match:\n"
     "  a: 123456789012345678901234567890123456789012345678901234567890... "
     "does not match [1]\n"},
};

static void test_event(void **state)
{
    const struct event_case *c = *state;
    struct error err = {0};
    struct trial *trial;
    struct buffer why;
    bool matches;
    size_t offset;

    trial =
        trial_create(PATTERN_VIEW_EVENT, bytes_of(c->pattern), &offset, &err);
    assert_ok(trial != NULL, &err);
    buffer_init(&why, 4096);
    assert_ok(trial_event(trial, bytes_of(c->event), &matches, &why, &err),
              &err);
    assert_string_equal(buffer_text(&why), c->why);
    assert_int_equal(matches, c->matches);
    buffer_finish(&why);
    trial_destroy(trial);
}

/* ---- records --------------------------------------------------------------
 */

static const struct record_origin queue = {
    .kind = RECORD_SQS, .arn = "arn:aws:sqs:r:1:q", .region = "r"};

static struct body_case {
    const char *name, *pattern, *body;
    bool matches;
    const char *why;
} bodies[] = {
    {"fields of what is no JSON", "{\"body\":{\"t\":[\"x\"]}}", "hello", false,
     "no match:\n"
     "  body: is not JSON, and the pattern asks for its fields\n"},
    {"fields of what is nearly JSON", "{\"body\":{\"t\":[\"x\"]}}",
     "{\"t\":\"x\"", false,
     "no match:\n"
     "  body: is not JSON, and the pattern asks for its fields\n"},
    {"text of what is JSON", "{\"body\":[\"x\"]}", "{\"t\":\"x\"}", false,
     "no match:\n"
     "  body: is JSON, and the pattern wants plain text\n"},
    {"text", "{\"body\":[\"hello\"]}", "hello", true,
     "match:\n"
     "  body: \"hello\" matches \"hello\"\n"},
    {"a number by itself is JSON", "{\"body\":[\"5\"]}", "5", false,
     "no match:\n"
     "  body: 5 does not match [\"5\"]\n"},
    {"what only begins as JSON is told as the text that it is",
     "{\"body\":[5]}", "5 apples", false,
     "no match:\n"
     "  body: \"5 apples\" does not match [5]\n"},
    {"nothing at all", "{\"body\":[\"x\"]}", "", false,
     "no match:\n"
     "  body: \"\" does not match [\"x\"]\n"},
    {"beside the data", "{\"body\":{\"t\":[1]},\"awsRegion\":[\"s\"]}",
     "{\"t\":1}", false,
     "no match:\n"
     "  awsRegion: \"r\" does not match [\"s\"]\n"},
};

static void test_body(void **state)
{
    const struct body_case *c = *state;
    const struct record record = {.origin = &queue, .data = bytes_of(c->body)};
    struct error err = {0};
    struct trial *trial;
    struct buffer why;
    size_t offset;

    trial = trial_create(PATTERN_VIEW_SQS, bytes_of(c->pattern), &offset, &err);
    assert_ok(trial != NULL, &err);
    buffer_init(&why, 4096);
    assert_int_equal(trial_record(trial, &record, &why), c->matches);
    assert_string_equal(buffer_text(&why), c->why);
    buffer_finish(&why);
    trial_destroy(trial);
}

/* Ways of $or count from 1 in each filter. */
static void test_filters_are_named_by_number(void **state)
{
    char one[] = "{\"body\":{\"t\":[1]}}";
    char two[] = "{\"$or\":[{\"body\":{\"t\":[2]}},"
                 "{\"body\":{\"u\":[2]}}]}";
    struct filter_config_item items[] = {{one}, {two}};
    const struct filter_config config = {
        .filters = {.items = items, .count = 2}};
    struct record record = {.origin = &queue, .data = BYTES("{\"t\":3}")};
    struct error err = {0};
    struct filter *filter = filter_create(&config, RECORD_SQS, &err);
    struct buffer why;

    (void)state;
    assert_ok(filter != NULL, &err);
    buffer_init(&why, 4096);
    assert_false(filter_explain(filter, &record, &why));
    assert_string_equal(buffer_text(&why),
                        "no match by filter 1:\n"
                        "  body.t: 3 does not match [1]\n"
                        "no match by filter 2, way 1 of $or:\n"
                        "  body.t: 3 does not match [2]\n"
                        "no match by filter 2, way 2 of $or:\n"
                        "  body.u: is absent; wanted [2]\n");
    buffer_clear(&why);
    record.data = BYTES("{\"u\":2}");
    assert_true(filter_explain(filter, &record, &why));
    assert_string_equal(buffer_text(&why), "match by filter 2, way 2 of $or:\n"
                                           "  body.u: 2 matches 2\n");
    buffer_clear(&why);
    assert_true(filter_explain(NULL, &record, &why));
    assert_string_equal(buffer_text(&why), "match: there is no filter\n");
    buffer_finish(&why);
    filter_destroy(filter);
}

static void test_what_is_no_object_is_no_event(void **state)
{
    static const char *const texts[] = {"",  "[]",   "5",       "\"a\"",
                                        "x", "{} x", "{\"a\":", "null"};
    struct error err = {0};
    struct trial *trial;
    struct buffer why;
    bool matches;
    size_t offset;

    (void)state;
    trial =
        trial_create(PATTERN_VIEW_EVENT, BYTES("{\"a\":[1]}"), &offset, &err);
    assert_ok(trial != NULL, &err);
    buffer_init(&why, 4096);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_fails(
            trial_event(trial, bytes_of(texts[i]), &matches, &why, &err), &err,
            ERROR_INVALID);
        assert_string_equal(err.message, "not a JSON object");
        assert_int_equal(why.size, 0);
    }
    buffer_finish(&why);
    trial_destroy(trial);
}

static void test_a_wrong_pattern_tells_its_place(void **state)
{
    struct error err = {0};
    size_t offset = 0;

    (void)state;
    assert_null(trial_create(PATTERN_VIEW_SQS, BYTES("{\"body\":{\"a\":1}}"),
                             &offset, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    assert_int_equal(offset, 13);
    trial_destroy(NULL);
}

/* Wherever a long value is cut, what is said is text. */
static void test_no_character_is_cut(void **state)
{
    struct error err = {0};
    struct trial *trial;
    struct buffer event, why;
    bool matches;
    size_t offset;

    (void)state;
    trial =
        trial_create(PATTERN_VIEW_EVENT, BYTES("{\"a\":[1]}"), &offset, &err);
    assert_ok(trial != NULL, &err);
    for (int shift = 0; shift < 4; shift++) {
        buffer_init(&event, 4096);
        buffer_init(&why, 4096);
        buffer_append_text(&event, "{\"a\":\"");
        for (int i = 0; i < shift; i++)
            buffer_append_char(&event, 'x');
        for (int i = 0; i < 60; i++)
            buffer_append_text(&event, "\xf0\x9f\x98\x80");
        buffer_append_text(&event, "\"}");
        assert_ok(
            trial_event(trial, buffer_bytes(&event), &matches, &why, &err),
            &err);
        assert_int_equal(utf8_valid_size(buffer_bytes(&why)), why.size);
        buffer_finish(&event);
        buffer_finish(&why);
    }
    trial_destroy(trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters_are_named_by_number),
        cmocka_unit_test(test_what_is_no_object_is_no_event),
        cmocka_unit_test(test_a_wrong_pattern_tells_its_place),
        cmocka_unit_test(test_no_character_is_cut),
    };

    return run_table("events", events, test_event) +
           run_table("bodies", bodies, test_body) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
