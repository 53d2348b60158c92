#include "destination/failure_read.h"

#include "destination/failure_report.h"
#include "destination/on_failure.h"
#include "record/event_read.h"
#include "record/record.h"
#include "test.h"

#define STREAM "arn:aws:kinesis:us-east-2:123456789012:stream/s"
#define TABLE "arn:aws:dynamodb:us-east-2:123456789012:table/t/stream/l"
#define DYNAMODB_DATA                                                 \
    "{\"ApproximateCreationDateTime\":1733418659.0,\"Keys\":{\"pk\":" \
    "{\"S\":\"a\\nb\"}},\"SequenceNumber\":\"442\",\"SizeBytes\":70}"

static const struct record_origin kinesis = {.kind = RECORD_KINESIS,
                                             .arn = STREAM,
                                             .region = "us-east-2",
                                             .shard = "shardId-0",
                                             .identity = "arn:aws:iam::1:r"};
static const struct record_origin dynamodb = {.kind = RECORD_DYNAMODB,
                                              .arn = TABLE,
                                              .region = "us-east-2",
                                              .shard = "shardId-1"};

static void write_failure(struct buffer *out, struct failure *failure)
{
    failure->failed_wall_ms = 1764088532717;
    failure->invoke_count = 3;
    buffer_init(out, FAILURE_REPORT_LIMIT);
    failure_report_write(out, &(struct failure_report){.failure = failure,
                                                       .function = "f",
                                                       .request_id = "r",
                                                       .has_payload = true});
}

static void copy_payload(const struct failure_read *read, struct buffer *event)
{
    buffer_init(event, FAILURE_REPORT_LIMIT);
    buffer_append_bytes(event, read->payload);
}

static void assert_bytes(struct bytes bytes, const char *text)
{
    assert_int_equal(bytes.size, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size);
}

static void test_kinesis_records_come_back_as_they_were(void **state)
{
    struct record records[2] = {{.origin = &kinesis,
                                 .id = BYTES("490"),
                                 .key = BYTES("k\"1"),
                                 .data = BYTES("\0\xff{}"),
                                 .arrived_at_ms = 1764088504835},
                                {.origin = &kinesis,
                                 .id = BYTES("491"),
                                 .key = BYTES("k2"),
                                 .data = BYTES(""),
                                 .arrived_at_ms = 1764088504900}};
    struct record *const list[] = {&records[0], &records[1]};
    struct failure failure = {.records = list, .count = 2};
    struct buffer text, payload;
    struct failure_read read;
    struct event_read event;
    struct error err = {0};

    (void)state;
    write_failure(&text, &failure);
    assert_ok(failure_read(&read, &text, &err), &err);
    assert_bytes(read.condition, "RetryAttemptsExhausted");
    assert_bytes(read.timestamp, "2025-11-25T16:35:32.717Z");
    assert_bytes(read.shard, "shardId-0");
    assert_bytes(read.first, "490");
    assert_bytes(read.last, "491");
    assert_bytes(read.stream_arn, STREAM);
    assert_int_equal(read.batch_size, 2);
    assert_int_equal(read.invoke_count, 3);

    copy_payload(&read, &payload);
    assert_ok(event_read(&event, &payload, "other", &err), &err);
    assert_int_equal(event.count, 2);
    assert_string_equal(event.origin.arn, STREAM);
    assert_string_equal(event.origin.shard, "shardId-0");
    assert_int_equal(event.origin.kind, RECORD_KINESIS);
    for (size_t i = 0; i < 2; i++) {
        assert_true(bytes_equal(event.records[i]->id, records[i].id));
        assert_true(bytes_equal(event.records[i]->key, records[i].key));
        assert_true(bytes_equal(event.records[i]->data, records[i].data));
        assert_int_equal(event.records[i]->arrived_at_ms,
                         records[i].arrived_at_ms);
        assert_ptr_equal(event.records[i]->origin, &event.origin);
    }
    assert_false(event.has_window);
    event_read_finish(&event);
    failure_read_finish(&read);
}

// Written again, the event is the same to the byte.
static void assert_same_event(const struct event_read *event,
                              struct failure *failure)
{
    struct failure again = *failure;
    struct buffer one, two;

    buffer_init(&one, FAILURE_REPORT_LIMIT);
    buffer_init(&two, FAILURE_REPORT_LIMIT);
    failure_report_event(&one, failure);
    again.records = event->records;
    again.count = event->count;
    again.window = event->has_window ? &event->window : NULL;
    failure_report_event(&two, &again);
    assert_string_equal(buffer_text(&two), buffer_text(&one));
    buffer_finish(&one);
    buffer_finish(&two);
}

static void test_parts_of_an_aggregated_record_come_back(void **state)
{
    struct record records[2] = {{.origin = &kinesis,
                                 .id = {"490:0", 3},
                                 .sub = 1,
                                 .key = BYTES("k1"),
                                 .data = BYTES("one"),
                                 .arrived_at_ms = 1764088504835},
                                {.origin = &kinesis,
                                 .id = {"490:17", 3},
                                 .sub = 18,
                                 .key = BYTES("k2"),
                                 .data = BYTES("two"),
                                 .arrived_at_ms = 1764088504835}};
    struct record *const list[] = {&records[0], &records[1]};
    struct failure failure = {.records = list, .count = 2};
    struct buffer text, payload;
    struct failure_read read;
    struct event_read event;
    struct error err = {0};

    (void)state;
    write_failure(&text, &failure);
    assert_ok(failure_read(&read, &text, &err), &err);
    assert_bytes(read.first, "490"); // the shard's own numbers
    assert_bytes(read.last, "490");
    copy_payload(&read, &payload);
    assert_ok(event_read(&event, &payload, "other", &err), &err);
    assert_int_equal(event.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(event.records[i]->sub, records[i].sub);
        assert_true(bytes_equal(event.records[i]->id, records[i].id));
        assert_true(bytes_equal(record_full_id(event.records[i]),
                                record_full_id(&records[i])));
    }
    assert_same_event(&event, &failure);
    event_read_finish(&event);
    failure_read_finish(&read);
}

static void test_a_window_of_dynamodb_comes_back(void **state)
{
    struct record record = {.origin = &dynamodb,
                            .id = BYTES("442"),
                            .data = BYTES(DYNAMODB_DATA),
                            .event_id = BYTES("e1"),
                            .event_name = BYTES("INSERT"),
                            .event_version = BYTES("1.1"),
                            .user_identity = BYTES("{\"type\":\"Service\"}"),
                            .arrived_at_ms = 1733418659000};
    const struct event_window window = {.origin = &dynamodb,
                                        .start_ms = 1607497440000,
                                        .end_ms = 1607497560000,
                                        .state =
                                            BYTES("{\"1\":[2,\"\\u0033\"]}"),
                                        .is_final = true};
    struct record *const list[] = {&record};
    struct failure failure = {.records = list, .count = 1, .window = &window};
    struct buffer text, payload;
    struct failure_read read;
    struct event_read event;
    struct error err = {0};

    (void)state;
    write_failure(&text, &failure);
    assert_ok(failure_read(&read, &text, &err), &err);
    copy_payload(&read, &payload);
    assert_ok(event_read(&event, &payload, "shardId-1", &err), &err);
    assert_int_equal(event.count, 1);
    assert_bytes(event.records[0]->data, DYNAMODB_DATA);
    assert_bytes(event.records[0]->key, "{\"pk\":{\"S\":\"a\\nb\"}}");
    assert_int_equal(event.records[0]->arrived_at_ms, 1733418659000);
    assert_true(event.has_window);
    assert_int_equal(event.window.start_ms, 1607497440000);
    assert_int_equal(event.window.end_ms, 1607497560000);
    assert_true(event.window.is_final);
    assert_false(event.window.is_terminated_early);
    assert_same_event(&event, &failure);
    event_read_finish(&event);
    failure_read_finish(&read);
}

static void test_a_payload_may_be_an_object(void **state)
{
    static const char report[] =
        "{\"requestContext\":{\"condition\":\"C\"},\"KinesisBatchInfo\":{"
        "\"shardId\":\"s\",\"startSequenceNumber\":\"1\","
        "\"endSequenceNumber\":\"2\"},\"payload\":{\"Records\":[\"\\u0041\"]}}";
    struct failure_read read;
    struct error err = {0};
    struct buffer text;

    (void)state;
    buffer_init(&text, 4096);
    buffer_append_text(&text, report);
    assert_ok(failure_read(&read, &text, &err), &err);
    assert_bytes(read.payload, "{\"Records\":[\"\\u0041\"]}");
    failure_read_finish(&read);
}

static void test_a_bare_event_is_of_the_filtered(void **state)
{
    struct failure_read read;
    struct error err = {0};
    struct buffer text;

    (void)state;
    buffer_init(&text, 4096);
    buffer_append_text(&text, "{\"Records\":[{\"body\":\"x\"}]}");
    assert_ok(failure_read(&read, &text, &err), &err);
    assert_bytes(read.condition, "Filtered");
    assert_bytes(read.payload, "{\"Records\":[{\"body\":\"x\"}]}");
    failure_read_finish(&read);
}

static struct bad_case {
    const char *name, *text, *why;
} bad_reports[] = {
    {"nothing", "", "no JSON"},
    {"no JSON", "hello", "no JSON"},
    {"half of it", "{\"requestContext\":{\"condition\":\"C", "no JSON"},
    {"two documents", "{\"Records\":[]}{}", "no JSON"},
    {"not UTF-8", "{\"Records\":\"\xff\"}", "not UTF-8"},
    {"an array", "[]", "no JSON"},
    {"null", "null", "no failure report"},
    {"something else", "{\"a\":1}", "no failure report"},
    {"a context that is none", "{\"requestContext\":7}", "no JSON"},
    {"a report of nothing", "{\"requestContext\":{\"condition\":\"C\"}}",
     "without its shard"},
    {"a number as condition", "{\"requestContext\":{\"condition\":7}}",
     "no JSON"},
};

static void test_bad_report(void **state)
{
    const struct bad_case *c = *state;
    struct failure_read read;
    struct error err = {0};
    struct buffer text;

    buffer_init(&text, 4096);
    buffer_append_text(&text, c->text);
    assert_fails(failure_read(&read, &text, &err), &err, ERROR_INVALID);
    assert_contains(err.message, c->why);
    failure_read_finish(&read);
}

#define RECORD(id_, shard_)                                        \
    "{\"kinesis\":{\"sequenceNumber\":\"" id_ "\",\"data\":\"\"}," \
    "\"eventID\":\"" shard_ ":1\",\"eventSourceARN\":\"arn\"}"

#define PART(id_, event_id_, place_)                        \
    "{\"Records\":[{\"kinesis\":{\"sequenceNumber\":\"" id_ \
    "\",\"data\":\"\",\"subSequenceNumber\":" place_        \
    "},\"eventID\":\"" event_id_ "\",\"eventSourceARN\":\"arn\"}]}"

static struct bad_case bad_events[] = {
    {"nothing", "", "ends early"},
    {"no records", "{\"Records\":[]}", "no records"},
    {"records that are none", "{\"Records\":{}}", "at byte"},
    {"a message of a queue", "{\"Records\":[{\"body\":\"x\"}]}",
     "neither of Kinesis nor of DynamoDB"},
    {"no data", "{\"Records\":[{\"kinesis\":{\"sequenceNumber\":\"1\"}}]}",
     "lacks its sequence number"},
    {"no base64",
     "{\"Records\":[{\"kinesis\":{\"data\":\"a\"},\"eventSourceARN\":\"a\"}]}",
     "not base64"},
    {"a part whose eventID is of another", PART("1", "a:2:4", "4"),
     "a part's eventID is of another record"},
    {"a part whose eventID says another place", PART("1", "a:1:44", "4"),
     "a part's eventID is of another record"},
    {"a part whose eventID has no place", PART("1", "a:1", "4"),
     "a part's eventID is of another record"},
    {"a part without eventID",
     "{\"Records\":[{\"kinesis\":{\"sequenceNumber\":\"1\",\"data\":\"\","
     "\"subSequenceNumber\":0},\"eventSourceARN\":\"arn\"}]}",
     "a part's eventID is of another record"},
    {"a place below 0", PART("1", "a:1:4", "-1"), "out of range"},
    {"a place past all", PART("1", "a:1:4", "4294967295"), "out of range"},
    {"two shards", "{\"Records\":[" RECORD("1", "a") "," RECORD("2", "b") "]}",
     "more than one source or shard"},
    {"no sequence number", "{\"Records\":[" RECORD("", "a") "]}",
     "lacks its sequence number"},
    {"both kinds", "{\"Records\":[{\"kinesis\":{},\"dynamodb\":{}}]}",
     "neither"},
    {"a state that is no object",
     "{\"state\":7,\"Records\":[" RECORD("1", "a") "]}", "no object"},
    {"a window without times",
     "{\"window\":{\"start\":\"soon\"},\"Records\":[" RECORD("1", "a") "]}",
     "no start or end"},
};

static void test_bad_event(void **state)
{
    const struct bad_case *c = *state;
    struct event_read event;
    struct error err = {0};
    struct buffer text;

    buffer_init(&text, 4096);
    buffer_append_text(&text, c->text);
    assert_fails(event_read(&event, &text, "s", &err), &err, ERROR_INVALID);
    assert_contains(err.message, c->why);
    event_read_finish(&event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinesis_records_come_back_as_they_were),
        cmocka_unit_test(test_parts_of_an_aggregated_record_come_back),
        cmocka_unit_test(test_a_window_of_dynamodb_comes_back),
        cmocka_unit_test(test_a_payload_may_be_an_object),
        cmocka_unit_test(test_a_bare_event_is_of_the_filtered),
    };

    return run_table("report", bad_reports, test_bad_report) +
           run_table("event", bad_events, test_bad_event) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
