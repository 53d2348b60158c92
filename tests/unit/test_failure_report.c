#include "destination/failure_report.h"

#include "destination/on_failure.h"
#include "record/record.h"
#include "test.h"

#define ACCOUNT "us-east-2:123456789012"
#define STREAM "arn:aws:kinesis:" ACCOUNT ":stream/mystream"
#define TABLE \
    "arn:aws:dynamodb:" ACCOUNT ":table/t/stream/2024-06-10T19:26:16.525"
#define REQUEST "316aa6d0-8154-4a5e-9af7-85d5f4a6bc81"
#define FIRST "49601189658422359378836298521827638475320189012309704722"
#define LAST "49601189658422359378836298522902373528957594348623495186"

static const struct record_origin kinesis = {.kind = RECORD_KINESIS,
                                             .arn = STREAM,
                                             .region = "us-east-2",
                                             .shard = "shardId-000000000000",
                                             .identity = "arn:aws:iam::1:role"};
static const struct record_origin dynamodb = {.kind = RECORD_DYNAMODB,
                                              .arn = TABLE,
                                              .region = "us-east-2",
                                              .shard = "shardId-1-abc"};

#define CONTEXT(condition_, count_)                                       \
    "{\"requestContext\":{\"requestId\":\"" REQUEST "\",\"functionArn\":" \
    "\"arn:aws:lambda:" ACCOUNT                                           \
    ":function:myfunction\",\"condition\":\"" condition_                  \
    "\",\"approximateInvokeCount\":" count_ "},"
#define RESPONSE(error_)                                                       \
    "\"responseContext\":{\"statusCode\":200,\"executedVersion\":\"$LATEST\"," \
    "\"functionError\":" error_ "},"
#define AT "\"version\":\"1.0\",\"timestamp\":\"2025-11-25T16:35:32.717Z\","
#define KINESIS_BATCH                                                      \
    "\"KinesisBatchInfo\":{\"shardId\":\"shardId-000000000000\","          \
    "\"startSequenceNumber\":\"" FIRST "\",\"endSequenceNumber\":\"" LAST  \
    "\",\"approximateArrivalOfFirstRecord\":\"2025-11-25T16:35:04.835Z\"," \
    "\"approximateArrivalOfLastRecord\":\"2025-11-25T16:35:05.580Z\","     \
    "\"batchSize\":2,\"streamArn\":\"" STREAM "\"}"
#define DYNAMODB_BATCH                                                    \
    "\"DDBStreamBatchInfo\":{\"shardId\":\"shardId-1-abc\","              \
    "\"startSequenceNumber\":\"" FIRST "\",\"endSequenceNumber\":\"" LAST \
    "\",\"approximateArrivalOfFirstRecord\":\"2025-11-25T16:35:04Z\","    \
    "\"approximateArrivalOfLastRecord\":\"2025-11-25T16:35:05Z\","        \
    "\"batchSize\":2,\"streamArn\":\"" TABLE "\"}"

// The members and their order are those recorded on AWS, lambda-esm.md 4.1.
static struct report_case {
    const char *name;
    const struct record_origin *origin;
    enum failure_condition condition;
    unsigned invoke_count;
    bool is_unhandled;
    const char *expected;
} cases[] = {
    {"Kinesis, the function failed", &kinesis, FAILURE_RETRY_ATTEMPTS_EXHAUSTED,
     2, true,
     CONTEXT("RetryAttemptsExhausted", "2") RESPONSE("\"Unhandled\"")
         AT KINESIS_BATCH "}"},
    {"Kinesis, the batch had failed items", &kinesis,
     FAILURE_RETRY_ATTEMPTS_EXHAUSTED, 4, false,
     CONTEXT("RetryAttemptsExhausted", "4") RESPONSE("null") AT KINESIS_BATCH
     "}"},
    {"Kinesis, too old", &kinesis, FAILURE_RECORD_AGE_EXCEEDED, 8, true,
     CONTEXT("RecordAgeExceeded", "8") AT KINESIS_BATCH "}"},
    {"DynamoDB, the function failed", &dynamodb,
     FAILURE_RETRY_ATTEMPTS_EXHAUSTED, 2, true,
     CONTEXT("RetryAttemptsExhausted", "2") RESPONSE("\"Unhandled\"")
         AT DYNAMODB_BATCH "}"},
    {"DynamoDB, too old", &dynamodb, FAILURE_RECORD_AGE_EXCEEDED, 1, false,
     CONTEXT("RecordAgeExceeded", "1") AT DYNAMODB_BATCH "}"},
};

static void write_case(struct buffer *out, const struct report_case *c,
                       bool has_payload)
{
    struct record records[2] = {
        {.origin = c->origin,
         .id = BYTES(FIRST),
         .key = BYTES("k"),
         .data = BYTES("{\"a\":\"b\\\\c\"}"),
         .event_id = BYTES("e1"),
         .event_name = BYTES("INSERT"),
         .event_version = BYTES("1.1"),
         .arrived_at_ms = 1764088504835},
        {.origin = c->origin,
         .id = BYTES(LAST),
         .key = BYTES("k"),
         .data = BYTES("{}"),
         .event_id = BYTES("e2"),
         .event_name = BYTES("REMOVE"),
         .event_version = BYTES("1.1"),
         .arrived_at_ms = 1764088505580},
    };
    struct record *const list[] = {&records[0], &records[1]};
    struct failure failure = {.condition = c->condition,
                              .invoke_count = c->invoke_count,
                              .is_unhandled = c->is_unhandled,
                              .failed_wall_ms = 1764088532717,
                              .records = list,
                              .count = 2};

    failure_report_write(out,
                         &(struct failure_report){.failure = &failure,
                                                  .function = "myfunction",
                                                  .request_id = REQUEST,
                                                  .has_payload = has_payload});
    assert_true(buffer_ok(out));
}

static void test_report(void **state)
{
    const struct report_case *c = *state;
    struct buffer out;

    buffer_init(&out, FAILURE_REPORT_LIMIT);
    write_case(&out, c, false);
    assert_string_equal(buffer_text(&out), c->expected);
    buffer_finish(&out);
}

static void test_a_payload_is_an_escaped_string_at_the_end(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, FAILURE_REPORT_LIMIT);
    write_case(&out, &cases[0], true);
    assert_contains(buffer_text(&out), KINESIS_BATCH
                    ",\"payload\":\"{\\\"Records\\\":[{\\\"kinesis\\\":{"
                    "\\\"kinesisSchemaVersion\\\":\\\"1.0\\\"");
    assert_contains(buffer_text(&out), "\\\"data\\\":\\\"e30=\\\"");
    assert_string_equal(out.data + out.size - 4, "}]}\"}" + 1);
    buffer_clear(&out);
    write_case(&out, &cases[3], true);
    assert_contains(buffer_text(&out),
                    "\\\"dynamodb\\\":{\\\"a\\\":\\\"b\\\\\\\\c\\\"}");
    buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_payload_is_an_escaped_string_at_the_end),
    };

    return run_table("report", cases, test_report) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
