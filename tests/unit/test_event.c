#include "record/event.h"

#include <jansson.h>

#include "base/random.h"
#include "record/record.h"
#include "test.h"

static const struct record_origin queue = {
    .kind = RECORD_SQS,
    .arn = "arn:aws:sqs:us-east-2:123456789012:orders",
    .region = "us-east-2",
};

static const struct record_origin shard = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
    .region = "us-east-2",
    .shard = "shardId-000000000000",
    .identity = "arn:aws:iam::123456789012:role/fn-role",
};

static const struct record_attribute attributes[] = {
    {BYTES("ApproximateReceiveCount"), BYTES("1")},
    {BYTES("SentTimestamp"), BYTES("1764090000123")},
    {BYTES("SenderId"), BYTES("AROAEXAMPLE:session")},
    {BYTES("ApproximateFirstReceiveTimestamp"), BYTES("1764090000456")},
};

static const struct record_message_attribute author[] = {
    {.name = BYTES("Author"), .type = BYTES("String"), .value = BYTES("Ann")},
    {.name = BYTES("Weight"), .type = BYTES("Number"), .value = BYTES("12.5")},
    {.name = BYTES("Photo"),
     .type = BYTES("Binary"),
     .value = BYTES("\xff\x00\x01"),
     .binary = true},
};

static struct record sqs_record(void)
{
    return (struct record){
        .origin = &queue,
        .id = BYTES("0f7c1e0e-5f0c-4f57-9f6b-0a1f3e1a2b3c"),
        .receipt_handle = BYTES("AQEB...=="),
        .data = BYTES("{\"order\": 17}"),
        .md5_of_body = BYTES("e4e68fb7bd0e697a0ae8f1bb342846b3"),
        .attributes = attributes,
        .attribute_count = 4,
    };
}

static struct record kinesis_record(int64_t arrived_at_ms)
{
    return (struct record){
        .origin = &shard,
        .id = BYTES("49590338271490256608559692538361571095921575989136588898"),
        .key = BYTES("test_0"),
        .data = BYTES("hello"),
        .arrived_at_ms = arrived_at_ms,
    };
}

/* Caller frees. */
static char *write_event(const struct record *const *records, size_t count)
{
    struct buffer out;

    buffer_init(&out, EVENT_LIMIT);
    event_write(&out, records, count);
    assert_true(buffer_ok(&out));
    return buffer_detach(&out);
}

static void assert_event(const struct record *record, const char *expected)
{
    char *event = write_event(&record, 1);

    assert_string_equal(event, expected);
    free(event);
}

static void test_sqs_without_user_attributes(void **state)
{
    struct record record = sqs_record();

    (void)state;
    // The shape recorded on AWS in November 2025: the digest is there and null.
    assert_event(
        &record,
        "{\"Records\":[{"
        "\"messageId\":\"0f7c1e0e-5f0c-4f57-9f6b-0a1f3e1a2b3c\","
        "\"receiptHandle\":\"AQEB...==\","
        "\"body\":\"{\\\"order\\\": 17}\","
        "\"attributes\":{"
        "\"ApproximateReceiveCount\":\"1\","
        "\"SentTimestamp\":\"1764090000123\","
        "\"SenderId\":\"AROAEXAMPLE:session\","
        "\"ApproximateFirstReceiveTimestamp\":\"1764090000456\"},"
        "\"messageAttributes\":{},"
        "\"md5OfMessageAttributes\":null,"
        "\"md5OfBody\":\"e4e68fb7bd0e697a0ae8f1bb342846b3\","
        "\"eventSource\":\"aws:sqs\","
        "\"eventSourceARN\":\"arn:aws:sqs:us-east-2:123456789012:orders\","
        "\"awsRegion\":\"us-east-2\"}]}");
}

static void test_sqs_with_user_attributes(void **state)
{
    struct record record = sqs_record();

    (void)state;
    record.attribute_count = 1;
    record.message_attributes = author;
    record.message_attribute_count = 3;
    record.md5_of_attributes = BYTES("d25a6aea97eb8f585bfa92d314504a92");
    assert_event(
        &record,
        "{\"Records\":[{"
        "\"messageId\":\"0f7c1e0e-5f0c-4f57-9f6b-0a1f3e1a2b3c\","
        "\"receiptHandle\":\"AQEB...==\","
        "\"body\":\"{\\\"order\\\": 17}\","
        "\"attributes\":{\"ApproximateReceiveCount\":\"1\"},"
        "\"messageAttributes\":{"
        "\"Author\":{\"stringValue\":\"Ann\",\"stringListValues\":[],"
        "\"binaryListValues\":[],\"dataType\":\"String\"},"
        "\"Weight\":{\"stringValue\":\"12.5\",\"stringListValues\":[],"
        "\"binaryListValues\":[],\"dataType\":\"Number\"},"
        "\"Photo\":{\"binaryValue\":\"/wAB\",\"stringListValues\":[],"
        "\"binaryListValues\":[],\"dataType\":\"Binary\"}},"
        "\"md5OfMessageAttributes\":\"d25a6aea97eb8f585bfa92d314504a92\","
        "\"md5OfBody\":\"e4e68fb7bd0e697a0ae8f1bb342846b3\","
        "\"eventSource\":\"aws:sqs\","
        "\"eventSourceARN\":\"arn:aws:sqs:us-east-2:123456789012:orders\","
        "\"awsRegion\":\"us-east-2\"}]}");
}

static void test_kinesis(void **state)
{
    struct record record = kinesis_record(1545084650987);

    (void)state;
    assert_event(
        &record,
        "{\"Records\":[{\"kinesis\":{"
        "\"kinesisSchemaVersion\":\"1.0\","
        "\"partitionKey\":\"test_0\","
        "\"sequenceNumber\":"
        "\"49590338271490256608559692538361571095921575989136588898\","
        "\"data\":\"aGVsbG8=\","
        "\"approximateArrivalTimestamp\":1545084650.987},"
        "\"eventSource\":\"aws:kinesis\","
        "\"eventVersion\":\"1.0\","
        "\"eventID\":\"shardId-000000000000:"
        "49590338271490256608559692538361571095921575989136588898\","
        "\"eventName\":\"aws:kinesis:record\","
        "\"invokeIdentityArn\":\"arn:aws:iam::123456789012:role/fn-role\","
        "\"awsRegion\":\"us-east-2\","
        "\"eventSourceARN\":"
        "\"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream\"}]}");
}

/* Two things more than Lambda's tell it from its neighbours. */
static void test_a_part_of_an_aggregated_record(void **state)
{
    struct record record = kinesis_record(1545084650987);

    (void)state;
    record.id = (struct bytes){"490:4294967294", 3};
    record.sub = UINT32_MAX;
    assert_event(
        &record,
        "{\"Records\":[{\"kinesis\":{"
        "\"kinesisSchemaVersion\":\"1.0\","
        "\"partitionKey\":\"test_0\","
        "\"sequenceNumber\":\"490\","
        "\"data\":\"aGVsbG8=\","
        "\"approximateArrivalTimestamp\":1545084650.987,"
        "\"subSequenceNumber\":4294967294},"
        "\"eventSource\":\"aws:kinesis\","
        "\"eventVersion\":\"1.0\","
        "\"eventID\":\"shardId-000000000000:490:4294967294\","
        "\"eventName\":\"aws:kinesis:record\","
        "\"invokeIdentityArn\":\"arn:aws:iam::123456789012:role/fn-role\","
        "\"awsRegion\":\"us-east-2\","
        "\"eventSourceARN\":"
        "\"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream\"}]}");
}

static struct seconds_case {
    const char *name;
    int64_t ms;
    const char *text;
} seconds_cases[] = {
    {"whole seconds keep a fraction", 1607497475000, ":1607497475.0}"},
    {"no trailing zeros", 1607497475500, ":1607497475.5}"},
    {"two digits", 1607497475120, ":1607497475.12}"},
    {"leading zeros stay", 1607497475007, ":1607497475.007}"},
    {"the epoch", 0, ":0.0}"},
    {"before the epoch", -5, ":0.0}"},
};

static void test_seconds(void **state)
{
    const struct seconds_case *c = *state;
    struct record record = kinesis_record(c->ms);
    const struct record *const one = &record;
    char *event = write_event(&one, 1);

    assert_contains(event, c->text);
    free(event);
}

static struct text_case {
    const char *name;
    struct bytes body;
    const char *written;
} text_cases[] = {
    {"control characters", BYTES("a\x01\n\t\x1f"),
     "\"body\":\"a\\u0001\\n\\t\\u001f\""},
    {"NUL", BYTES("a\0b"), "\"body\":\"a\\u0000b\""},
    {"UTF-8 stays", BYTES("\xf0\x9f\x90\xb9 \xe2\x82\xac"),
     "\"body\":\"\xf0\x9f\x90\xb9 \xe2\x82\xac\""},
    {"a broken byte", BYTES("a\xff\"b"), "\"body\":\"a\xef\xbf\xbd\\\"b\""},
    {"a cut character at the end", BYTES("a\xe2\x82"),
     "\"body\":\"a\xef\xbf\xbd\""},
    {"empty", {"", 0}, "\"body\":\"\""},
    {"absent", {NULL, 0}, "\"body\":\"\""},
};

static void test_text(void **state)
{
    const struct text_case *c = *state;
    struct record record = sqs_record();
    const struct record *const one = &record;
    char *event;
    json_t *parsed;

    record.data = c->body;
    event = write_event(&one, 1);
    assert_contains(event, c->written);
    parsed = json_loads(event, JSON_ALLOW_NUL, NULL);
    assert_non_null(parsed);
    json_decref(parsed);
    free(event);
}

static void test_several_records_parse(void **state)
{
    struct record first = sqs_record(), second = sqs_record();
    const struct record *const both[] = {&first, &second};
    char *event = write_event(both, 2);
    json_t *parsed = json_loads(event, 0, NULL), *records;

    (void)state;
    assert_non_null(parsed);
    records = json_object_get(parsed, "Records");
    assert_int_equal(json_array_size(records), 2);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(records, 1), "awsRegion")),
                        "us-east-2");
    json_decref(parsed);
    free(event);
}

static void test_an_event_over_the_limit_is_not_half_written(void **state)
{
    struct record record = sqs_record();
    const struct record *const one = &record;
    struct buffer out;

    (void)state;
    buffer_init(&out, 300);
    event_write(&out, &one, 1);
    assert_false(buffer_ok(&out));
    buffer_finish(&out);
}

static struct bytes random_bytes(struct random *random, char *room,
                                 size_t limit)
{
    size_t size = random_below(random, limit + 1);
    uint64_t mask = random_below(random, 2) ? 0xff : 0x7f;

    for (size_t i = 0; i < size; i++)
        room[i] = (char)(random_next(random) & mask);
    return (struct bytes){room, size};
}

// The estimate is never below what is written, and for text not far above.
static void test_the_estimate_is_an_upper_bound(void **state)
{
    struct random random = {.state = 17};

    (void)state;
    for (int round = 0; round < 4000; round++) {
        bool stream = random_below(&random, 2);
        struct record record =
            stream ? kinesis_record((int64_t)random_below(&random, 1ull << 42))
                   : sqs_record();
        const struct record *const one = &record;
        char body[300], key[128];
        char *event;
        size_t written;

        record.data = random_bytes(&random, body, sizeof(body));
        record.key = random_bytes(&random, key, sizeof(key));
        record.message_attributes = author;
        record.message_attribute_count = random_below(&random, 4);
        event = write_event(&one, 1);
        written = strlen(event) - strlen("{\"Records\":[]}");
        assert_true(event_record_size(&record) >= written);
        free(event);
    }
}

static void test_the_estimate_of_text_is_close(void **state)
{
    struct record records[] = {sqs_record(), kinesis_record(1545084650987),
                               kinesis_record(0)};

    (void)state;
    records[2].id = (struct bytes){"490:4294967294", 3};
    records[2].sub = UINT32_MAX;
    for (size_t i = 0; i < 3; i++) {
        const struct record *const one = &records[i];
        char *event = write_event(&one, 1);

        assert_in_range(event_record_size(one), strlen(event) - EVENT_FRAME,
                        strlen(event) + 64);
        free(event);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sqs_without_user_attributes),
        cmocka_unit_test(test_sqs_with_user_attributes),
        cmocka_unit_test(test_kinesis),
        cmocka_unit_test(test_a_part_of_an_aggregated_record),
        cmocka_unit_test(test_several_records_parse),
        cmocka_unit_test(test_an_event_over_the_limit_is_not_half_written),
        cmocka_unit_test(test_the_estimate_is_an_upper_bound),
        cmocka_unit_test(test_the_estimate_of_text_is_close),
    };

    return run_table("seconds", seconds_cases, test_seconds) +
           run_table("text", text_cases, test_text) +
           cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
