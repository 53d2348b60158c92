#include "filter/filter_config.h"

#include <stdlib.h>

#include "base/mem.h"
#include "settings_file.h"
#include "test.h"

static char *text_of(const char *source, const char *lines)
{
    return mem_printf("version: 1\ntriggers:\n  a:\n"
                      "    handler: {library: a.so}\n"
                      "    source: {%s}\n    %s\n%s",
                      source, lines,
                      strncmp(source, "sqs", 3) != 0
                          ? "    starting_position: LATEST\n"
                          : "");
}

/* ---- a mapping in YAML as the JSON that it is ------------------------------
 */

static struct json_case {
    const char *name, *yaml, *json;
} mappings[] = {
    {"in flow style", "{body: {type: [created]}}",
     "{\"body\":{\"type\":[\"created\"]}}"},
    {"in block style",
     "\n            body:\n              type:\n"
     "                - created\n                - 5",
     "{\"body\":{\"type\":[\"created\",5]}}"},
    {"JSON is YAML", "{\"body\": {\"n\": [{\"numeric\": [\">\", 0]}]}}",
     "{\"body\":{\"n\":[{\"numeric\":[\">\",0]}]}}"},
    {"JSON in a string stays as it is", "'{\"body\": [\"x\"] }'",
     "{\"body\": [\"x\"] }"},
    {"numbers and words", "{body: {a: [1, -2.50, 1e3, true, false, null]}}",
     "{\"body\":{\"a\":[1,-2.50,1e3,true,false,null]}}"},
    {"what is quoted is a string", "{body: {a: ['1', \"true\", 'null', '']}}",
     "{\"body\":{\"a\":[\"1\",\"true\",\"null\",\"\"]}}"},
    {"YAML's other numbers become JSON's",
     "{body: {a: [007, +1, .5, 1., 0x10, 0o17]}}",
     "{\"body\":{\"a\":[7,1,0.5,1.0,16,15]}}"},
    {"what is no number of YAML's is a string",
     "{body: {a: [1_000, 2025-01-01, 1.2.3, 12:30]}}",
     "{\"body\":{\"a\":[\"1_000\",\"2025-01-01\",\"1.2.3\",\"12:30\"]}}"},
    {"yes and no are strings", "{body: {a: [yes, no, on, off]}}",
     "{\"body\":{\"a\":[\"yes\",\"no\",\"on\",\"off\"]}}"},
    {"what needs escapes", "{body: {\"a\\tb\": [\"\\\"\\\\\\n\"]}}",
     "{\"body\":{\"a\\tb\":[\"\\\"\\\\\\n\"]}}"},
    {"a key that is a number", "{body: {404: [x]}}",
     "{\"body\":{\"404\":[\"x\"]}}"},
    {"$or", "{$or: [{body: [x]}, {messageId: [y]}]}",
     "{\"$or\":[{\"body\":[\"x\"]},{\"messageId\":[\"y\"]}]}"},
};

static void test_mapping(void **state)
{
    const struct json_case *c = *state;
    AUTO_FREE char *lines = mem_printf(
        "filter_criteria:\n      filters:\n        - pattern: %s", c->yaml);
    AUTO_FREE char *text = text_of("sqs: {queue: q}", lines);
    struct settings_file *file = settings_file_create(text);
    struct settings *settings = settings_file_load_good(file);
    const struct filter_config_item *items =
        settings->triggers[0].filter_criteria.filters.items;

    assert_string_equal(items[0].pattern, c->json);
    settings_destroy(settings);
    settings_file_destroy(file);
}

/* ---- where a mistake stands ------------------------------------------------
 */

#define AT(place_) place_ ": triggers.a.filter_criteria.filters[0].pattern: "

static struct problem_case {
    const char *name, *source, *lines, *told;
} problems[] = {
    {"in a mapping, its own place", "sqs: {queue: q}",
     "filter_criteria: {filters: [{pattern: {body: {type: created}}}]}",
     AT("6:57") "body.type: \"created\" is not allowed: a list of the values "
                "that are wanted, [\"a\"], or a mapping of fields\n"},
    {"in block style, its own line", "sqs: {queue: q}",
     "filter_criteria:\n"
     "      filters:\n"
     "        - pattern:\n"
     "            body:\n"
     "              type:\n"
     "                - created\n"
     "                - prefx: x",
     AT("12:19") "body.type[1]: there is no operator \"prefx\"; did you mean "
                 "prefix?\n"},
    {"in a string, a character of it", "sqs: {queue: q}",
     "filter_criteria: {filters: [{pattern: '{\"body\": {\"a\": 5}}'}]}",
     AT("6:43") "body.a: 5 is not allowed: a list of the values that are "
                "wanted, [\"a\"], or a mapping of fields (character 16 of the "
                "string)\n"},
    {"no JSON in a string", "sqs: {queue: q}",
     "filter_criteria: {filters: [{pattern: '{\"body\": [\"x\"]'}]}",
     AT("6:43") "not JSON at character 15: the document ends early (character "
                "15 of the string)\n"},
    {"a list", "sqs: {queue: q}",
     "filter_criteria: {filters: [{pattern: [x]}]}",
     AT("6:43") "a list is not allowed: a mapping, or JSON in a string\n"},
    {"a number that JSON does not have", "sqs: {queue: q}",
     "filter_criteria: {filters: [{pattern: {body: {a: [1, .inf]}}}]}",
     AT("6:58") "body.a[1]: not JSON at character 17: not a value\n"},
    {"a scalar key by AWS's spelling", "sqs: {queue: q}",
     "FilterCriteria: {Filters: [{Pattern: '{\"eventSource\":\"aws:sqs\"}'}]}",
     AT("6:42") "eventSource: \"aws:sqs\" is not allowed: a list of the values "
                "that are wanted, [\"a\"], or a mapping of fields (character "
                "16 of the string)\n"},
    {"another source's key", "kinesis: {stream: s}",
     "filter_criteria: {filters: [{pattern: {body: {a: [1]}}}]}",
     AT("6:44") "body: a record of this source has no such field; there are: "
                "data, kinesis, partitionKey, sequenceNumber, "
                "approximateArrivalTimestamp, kinesisSchemaVersion, "
                "eventSource, eventVersion, eventID, eventName, "
                "invokeIdentityArn, eventSourceARN, awsRegion\n"},
    {"plain text of a stream", "kinesis: {stream: s}",
     "filter_criteria: {filters: [{pattern: {data: [x]}}]}",
     AT("6:50") "data: data is JSON, of which the fields are wanted: a "
                "mapping, not a list of values\n"},
    {"each pattern has its problem", "sqs: {queue: q}",
     "filter_criteria: {filters: [{pattern: {body: x}}, {pattern: {body: "
     "[x]}}, {pattern: {}}]}",
     AT("6:50") "body: \"x\" is not allowed: a list of the values that are "
                "wanted, [\"a\"], or a mapping of fields\n"
                "6:89: triggers.a.filter_criteria.filters[2].pattern: an empty "
                "mapping asks for nothing\n"},
};

static void check_told(const char *source, const char *lines, const char *told)
{
    AUTO_FREE char *text = text_of(source, lines);
    struct settings_file *file = settings_file_create(text);
    AUTO_FREE char *seen = NULL;

    assert_null(settings_file_load(file));
    seen = settings_file_told(file);
    assert_string_equal(seen, told);
    settings_file_destroy(file);
}

static void test_problem(void **state)
{
    const struct problem_case *c = *state;

    check_told(c->source, c->lines, c->told);
}

/* What came from the environment may be secret. */
static void test_what_the_environment_gave_is_not_told(void **state)
{
    (void)state;
    assert_int_equal(setenv("POLLARD_TEST_TYPE", "hush}", 1), 0);
    check_told("sqs: {queue: q}",
               "filter_criteria: {filters: [{pattern: '{\"body\": "
               "${POLLARD_TEST_TYPE}}'}]}",
               AT("6:43") "what the environment gives makes no pattern "
                          "(character 10 of the string)\n");
    check_told("sqs: {queue: q}",
               "filter_criteria: {filters: [{pattern: {body: "
               "\"${POLLARD_TEST_TYPE}\"}}]}",
               AT("6:50") "what the environment gives makes no pattern\n");
    assert_int_equal(unsetenv("POLLARD_TEST_TYPE"), 0);
}

/* Characters, as Lambda counts them, and not bytes. */
static char *pattern_of(size_t characters)
{
    struct buffer text;

    buffer_init(&text, 65536);
    buffer_append_text(&text, "filter_criteria: {filters: [{pattern: "
                              "'{\"body\": [\"");
    for (size_t i = 14; i < characters; i++)
        buffer_append_text(&text, "\xc3\xa4");
    buffer_append_text(&text, "\"]}'}]}");
    return buffer_detach(&text);
}

static void test_a_pattern_has_4096_characters_at_most(void **state)
{
    AUTO_FREE char *most = pattern_of(FILTER_PATTERN_LIMIT);
    AUTO_FREE char *more = pattern_of(FILTER_PATTERN_LIMIT + 1);
    AUTO_FREE char *text = text_of("sqs: {queue: q}", most);
    struct settings_file *file = settings_file_create(text);

    (void)state;
    settings_destroy(settings_file_load_good(file));
    settings_file_destroy(file);
    check_told("sqs: {queue: q}", more,
               AT("6:43") "4097 characters as JSON are too many: at most "
                          "4096\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_environment_gave_is_not_told),
        cmocka_unit_test(test_a_pattern_has_4096_characters_at_most),
    };

    return run_table("mapping", mappings, test_mapping) +
           run_table("problem", problems, test_problem) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
