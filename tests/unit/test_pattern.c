#include "filter/pattern.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "test.h"

#define SQS PATTERN_VIEW_SQS
#define KINESIS PATTERN_VIEW_KINESIS
#define DYNAMODB PATTERN_VIEW_DYNAMODB
#define EVENT PATTERN_VIEW_EVENT

/* ---- what is refused, in which words, and where ---------------------------
 */

static struct refusal_case {
    const char *name;
    enum pattern_view view;
    const char *text;
    const char *at; // what the place begins with; NULL: the end
    const char *message;
} refusals[] = {
    {"nothing", EVENT, "", NULL, "not JSON at character 1: not a value"},
    {"blanks", EVENT, " \n", NULL, "not JSON at character 3: not a value"},
    {"a list", EVENT, "[\"a\"]", "[",
     "[\"a\"] is not allowed: a mapping of fields, {\"body\": {\"type\": "
     "[\"created\"]}}"},
    {"a string", EVENT, "\"a\"", "\"a",
     "\"a\" is not allowed: a mapping of fields, {\"body\": {\"type\": "
     "[\"created\"]}}"},
    {"null", EVENT, "null", "null",
     "null is not allowed: a mapping of fields, {\"body\": {\"type\": "
     "[\"created\"]}}"},
    {"an empty mapping", EVENT, " {}", "{}",
     "an empty mapping asks for nothing"},
    {"an empty mapping within", EVENT, "{\"a\":{\"b\": {}}}", "{}",
     "a.b: an empty mapping asks for nothing"},
    {"something behind it", EVENT, "{\"a\":[1]} x", "x",
     "not JSON at character 11: something follows the document"},
    {"a bracket that is not closed", EVENT, "{\"a\":[1]", NULL,
     "not JSON at character 9: the document ends early"},
    {"a comma too many", EVENT, "{\"a\":[1,]}", "]",
     "a: not JSON at character 9: a comma before a closing bracket"},
    {"a byte order mark", EVENT, "\xef\xbb\xbf{\"a\":[1]}", "\xef",
     "not JSON at character 1: not a value"},
    {"no UTF-8", EVENT, "{\"a\":[\"\xff\"]}", "\xff", "not UTF-8 at byte 8"},

    {"a bare string", EVENT, "{\"a\": \"x\"}", "\"x",
     "a: \"x\" is not allowed: a list of the values that are wanted, "
     "[\"a\"], or a mapping of fields"},
    {"a bare number", EVENT, "{\"a\":{\"b\":1.50}}", "1.5",
     "a.b: 1.50 is not allowed: a list of the values that are wanted, "
     "[\"a\"], or a mapping of fields"},
    {"a bare null", EVENT, "{\"a\":null}", "null",
     "a: null is not allowed: a list of the values that are wanted, "
     "[\"a\"], or a mapping of fields"},
    {"an empty list", EVENT, "{\"a\":[]}", "[]",
     "a: an empty list; nothing matches it"},
    {"a list in a list", EVENT, "{\"a\":[1,[2]]}", "[2",
     "a[1]: [2] is not allowed: a string, a number, true, false, null, or an "
     "operator like {\"prefix\": \"a\"}"},
    {"a number that is none", EVENT, "{\"a\":[01]}", "1]",
     "a: not JSON at character 8: a comma or a closing bracket is missing"},
    {"a key with a NUL", EVENT, "{\"a\\u0000\":[1]}", "\"a",
     "a: a key with a NUL character"},

    {"an operator that is not there", EVENT, "{\"a\":[{\"prefx\":\"x\"}]}",
     "\"prefx", "a[0]: there is no operator \"prefx\"; did you mean prefix?"},
    {"an operator in capitals", EVENT, "{\"a\":[{\"NUMERIC\":[\"=\",1]}]}",
     "\"NUMERIC",
     "a[0]: there is no operator \"NUMERIC\"; did you mean numeric?"},
    {"an operator far from any", EVENT, "{\"a\":[{\"like\":\"x\"}]}", "\"like",
     "a[0]: there is no operator \"like\"; allowed: prefix, suffix, "
     "equals-ignore-case, anything-but, numeric, exists, wildcard, cidr, "
     "exactly"},
    {"no operator", EVENT, "{\"a\":[{}]}", "{}", "a[0]: no operator"},
    {"two operators", EVENT, "{\"a\":[{\"prefix\":\"x\",\"suffix\":\"y\"}]}",
     "\"suffix", "a[0]: one operator at a time: {\"prefix\": ...} ends here"},

    {"a prefix of a number", EVENT, "{\"a\":[{\"prefix\":1}]}", "1}",
     "a[0].prefix: 1 is not allowed: a string, or "
     "{\"equals-ignore-case\": string}"},
    {"a suffix by something else", EVENT,
     "{\"a\":[{\"suffix\":{\"prefix\":\"x\"}}]}", "\"prefix",
     "a[0].suffix: there is no operator \"prefix\"; allowed: "
     "equals-ignore-case"},
    {"equals-ignore-case of a list", EVENT,
     "{\"a\":[{\"equals-ignore-case\":[\"x\"]}]}", "[\"x",
     "a[0].equals-ignore-case: [\"x\"] is not allowed: a string"},
    {"exists of a string", EVENT, "{\"a\":[{\"exists\":\"true\"}]}", "\"true",
     "a[0].exists: \"true\" is not allowed: true or false"},
    {"exactly a number", EVENT, "{\"a\":[{\"exactly\":1}]}", "1}",
     "a[0].exactly: 1 is not allowed: a string"},

    {"a wildcard with two stars", EVENT, "{\"a\":[{\"wildcard\":\"a**\"}]}",
     "\"a*", "a[0].wildcard: two * in a row are no more than one"},
    {"a wildcard with another escape", EVENT,
     "{\"a\":[{\"wildcard\":\"a\\\\b\"}]}", "\"a\\",
     "a[0].wildcard: a backslash stands before * or \\ only"},
    {"a wildcard that ends in its escape", EVENT,
     "{\"a\":[{\"wildcard\":\"a\\\\\"}]}", "\"a\\",
     "a[0].wildcard: a backslash stands before * or \\ only"},
    {"no block", EVENT, "{\"a\":[{\"cidr\":\"10.0.0.0\"}]}", "\"10",
     "a[0].cidr: not an address, a slash and a number of bits (10.0.0.0/24)"},

    {"numeric of a number", EVENT, "{\"a\":[{\"numeric\":5}]}", "5}",
     "a[0].numeric: 5 is not allowed: a list, [\">\", 0, \"<=\", 5]"},
    {"numeric of nothing", EVENT, "{\"a\":[{\"numeric\":[]}]}", "[]",
     "a[0].numeric: an empty list; [\">\", 0, \"<=\", 5]"},
    {"numeric without a sign", EVENT, "{\"a\":[{\"numeric\":[5]}]}", "5]",
     "a[0].numeric: 5 is not allowed: =, >, >=, < or <="},
    {"numeric with another sign", EVENT, "{\"a\":[{\"numeric\":[\"!=\",5]}]}",
     "\"!=", "a[0].numeric: \"!=\" is not allowed: =, >, >=, < or <="},
    {"numeric without a number", EVENT, "{\"a\":[{\"numeric\":[\">\"]}]}",
     "\">", "a[0].numeric: a comparison and no number"},
    {"numeric of a text", EVENT, "{\"a\":[{\"numeric\":[\">\",\"5\"]}]}", "\"5",
     "a[0].numeric: \"5\" is not allowed: a number"},
    {"a range from above", EVENT, "{\"a\":[{\"numeric\":[\"<\",5,\">\",1]}]}",
     "[\"<",
     "a[0].numeric: too long: one comparison, or a lower bound and then an "
     "upper one, [\">\", 0, \"<=\", 5]"},
    {"a range after =", EVENT, "{\"a\":[{\"numeric\":[\"=\",5,\"<\",9]}]}",
     "[\"=",
     "a[0].numeric: too long: one comparison, or a lower bound and then an "
     "upper one, [\">\", 0, \"<=\", 5]"},
    {"two lower bounds", EVENT, "{\"a\":[{\"numeric\":[\">\",5,\">=\",9]}]}",
     "\">=", "a[0].numeric: the second comparison is < or <="},
    {"a range of nothing", EVENT,
     "{\"a\":[{\"numeric\":[\">=\",5,\"<=\",5.0]}]}",
     "[\">=", "a[0].numeric: the lower bound is not below the upper one"},
    {"a range and more", EVENT,
     "{\"a\":[{\"numeric\":[\">\",5,\"<\",9,\"=\",7]}]}", "[\">",
     "a[0].numeric: too long: one comparison, or a lower bound and then an "
     "upper one, [\">\", 0, \"<=\", 5]"},

    {"anything but null", EVENT, "{\"a\":[{\"anything-but\":null}]}", "null",
     "a[0].anything-but: null is not allowed: a string, a number, a list of "
     "either, or {\"prefix\": ...}, suffix, equals-ignore-case, wildcard"},
    {"anything but a word", EVENT, "{\"a\":[{\"anything-but\":[true]}]}",
     "true",
     "a[0].anything-but[0]: true is not allowed: a string, a number, a list of "
     "either, or {\"prefix\": ...}, suffix, equals-ignore-case, wildcard"},
    {"anything but nothing", EVENT, "{\"a\":[{\"anything-but\":[]}]}", "[]",
     "a[0].anything-but: an empty list"},
    {"anything but this and that kind", EVENT,
     "{\"a\":[{\"anything-but\":[\"x\",1]}]}", "[\"x",
     "a[0].anything-but: strings or numbers, but not both"},
    {"anything but any text", EVENT,
     "{\"a\":[{\"anything-but\":{\"prefix\":\"\"}}]}", "\"\"",
     "a[0].anything-but.prefix: an empty prefix would exclude every string"},
    {"anything but a list of any text", EVENT,
     "{\"a\":[{\"anything-but\":{\"suffix\":[\"x\",\"\"]}}]}", "\"\"",
     "a[0].anything-but.suffix[1]: an empty suffix would exclude every "
     "string"},
    {"anything but a range", EVENT,
     "{\"a\":[{\"anything-but\":{\"numeric\":[\">\",1]}}]}", "\"numeric",
     "a[0].anything-but: there is no operator \"numeric\"; allowed: prefix, "
     "suffix, equals-ignore-case, wildcard"},

    {"the same field twice", EVENT, "{\"a\":[1],\"a\":[2]}", "[2",
     "a: this field is listed already; all that is wanted of it goes in one "
     "list"},
    {"the same field by another way", EVENT, "{\"a\":{\"b\":[1]},\"a.b\":[2]}",
     "[2",
     "a.b: this field is listed already; all that is wanted of it goes in one "
     "list"},
    {"the same field within and beside $or", EVENT,
     "{\"a\":[1],\"$or\":[{\"b\":[1]},{\"a\":[2]}]}", "[2",
     "$or[1].a: this field is listed already; all that is wanted of it goes "
     "in one list"},
    {"the same field beside and within $or", EVENT,
     "{\"$or\":[{\"a\":[1]},{\"b\":[1]}],\"b\":[2]}", "[2",
     "b: this field is listed already; all that is wanted of it goes in one "
     "list"},

    {"one way of $or", EVENT, "{\"$or\":[{\"a\":[1]}]}", "[{",
     "$or: $or needs two mappings or more"},
    {"no way of $or", EVENT, "{\"$or\":[]}", "[]",
     "$or: $or needs two mappings or more"},
    {"$or of a mapping", EVENT, "{\"$or\":{\"a\":[1]}}", "{\"a",
     "$or: {\"a\":[1]} is not allowed: a list of mappings"},
    {"$or of values", EVENT, "{\"$or\":[1,2]}", "1,",
     "$or[0]: 1 is not allowed: a mapping of fields"},
    {"an empty way of $or", EVENT, "{\"$or\":[{\"a\":[1]},{}]}", "{}",
     "$or[1]: an empty mapping asks for nothing"},
    {"an operator's name within $or", EVENT,
     "{\"$or\":[{\"prefix\":[1]},{\"a\":[1]}]}", "\"prefix",
     "$or[0].prefix: within $or a field cannot have an operator's name"},
    {"an operator's name deep within $or", EVENT,
     "{\"$or\":[{\"a\":{\"exists\":[1]}},{\"a\":[1]}]}", "\"exists",
     "$or[0].a.exists: within $or a field cannot have an operator's name"},

    {"SQS: a field that it does not have", SQS, "{\"bdy\":{\"a\":[1]}}",
     "\"bdy",
     "bdy: a record of this source has no such field; did you mean body?"},
    {"SQS: a field of the body at the top", SQS, "{\"type\":[1]}", "\"type",
     "type: a record of this source has no such field; there are: body, "
     "messageId, receiptHandle, attributes, messageAttributes, md5OfBody, "
     "md5OfMessageAttributes, eventSource, eventSourceARN, awsRegion"},
    {"SQS: with a dot", SQS, "{\"data.a\":[1]}", "\"data",
     "data.a: a record of this source has no such field; there are: body, "
     "messageId, receiptHandle, attributes, messageAttributes, md5OfBody, "
     "md5OfMessageAttributes, eventSource, eventSourceARN, awsRegion"},
    {"SQS: within $or", SQS, "{\"$or\":[{\"bodY\":[1]},{\"body\":[1]}]}",
     "\"bodY",
     "$or[0].bodY: a record of this source has no such field; did you mean "
     "body?"},
    {"Kinesis: plain text", KINESIS, "{\"data\":[\"x\"]}", "[\"x",
     "data: data is JSON, of which the fields are wanted: a mapping, not a "
     "list of values"},
    {"Kinesis: plain text within $or", KINESIS,
     "{\"$or\":[{\"data\":[\"x\"]},{\"partitionKey\":[\"x\"]}]}", "[\"x",
     "$or[0].data: data is JSON, of which the fields are wanted: a mapping, "
     "not a list of values"},
    {"Kinesis: the data where the event has it", KINESIS,
     "{\"kinesis\":{\"data\":{\"a\":[1]}}}", "\"data",
     "kinesis.data: the data is wanted under `data` at the top of the "
     "pattern, not within kinesis"},
    {"Kinesis: the same with a dot", KINESIS, "{\"kinesis.data.a\":[1]}",
     "\"kinesis",
     "kinesis.data.a: the data is wanted under `data` at the top of the "
     "pattern, not within kinesis"},
    {"Kinesis: the same, half with a dot", KINESIS,
     "{\"kinesis\":{\"data.a\":[1]}}", "\"data",
     "kinesis.data.a: the data is wanted under `data` at the top of the "
     "pattern, not within kinesis"},
    {"DynamoDB: plain text", DYNAMODB, "{\"dynamodb\":[\"x\"]}", "[\"x",
     "dynamodb: dynamodb is JSON, of which the fields are wanted: a mapping, "
     "not a list of values"},
    {"DynamoDB: a body", DYNAMODB, "{\"body\":[\"x\"]}", "\"body",
     "body: a record of this source has no such field; there are: dynamodb, "
     "eventID, eventName, eventVersion, eventSource, eventSourceARN, "
     "awsRegion, userIdentity"},
};

static void test_refusal(void **state)
{
    const struct refusal_case *c = *state;
    struct pattern *pattern = pattern_create(c->view);
    struct bytes text = bytes_of(c->text);
    struct error err = {0};
    size_t offset = 777;

    assert_fails(pattern_add(pattern, text, &offset, &err), &err,
                 ERROR_INVALID);
    assert_string_equal(err.message, c->message);
    assert_true(offset <= text.size);
    if (c->at)
        assert_int_equal(strncmp(c->text + offset, c->at, strlen(c->at)), 0);
    else
        assert_int_equal(offset, text.size);
    pattern_destroy(pattern);
}

/* ---- what is taken, and how many rules it makes ---------------------------
 */

static struct taken_case {
    const char *name;
    enum pattern_view view;
    const char *text;
    size_t rules, conditions;
} taken[] = {
    {"one field", EVENT, "{\"a\":[1]}", 1, 1},
    {"blanks and line ends", EVENT, "\n{ \"a\"\t: [ 1 ,\r\n 2 ] } \n", 1, 1},
    {"values of each kind", EVENT,
     "{\"a\":[\"\",\"x\",-0,1e400,true,false,null]}", 1, 1},
    {"each operator", EVENT,
     "{\"a\":[{\"prefix\":\"\"},{\"suffix\":\"x\"},{\"exactly\":\"x\"},"
     "{\"equals-ignore-case\":\"x\"},{\"wildcard\":\"*\"},"
     "{\"wildcard\":\"\\\\*\\\\\\\\\"},{\"cidr\":\"::/0\"},{\"exists\":true},"
     "{\"exists\":false},{\"prefix\":{\"equals-ignore-case\":\"x\"}},"
     "{\"suffix\":{\"equals-ignore-case\":\"x\"}}]}",
     1, 1},
    {"each comparison", EVENT,
     "{\"a\":[{\"numeric\":[\"=\",1]},{\"numeric\":[\"<\",-1]},"
     "{\"numeric\":[\"<=\",1]},{\"numeric\":[\">\",1]},"
     "{\"numeric\":[\">=\",1]},{\"numeric\":[\">\",1,\"<\",1.1]}]}",
     1, 1},
    {"each anything-but", EVENT,
     "{\"a\":[{\"anything-but\":\"x\"},{\"anything-but\":1},"
     "{\"anything-but\":[\"x\",\"\"]},{\"anything-but\":[1,2]},"
     "{\"anything-but\":{\"prefix\":\"x\"}},"
     "{\"anything-but\":{\"suffix\":[\"x\",\"y\"]}},"
     "{\"anything-but\":{\"equals-ignore-case\":[\"x\"]}},"
     "{\"anything-but\":{\"wildcard\":\"*x\"}}]}",
     1, 1},
    {"an empty key", EVENT, "{\"\":[1],\"a\":{\"\":[1]}}", 1, 2},
    {"a key that is an operator's name", EVENT, "{\"prefix\":[\"x\"]}", 1, 1},
    {"a mapping twice, other fields", EVENT,
     "{\"a\":{\"b\":[1]},\"a\":{\"c\":[1]}}", 1, 2},
    {"a value and a mapping of one key", EVENT, "{\"a\":[1],\"a.b\":[1]}", 1,
     2},
    {"$or", EVENT, "{\"$or\":[{\"a\":[1]},{\"b\":[1]},{\"c\":[1]}]}", 3, 3},
    {"$or beside a field", EVENT,
     "{\"a\":[1],\"$or\":[{\"b\":[1]},{\"c\":[1]}],\"d\":[1]}", 2, 4},
    {"$or within a field", EVENT, "{\"a\":{\"$or\":[{\"b\":[1]},{\"c\":[1]}]}}",
     2, 2},
    {"$or within $or", EVENT,
     "{\"$or\":[{\"$or\":[{\"a\":[1]},{\"b\":[1]}]},{\"c\":[1]}]}", 3, 3},
    {"$or twice multiplies", EVENT,
     "{\"$or\":[{\"a\":[1]},{\"b\":[1]}],\"$or\":[{\"c\":[1]},{\"d\":[1]}]}", 4,
     4},
    {"the same field in two ways of $or", EVENT,
     "{\"$or\":[{\"a\":[1]},{\"a\":[2],\"b\":[1]}]}", 2, 3},
    {"SQS: plain text", SQS, "{\"body\":[\"x\"]}", 1, 1},
    {"SQS: each field", SQS,
     "{\"body\":{\"a\":[1]},\"messageId\":[\"x\"],\"receiptHandle\":[\"x\"],"
     "\"attributes\":{\"SenderId\":[\"x\"]},\"messageAttributes.a.stringValue\""
     ":[\"x\"],\"md5OfBody\":[\"x\"],\"md5OfMessageAttributes\":[null],"
     "\"eventSource\":[\"x\"],\"eventSourceARN\":[\"x\"],\"awsRegion\":[\"x\"]"
     "}",
     1, 10},
    {"Kinesis: within kinesis", KINESIS,
     "{\"kinesis\":{\"partitionKey\":[\"x\"]},\"data\":{\"a\":[1]}}", 1, 2},
    {"Kinesis: data of the data", KINESIS,
     "{\"data\":{\"kinesis\":{\"data\":[1]},\"data\":[1]}}", 1, 2},
    {"DynamoDB: two mappings of the data, as AWS shows it", DYNAMODB,
     "{\"dynamodb\":{\"Keys\":{\"a\":{\"S\":[\"x\"]}}},"
     "\"dynamodb\":{\"NewImage\":{\"b\":{\"S\":[\"x\"]}}}}",
     1, 2},
};

static void test_taken(void **state)
{
    const struct taken_case *c = *state;
    struct pattern *pattern = pattern_create(c->view);
    struct error err = {0};
    size_t offset;

    assert_ok(pattern_add(pattern, bytes_of(c->text), &offset, &err), &err);
    pattern_seal(pattern);
    assert_int_equal(pattern->rule_count, c->rules);
    assert_int_equal(pattern->condition_count, c->conditions);
    pattern_destroy(pattern);
}

/* ---- the whole ------------------------------------------------------------
 */

static bool is_taken(const char *text, struct error *err)
{
    struct pattern *pattern = pattern_create(EVENT);
    size_t offset;
    bool ok = pattern_add(pattern, bytes_of(text), &offset, err);

    if (ok)
        pattern_seal(pattern);
    pattern_destroy(pattern);
    return ok;
}

/* $or with `ways` ways, `times` times. */
static char *product(int times, int ways)
{
    struct buffer text;

    buffer_init(&text, 1 << 20);
    for (int i = 0; i < times; i++) {
        buffer_printf(&text, "%s\"$or\":[", i ? "," : "{");
        for (int j = 0; j < ways; j++)
            buffer_printf(&text, "%s{\"k%d_%d\":[1]}", j ? "," : "", i, j);
        buffer_append_text(&text, "]");
    }
    buffer_append_text(&text, "}");
    return buffer_detach(&text);
}

static void test_combinations_are_bounded(void **state)
{
    AUTO_FREE char *most = product(3, 10), *more = product(10, 2);
    struct error err = {0};

    (void)state;
    assert_ok(is_taken(most, &err), &err);
    assert_fails(is_taken(more, &err), &err, ERROR_INVALID);
    assert_string_equal(err.message,
                        "$or[1]: $or makes more than 1000 combinations of "
                        "fields");
}

static char *nested(int depth)
{
    struct buffer text;

    buffer_init(&text, 1 << 20);
    for (int i = 0; i < depth; i++)
        buffer_append_text(&text, "{\"a\":");
    buffer_append_text(&text, "[1]");
    for (int i = 0; i < depth; i++)
        buffer_append_text(&text, "}");
    return buffer_detach(&text);
}

static void test_nesting_is_bounded(void **state)
{
    AUTO_FREE char *most = nested(127), *more = nested(128);
    AUTO_FREE char *far = nested(50000);
    struct error err = {0};

    (void)state;
    assert_ok(is_taken(most, &err), &err);
    assert_fails(is_taken(more, &err), &err, ERROR_INVALID);
    assert_contains(err.message, "nested deeper than 128");
    assert_fails(is_taken(far, &err), &err, ERROR_INVALID);
    assert_contains(err.message, "nested deeper than 128");
}

/* However long what it quotes is, a message is text to its end. */
static void test_messages_cut_no_character(void **state)
{
    struct buffer text;
    struct error err = {0};

    (void)state;
    for (int shift = 0; shift < 4; shift++) {
        buffer_init(&text, 8192);
        buffer_append_text(&text, "{\"");
        for (int i = 0; i < shift; i++)
            buffer_append_char(&text, 'x');
        for (int i = 0; i < 60; i++)
            buffer_append_text(&text, "\xf0\x9f\x98\x80");
        buffer_append_text(&text, "\":\"");
        for (int i = 0; i < shift; i++)
            buffer_append_char(&text, 'x');
        for (int i = 0; i < 60; i++)
            buffer_append_text(&text, "\xe2\x82\xac");
        buffer_append_text(&text, "\"}");
        assert_fails(is_taken(buffer_text(&text), &err), &err, ERROR_INVALID);
        assert_int_equal(utf8_valid_size(bytes_of(err.message)),
                         strlen(err.message));
        assert_contains(err.message, "... is not allowed");
        buffer_finish(&text);
    }
}

static void test_one_pattern_after_another(void **state)
{
    struct pattern *pattern = pattern_create(SQS);
    struct error err = {0};
    size_t offset;

    (void)state;
    assert_ok(pattern_add(pattern,
                          BYTES("{\"$or\":[{\"body\":{\"a\":[1]}},"
                                "{\"body\":{\"b\":[1]}}]}"),
                          &offset, &err),
              &err);
    assert_ok(
        pattern_add(pattern, BYTES("{\"body\":{\"a\":[2]}}"), &offset, &err),
        &err);
    pattern_seal(pattern);
    assert_int_equal(pattern->filter_count, 2);
    assert_int_equal(pattern->rule_count, 3);
    assert_int_equal(pattern->rules[0].filter, 0);
    assert_int_equal(pattern->rules[2].filter, 1);
    assert_true(pattern->rules[2].needs_json);
    assert_false(pattern->rules[2].needs_plain);
    assert_false(pattern->names_fields);
    pattern_destroy(pattern);
}

/* A key of an event leads to the same node whichever way it is written. */
static void test_keys_are_found_through_their_dots(void **state)
{
    struct pattern *pattern = pattern_create(EVENT);
    struct error err = {0};
    size_t offset;
    uint32_t a, b;

    (void)state;
    assert_ok(pattern_add(pattern,
                          BYTES("{\"a\":{\"b.c\":[1],\"\":[1]},\"d\":[1]}"),
                          &offset, &err),
              &err);
    pattern_seal(pattern);
    a = pattern_find(pattern, PATTERN_ROOT, BYTES("a"));
    b = pattern_find(pattern, a, BYTES("b"));
    assert_int_not_equal(a, 0);
    assert_int_not_equal(b, 0);
    assert_int_equal(pattern_find(pattern, PATTERN_ROOT, BYTES("a.b")), b);
    assert_int_equal(pattern_find(pattern, PATTERN_ROOT, BYTES("a.b.c")),
                     pattern_find(pattern, b, BYTES("c")));
    assert_int_not_equal(pattern_find(pattern, a, BYTES("")), 0);
    assert_int_equal(pattern_find(pattern, PATTERN_ROOT, BYTES("a.")),
                     pattern_find(pattern, a, BYTES("")));
    assert_int_equal(pattern_find(pattern, PATTERN_ROOT, BYTES("")), 0);
    assert_int_equal(pattern_find(pattern, PATTERN_ROOT, BYTES(".")), 0);
    assert_int_equal(pattern_find(pattern, PATTERN_ROOT, BYTES("d.b")), 0);
    assert_int_equal(pattern_find(pattern, PATTERN_ROOT, BYTES("A")), 0);
    pattern_destroy(pattern);
}

/* Many keys are found by their hash. */
static void test_many_keys(void **state)
{
    struct pattern *pattern = pattern_create(EVENT);
    struct buffer text;
    struct error err = {0};
    size_t offset;

    (void)state;
    buffer_init(&text, 1 << 16);
    for (int i = 0; i < 200; i++)
        buffer_printf(&text, "%s\"k%d\":[1]", i ? "," : "{", i);
    buffer_append_text(&text, "}");
    assert_ok(pattern_add(pattern, buffer_bytes(&text), &offset, &err), &err);
    pattern_seal(pattern);
    for (int i = 0; i < 400; i++) {
        char key[16];
        uint32_t node;

        (void)snprintf(key, sizeof(key), "k%d", i);
        node = pattern_find(pattern, PATTERN_ROOT, bytes_of(key));
        assert_int_equal(node != 0, i < 200);
        if (node)
            assert_true(bytes_equal(pattern->nodes[node].key, bytes_of(key)));
    }
    buffer_finish(&text);
    pattern_destroy(pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_combinations_are_bounded),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_messages_cut_no_character),
        cmocka_unit_test(test_one_pattern_after_another),
        cmocka_unit_test(test_keys_are_found_through_their_dots),
        cmocka_unit_test(test_many_keys),
    };

    return run_table("refusal", refusals, test_refusal) +
           run_table("taken", taken, test_taken) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
