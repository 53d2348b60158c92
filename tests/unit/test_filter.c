#include "filter/filter.h"

#include "base/mem.h"
#include "filter/filter_config.h"
#include "test.h"

/* A filter of these patterns; NULL ends them. */
static struct filter *create(const char *const *patterns, enum record_kind kind,
                             struct error *err)
{
    struct filter_config_item items[FILTER_LIMIT];
    struct filter_config config = {.filters = {.items = items}};
    struct filter *filter;

    for (; patterns[config.filters.count]; config.filters.count++)
        items[config.filters.count].pattern =
            mem_strdup(patterns[config.filters.count]);
    filter = filter_create(&config, kind, err);
    for (size_t i = 0; i < config.filters.count; i++)
        free(items[i].pattern);
    return filter;
}

/* The verdict with and without its reasons, which must agree, for a record that
 * stays as it was to the byte. */
static bool verdict_of(struct filter *filter, const struct record *record)
{
    AUTO_FREE char *before = mem_strndup(record->data.data, record->data.size);
    bool matches = filter_matches(filter, record);
    struct buffer why;

    buffer_init(&why, 65536);
    assert_int_equal(filter_explain(filter, record, &why), matches);
    assert_int_equal(strncmp(buffer_text(&why), "match", 5) == 0, matches);
    assert_int_equal(filter_matches(filter, record), matches);
    assert_memory_equal(before, record->data.data, record->data.size);
    buffer_finish(&why);
    return matches;
}

static bool matches(const char *pattern, const struct record *record)
{
    const char *const patterns[] = {pattern, NULL};
    struct error err = {0};
    struct filter *filter = create(patterns, record->origin->kind, &err);
    bool verdict;

    assert_ok(filter != NULL, &err);
    verdict = verdict_of(filter, record);
    filter_destroy(filter);
    return verdict;
}

/* ---- the data by its source, lambda-esm.md section 5.3 --------------------
 */

static const struct record_origin origins[] = {
    [RECORD_SQS] = {.kind = RECORD_SQS,
                    .arn = "arn:aws:sqs:eu-west-1:1:orders",
                    .region = "eu-west-1"},
    [RECORD_KINESIS] = {.kind = RECORD_KINESIS,
                        .arn = "arn:aws:kinesis:eu-west-1:1:stream/clicks",
                        .region = "eu-west-1",
                        .shard = "shardId-000000000006",
                        .identity = "arn:aws:iam::1:role/pollard"},
    [RECORD_DYNAMODB] = {.kind = RECORD_DYNAMODB,
                         .arn = "arn:aws:dynamodb:eu-west-1:1:table/t/stream/x",
                         .region = "eu-west-1",
                         .shard = "shardId-00000001"},
};

static struct data_case {
    const char *name;
    enum record_kind kind;
    const char *pattern;
    struct bytes data;
    bool matches;
} data[] = {
    {"SQS: JSON and fields", RECORD_SQS, "{\"body\":{\"t\":[\"x\"]}}",
     BYTES("{\"t\":\"x\"}"), true},
    {"SQS: JSON and other fields", RECORD_SQS, "{\"body\":{\"t\":[\"x\"]}}",
     BYTES("{\"t\":\"y\"}"), false},
    {"SQS: JSON with blanks around", RECORD_SQS, "{\"body\":{\"t\":[\"x\"]}}",
     BYTES("\r\n {\"t\":\"x\"}\t"), true},
    {"SQS: JSON and a list", RECORD_SQS, "{\"body\":[\"x\"]}",
     BYTES("{\"t\":\"x\"}"), false},
    {"SQS: an array and a list", RECORD_SQS, "{\"body\":[\"x\"]}",
     BYTES("[\"x\"]"), false},
    {"SQS: an array of objects and fields", RECORD_SQS,
     "{\"body\":{\"t\":[\"x\"]}}", BYTES("[{\"t\":\"y\"},{\"t\":\"x\"}]"),
     true},
    {"SQS: JSON and nothing", RECORD_SQS, "{\"awsRegion\":[\"eu-west-1\"]}",
     BYTES("{\"t\":\"x\"}"), true},
    {"SQS: text and fields", RECORD_SQS, "{\"body\":{\"t\":[\"x\"]}}",
     BYTES("x"), false},
    {"SQS: text and fields that must be absent", RECORD_SQS,
     "{\"body\":{\"t\":[{\"exists\":false}]}}", BYTES("x"), false},
    {"SQS: a list", RECORD_SQS, "{\"body\":[\"hello\"]}", BYTES("hello"), true},
    {"SQS: other text", RECORD_SQS, "{\"body\":[\"hello\"]}", BYTES("hellO"),
     false},
    {"SQS: text by an operator", RECORD_SQS,
     "{\"body\":[{\"wildcard\":\"order * paid\"}]}", BYTES("order 7 paid"),
     true},
    {"SQS: text and nothing", RECORD_SQS, "{\"awsRegion\":[\"eu-west-1\"]}",
     BYTES("x"), true},
    {"SQS: text with a backslash is not unescaped", RECORD_SQS,
     "{\"body\":[\"a\\\\u0041\"]}", BYTES("a\\u0041"), true},
    {"SQS: an empty body", RECORD_SQS, "{\"body\":[\"\"]}", BYTES(""), true},
    {"SQS: an empty body and fields", RECORD_SQS,
     "{\"body\":{\"t\":[{\"exists\":false}]}}", BYTES(""), false},
    {"SQS: an empty object and fields that must be absent", RECORD_SQS,
     "{\"body\":{\"t\":[{\"exists\":false}]}}", BYTES("{}"), true},
    {"SQS: a body has to be there, and is", RECORD_SQS,
     "{\"body\":[{\"exists\":true}]}", BYTES("x"), true},
    {"SQS: a number is a number", RECORD_SQS, "{\"body\":[5]}", BYTES("5.0"),
     true},
    {"SQS: a number is no string", RECORD_SQS, "{\"body\":[\"5\"]}", BYTES("5"),
     false},
    {"SQS: a string of JSON is what it says", RECORD_SQS,
     "{\"body\":[\"hello\"]}", BYTES("\"hell\\u006f\""), true},
    {"SQS: a scalar has no fields", RECORD_SQS, "{\"body\":{\"t\":[\"x\"]}}",
     BYTES("\"x\""), false},
    {"SQS: nearly JSON is text", RECORD_SQS, "{\"body\":[{\"prefix\":\"{\"}]}",
     BYTES("{\"t\":\"x\",}"), true},
    {"SQS: a byte order mark makes it text", RECORD_SQS,
     "{\"body\":{\"t\":[\"x\"]}}", BYTES("\xef\xbb\xbf{\"t\":\"x\"}"), false},
    {"SQS: what is not UTF-8 is text", RECORD_SQS,
     "{\"body\":[{\"suffix\":\"}\"}]}", BYTES("{\"t\":\"\xff\"}"), true},
    {"SQS: JSON within a string of JSON is a string", RECORD_SQS,
     "{\"body\":{\"Message\":{\"t\":[\"x\"]}}}",
     BYTES("{\"Message\":\"{\\\"t\\\":\\\"x\\\"}\"}"), false},

    {"Kinesis: JSON and fields", RECORD_KINESIS, "{\"data\":{\"t\":[\"x\"]}}",
     BYTES("{\"t\":\"x\"}"), true},
    {"Kinesis: text and fields", RECORD_KINESIS, "{\"data\":{\"t\":[\"x\"]}}",
     BYTES("x"), false},
    {"Kinesis: bytes and fields", RECORD_KINESIS, "{\"data\":{\"t\":[\"x\"]}}",
     BYTES("\0\xff{\"t\":\"x\"}"), false},
    {"Kinesis: no data and fields", RECORD_KINESIS,
     "{\"data\":{\"t\":[{\"exists\":false}]}}", BYTES(""), false},
    {"Kinesis: text and nothing", RECORD_KINESIS,
     "{\"awsRegion\":[\"eu-west-1\"]}", BYTES("x"), true},
    {"Kinesis: data within the data", RECORD_KINESIS,
     "{\"data\":{\"data\":{\"t\":[\"x\"]}}}", BYTES("{\"data\":{\"t\":\"x\"}}"),
     true},

    {"DynamoDB: down to the type", RECORD_DYNAMODB,
     "{\"dynamodb\":{\"NewImage\":{\"s\":{\"S\":[\"x\"]}}}}",
     BYTES("{\"NewImage\":{\"s\":{\"S\":\"x\"}}}"), true},
    {"DynamoDB: not without the type", RECORD_DYNAMODB,
     "{\"dynamodb\":{\"NewImage\":{\"s\":[\"x\"]}}}",
     BYTES("{\"NewImage\":{\"s\":{\"S\":\"x\"}}}"), false},
    {"DynamoDB: a number is a string", RECORD_DYNAMODB,
     "{\"dynamodb\":{\"NewImage\":{\"n\":{\"N\":[\"101\"]}}}}",
     BYTES("{\"NewImage\":{\"n\":{\"N\":\"101\"}}}"), true},
    {"DynamoDB: so no number equals it", RECORD_DYNAMODB,
     "{\"dynamodb\":{\"NewImage\":{\"n\":{\"N\":[101]}}}}",
     BYTES("{\"NewImage\":{\"n\":{\"N\":\"101\"}}}"), false},
    {"DynamoDB: and none is above it", RECORD_DYNAMODB,
     "{\"dynamodb\":{\"NewImage\":{\"n\":{\"N\":[{\"numeric\":[\">\",1]}]}}}}",
     BYTES("{\"NewImage\":{\"n\":{\"N\":\"101\"}}}"), false},
    {"DynamoDB: the creation time is a number", RECORD_DYNAMODB,
     "{\"dynamodb\":{\"ApproximateCreationDateTime\":"
     "[{\"numeric\":[\">\",1]}]}}",
     BYTES("{\"ApproximateCreationDateTime\":1479499740}"), true},
    {"DynamoDB: a list, one of its elements", RECORD_DYNAMODB,
     "{\"dynamodb\":{\"NewImage\":{\"l\":{\"L\":{\"S\":[\"b\"]}}}}}",
     BYTES("{\"NewImage\":{\"l\":{\"L\":[{\"S\":\"a\"},{\"S\":\"b\"}]}}}"),
     true},
    {"DynamoDB: a set", RECORD_DYNAMODB,
     "{\"dynamodb\":{\"NewImage\":{\"l\":{\"SS\":[\"b\"]}}}}",
     BYTES("{\"NewImage\":{\"l\":{\"SS\":[\"a\",\"b\"]}}}"), true},
    {"DynamoDB: an image that is not there", RECORD_DYNAMODB,
     "{\"dynamodb\":{\"OldImage\":{\"s\":{\"S\":[{\"exists\":false}]}}}}",
     BYTES("{\"NewImage\":{\"s\":{\"S\":\"x\"}}}"), true},
};

static void test_data(void **state)
{
    const struct data_case *c = *state;
    const struct record record = {.origin = &origins[c->kind], .data = c->data};

    assert_int_equal(matches(c->pattern, &record), c->matches);
}

/* ---- what stands beside the data ------------------------------------------
 */

static const struct record_attribute attributes[] = {
    {BYTES("ApproximateReceiveCount"), BYTES("2")},
    {BYTES("SenderId"), BYTES("AIDA")}};
static const struct record_message_attribute message_attributes[] = {
    {BYTES("lane"), BYTES("String"), BYTES("fast"), false},
    {BYTES("raw"), BYTES("Binary"), BYTES("\0\1"), true},
    {BYTES("with.dot"), BYTES("Number.int"), BYTES("5"), false}};

static const struct record message = {
    .origin = &origins[RECORD_SQS],
    .id = BYTES("m-1"),
    .data = BYTES("{\"t\":\"x\"}"),
    .receipt_handle = BYTES("r-1"),
    .md5_of_body = BYTES("5d41"),
    .attributes = attributes,
    .attribute_count = 2,
    .message_attributes = message_attributes,
    .message_attribute_count = 3,
};
static const struct record click = {
    .origin = &origins[RECORD_KINESIS],
    .id = BYTES("4954"),
    .key = BYTES("eu-7"),
    .data = BYTES("{\"t\":\"x\"}"),
    .arrived_at_ms = 1545084650987,
};
static const struct record change = {
    .origin = &origins[RECORD_DYNAMODB],
    .id = BYTES("111"),
    .data = BYTES("{\"Keys\":{\"k\":{\"S\":\"a\"}}}"),
    .event_id = BYTES("c4ca"),
    .event_name = BYTES("REMOVE"),
    .event_version = BYTES("1.1"),
    .user_identity =
        BYTES("{\"type\":\"Service\",\"principalId\":\"dynamodb\"}"),
};

static struct field_case {
    const char *name;
    const struct record *record;
    const char *yes, *no; // patterns; NULL: none
} fields[] = {
    {"SQS: messageId", &message, "{\"messageId\":[\"m-1\"]}",
     "{\"messageId\":[\"m-2\"]}"},
    {"SQS: receiptHandle", &message, "{\"receiptHandle\":[\"r-1\"]}",
     "{\"receiptHandle\":[{\"exists\":false}]}"},
    {"SQS: a system attribute", &message,
     "{\"attributes\":{\"ApproximateReceiveCount\":[\"2\"]}}",
     "{\"attributes\":{\"ApproximateReceiveCount\":[2]}}"},
    {"SQS: a system attribute that is not there", &message,
     "{\"attributes\":{\"MessageGroupId\":[{\"exists\":false}]}}",
     "{\"attributes\":{\"SenderId\":[{\"exists\":false}]}}"},
    {"SQS: a message attribute", &message,
     "{\"messageAttributes\":{\"lane\":{\"stringValue\":[\"fast\"],"
     "\"dataType\":[\"String\"]}}}",
     "{\"messageAttributes\":{\"lane\":{\"stringValue\":[\"slow\"]}}}"},
    {"SQS: a message attribute of bytes", &message,
     "{\"messageAttributes\":{\"raw\":{\"binaryValue\":[\"AAE=\"],"
     "\"stringValue\":[{\"exists\":false}]}}}",
     "{\"messageAttributes\":{\"lane\":{\"binaryValue\":[{\"exists\":true}]}}"
     "}"},
    {"SQS: a message attribute with a dot", &message,
     "{\"messageAttributes\":{\"with.dot\":{\"stringValue\":[\"5\"]}}}",
     "{\"messageAttributes\":{\"with\":{\"stringValue\":[\"5\"]}}}"},
    {"SQS: a message attribute that is not there", &message,
     "{\"messageAttributes\":{\"x\":{\"stringValue\":[{\"exists\":false}]}}}",
     "{\"messageAttributes\":{\"x\":{\"dataType\":[\"String\"]}}}"},
    {"SQS: digests, one of them null as in Lambda", &message,
     "{\"md5OfBody\":[\"5d41\"],\"md5OfMessageAttributes\":[null]}",
     "{\"md5OfMessageAttributes\":[\"\"]}"},
    {"SQS: what Lambda adds", &message,
     "{\"eventSource\":[\"aws:sqs\"],\"awsRegion\":[{\"prefix\":\"eu-\"}],"
     "\"eventSourceARN\":[{\"suffix\":\":orders\"}]}",
     "{\"eventSource\":[\"aws:kinesis\"]}"},
    {"SQS: beside the data", &message,
     "{\"body\":{\"t\":[\"x\"]},\"messageId\":[\"m-1\"]}",
     "{\"body\":{\"t\":[\"x\"]},\"messageId\":[\"m-2\"]}"},
    {"SQS: the data or a field", &message,
     "{\"$or\":[{\"body\":{\"t\":[\"y\"]}},{\"messageId\":[\"m-1\"]}]}",
     "{\"$or\":[{\"body\":{\"t\":[\"y\"]}},{\"messageId\":[\"m-2\"]}]}"},
    {"SQS: data as text or as JSON", &message,
     "{\"$or\":[{\"body\":[\"x\"]},{\"body\":{\"t\":[\"x\"]}}]}",
     "{\"$or\":[{\"body\":[\"x\"]},{\"body\":{\"t\":[\"y\"]}}]}"},

    {"Kinesis: at the top", &click,
     "{\"partitionKey\":[{\"prefix\":\"eu-\"}],\"sequenceNumber\":[\"4954\"]}",
     "{\"partitionKey\":[\"us-7\"]}"},
    {"Kinesis: within kinesis", &click,
     "{\"kinesis\":{\"partitionKey\":[\"eu-7\"],"
     "\"kinesisSchemaVersion\":[\"1.0\"]}}",
     "{\"kinesis\":{\"sequenceNumber\":[\"1\"]}}"},
    {"Kinesis: the arrival is a number", &click,
     "{\"approximateArrivalTimestamp\":[1545084650.987]}",
     "{\"kinesis\":{\"approximateArrivalTimestamp\":"
     "[{\"numeric\":[\">\",1545084650.987]}]}}"},
    {"Kinesis: the event's own", &click,
     "{\"eventID\":[\"shardId-000000000006:4954\"],"
     "\"eventName\":[\"aws:kinesis:record\"],\"eventVersion\":[\"1.0\"],"
     "\"invokeIdentityArn\":[{\"suffix\":\"/pollard\"}]}",
     "{\"eventID\":[\"4954\"]}"},
    {"Kinesis: beside the data", &click,
     "{\"data\":{\"t\":[\"x\"]},\"partitionKey\":[\"eu-7\"]}",
     "{\"data\":{\"t\":[\"y\"]},\"partitionKey\":[\"eu-7\"]}"},

    {"DynamoDB: eventName", &change, "{\"eventName\":[\"INSERT\",\"REMOVE\"]}",
     "{\"eventName\":[\"INSERT\"]}"},
    {"DynamoDB: who did it", &change,
     "{\"userIdentity\":{\"type\":[\"Service\"],"
     "\"principalId\":[\"dynamodb\"]}}",
     "{\"userIdentity\":{\"type\":[\"User\"]}}"},
    {"DynamoDB: the event's own", &change,
     "{\"eventID\":[\"c4ca\"],\"eventVersion\":[\"1.1\"],"
     "\"eventSource\":[\"aws:dynamodb\"]}",
     "{\"eventID\":[\"x\"]}"},
    {"DynamoDB: beside the data", &change,
     "{\"eventName\":[\"REMOVE\"],\"dynamodb\":{\"Keys\":{\"k\":{\"S\":"
     "[\"a\"]}}}}",
     "{\"eventName\":[\"MODIFY\"],\"dynamodb\":{\"Keys\":{\"k\":{\"S\":"
     "[\"a\"]}}}}"},
};

static void test_field(void **state)
{
    const struct field_case *c = *state;

    assert_true(matches(c->yes, c->record));
    assert_false(matches(c->no, c->record));
}

static void test_who_did_it_may_be_nobody(void **state)
{
    struct record record = change;

    (void)state;
    record.user_identity = (struct bytes){0};
    assert_true(
        matches("{\"userIdentity\":{\"type\":[{\"exists\":false}]}}", &record));
    assert_false(
        matches("{\"userIdentity\":{\"type\":[\"Service\"]}}", &record));
}

/* A record that was put together by hand may lack what a source always has. */
static void test_what_a_record_lacks_is_absent(void **state)
{
    static const struct record_origin bare = {.kind = RECORD_KINESIS};
    const struct record record = {.origin = &bare, .data = BYTES("{}")};

    (void)state;
    assert_true(matches("{\"partitionKey\":[{\"exists\":false}],"
                        "\"eventID\":[{\"exists\":false}],"
                        "\"awsRegion\":[{\"exists\":false}]}",
                        &record));
    assert_false(matches("{\"partitionKey\":[{\"exists\":true}]}", &record));
}

/* ---- filters --------------------------------------------------------------
 */

static void test_one_of_the_filters_is_enough(void **state)
{
    const char *const patterns[] = {"{\"body\":{\"t\":[\"a\"]}}",
                                    "{\"body\":[\"plain\"]}",
                                    "{\"messageId\":[\"m-9\"]}", NULL};
    struct error err = {0};
    struct filter *filter = create(patterns, RECORD_SQS, &err);
    struct record record = {.origin = &origins[RECORD_SQS]};

    (void)state;
    assert_ok(filter != NULL, &err);
    record.data = BYTES("{\"t\":\"a\"}");
    assert_true(verdict_of(filter, &record));
    record.data = BYTES("plain");
    assert_true(verdict_of(filter, &record));
    record.data = BYTES("{\"t\":\"b\"}");
    assert_false(verdict_of(filter, &record));
    record.id = BYTES("m-9");
    assert_true(verdict_of(filter, &record));
    record.id = BYTES("m-8");
    record.data = BYTES("other");
    assert_false(verdict_of(filter, &record));
    filter_destroy(filter);
}

static void test_without_filters_all_is_wanted(void **state)
{
    const char *const none[] = {NULL};
    const struct record record = {.origin = &origins[RECORD_SQS],
                                  .data = BYTES("\xff")};
    struct error err = {0};
    struct filter *filter = create(none, RECORD_SQS, &err);

    (void)state;
    assert_ok(filter != NULL, &err);
    assert_true(verdict_of(filter, &record));
    assert_true(verdict_of(NULL, &record));
    filter_destroy(filter);
    filter_destroy(NULL);
}

static void test_a_wrong_pattern_is_named_by_number(void **state)
{
    const char *const patterns[] = {"{\"data\":{\"t\":[1]}}",
                                    "{\"data\":[\"x\"]}", NULL};
    struct error err = {0};

    (void)state;
    assert_null(create(patterns, RECORD_KINESIS, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    assert_string_equal(err.message,
                        "filter 2: data: data is JSON, of which the fields are "
                        "wanted: a mapping, not a list of values");
}

/* The largest bodies, and the largest patterns with them. */
static void test_what_is_large(void **state)
{
    struct buffer pattern, body;
    struct record record = {.origin = &origins[RECORD_SQS]};

    (void)state;
    buffer_init(&pattern, 1 << 16);
    buffer_init(&body, 1 << 21);
    buffer_append_text(&pattern, "{\"body\":{");
    for (int i = 0; pattern.size < FILTER_PATTERN_LIMIT - 40; i++)
        buffer_printf(&pattern, "\"k%d\":[%d],", i, i);
    buffer_append_text(&pattern, "\"last\":[\"x\"]}}");
    buffer_append_text(&body, "{");
    for (int i = 0; body.size < (1 << 20) - 64; i++)
        buffer_printf(&body, "\"k%d\":%d,", i, i);
    buffer_append_text(&body, "\"last\":\"x\"}");
    record.data = buffer_bytes(&body);
    assert_true(matches(buffer_text(&pattern), &record));
    record.data.size -= 1;
    assert_false(matches(buffer_text(&pattern), &record));
    buffer_finish(&pattern);
    buffer_finish(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_did_it_may_be_nobody),
        cmocka_unit_test(test_what_a_record_lacks_is_absent),
        cmocka_unit_test(test_one_of_the_filters_is_enough),
        cmocka_unit_test(test_without_filters_all_is_wanted),
        cmocka_unit_test(test_a_wrong_pattern_is_named_by_number),
        cmocka_unit_test(test_what_is_large),
    };

    return run_table("data", data, test_data) +
           run_table("fields", fields, test_field) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
