#include "record/event.h"

#include "base/mem.h"
#include "record/record.h"
#include "test.h"

static const struct record_origin shard = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-1:123456789012:stream/lambda-stream",
    .region = "us-east-1",
    .shard = "shardId-000000000006",
    .identity = "arn:aws:iam::123456789012:role/fn-role",
};

// The example of lambda-esm.md section 2.4, as it stands there but for space.
static const char example[] =
    "{\"Records\":[{\"kinesis\":{\"kinesisSchemaVersion\":\"1.0\","
    "\"partitionKey\":\"1\",\"sequenceNumber\":"
    "\"49590338271490256608559692538361571095921575989136588898\","
    "\"data\":\"SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==\","
    "\"approximateArrivalTimestamp\":1607497475.0},"
    "\"eventSource\":\"aws:kinesis\",\"eventVersion\":\"1.0\",\"eventID\":"
    "\"shardId-000000000006:"
    "49590338271490256608559692538361571095921575989136588898\","
    "\"eventName\":\"aws:kinesis:record\",\"invokeIdentityArn\":"
    "\"arn:aws:iam::123456789012:role/fn-role\",\"awsRegion\":\"us-east-1\","
    "\"eventSourceARN\":"
    "\"arn:aws:kinesis:us-east-1:123456789012:stream/lambda-stream\"}],"
    "\"window\":{\"start\":\"2020-12-09T07:04:00Z\","
    "\"end\":\"2020-12-09T07:06:00Z\"},\"state\":{\"1\":282,\"2\":715},"
    "\"shardId\":\"shardId-000000000006\",\"eventSourceARN\":"
    "\"arn:aws:kinesis:us-east-1:123456789012:stream/lambda-stream\","
    "\"isFinalInvokeForWindow\":false,\"isWindowTerminatedEarly\":false}";

static void test_the_event_is_as_aws_sends_it(void **state)
{
    struct record record = {
        .origin = &shard,
        .id = BYTES("49590338271490256608559692538361571095921575989136588898"),
        .key = BYTES("1"),
        .data = BYTES("Hello, this is a test."),
        .arrived_at_ms = 1607497475000,
    };
    const struct record *records[] = {&record};
    struct event_window window = {
        .origin = &shard,
        .start_ms = 1607497440000,
        .end_ms = 1607497560000,
        .state = BYTES("{\"1\":282,\"2\":715}"),
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, EVENT_LIMIT);
    event_write_window(&out, records, 1, &window);
    assert_string_equal(buffer_text(&out), example);
    assert_in_range(out.size, 1,
                    EVENT_FRAME + event_record_size(&record) +
                        event_window_size(&window) + window.state.size);
    buffer_finish(&out);
}

static void test_a_final_call_has_an_empty_list(void **state)
{
    struct event_window window = {.origin = &shard,
                                  .start_ms = 0,
                                  .end_ms = 900000,
                                  .state = BYTES("{}"),
                                  .is_final = true,
                                  .is_terminated_early = true};
    struct buffer out;

    (void)state;
    buffer_init(&out, EVENT_LIMIT);
    event_write_window(&out, NULL, 0, &window);
    assert_string_equal(
        buffer_text(&out),
        "{\"Records\":[],\"window\":{\"start\":\"1970-01-01T00:00:00Z\","
        "\"end\":\"1970-01-01T00:15:00Z\"},\"state\":{},"
        "\"shardId\":\"shardId-000000000006\",\"eventSourceARN\":"
        "\"arn:aws:kinesis:us-east-1:123456789012:stream/lambda-stream\","
        "\"isFinalInvokeForWindow\":true,\"isWindowTerminatedEarly\":true}");
    buffer_finish(&out);
}

static void test_a_time_out_of_all_reason_is_written_somehow(void **state)
{
    struct event_window window = {.origin = &shard,
                                  .start_ms = INT64_MIN,
                                  .end_ms = INT64_MAX,
                                  .state = BYTES("{}")};
    struct buffer out;

    (void)state;
    buffer_init(&out, EVENT_LIMIT);
    event_write_window(&out, NULL, 0, &window);
    assert_true(buffer_ok(&out));
    assert_in_range(out.size, 1, EVENT_FRAME + event_window_size(&window) + 2);
    buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_event_is_as_aws_sends_it),
        cmocka_unit_test(test_a_final_call_has_an_empty_list),
        cmocka_unit_test(test_a_time_out_of_all_reason_is_written_somehow),
    };

    return cmocka_run_group_tests_name("event: windows", tests, NULL, NULL);
}
