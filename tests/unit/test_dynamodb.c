#include "source/dynamodb.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "fake_aws.h"
#include "record/record.h"
#include "sim_clock.h"
#include "source/source.h"
#include "test.h"

#define ARN                                            \
    "arn:aws:dynamodb:eu-west-1:123456789012:table/t/" \
    "stream/2026-11-22T10:00:00.000"
#define SHARD "shardId-00000001795381583493-c91c758b"

void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request);
void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request)
{
    fake_aws_send(client, request);
}

static bool cancelled;

void __wrap_aws_client_cancel(struct aws_client *client, const void *owner);
void __wrap_aws_client_cancel(struct aws_client *client, const void *owner)
{
    (void)client;
    (void)owner;
    cancelled = true;
}

// ---- the story's verbs -----------------------------------------------------

static struct stage {
    struct sim_clock time;
    struct fake_aws aws;
    struct source *source;
    struct fake_call call; // the one in flight, taken
    bool in_flight;
    size_t room;
} stage;

static const struct stream_start horizon = {.position = STREAM_TRIM_HORIZON};
static const struct stream_start latest = {.position = STREAM_LATEST};

static int64_t now(void)
{
    return stage.time.now_ms;
}

static int set_up(void **state)
{
    (void)state;
    memset(&stage, 0, sizeof(stage));
    cancelled = false;
    sim_clock_init(&stage.time);
    fake_aws_init(&stage.aws);
    stage.room = 1000;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    source_close(stage.source);
    if (stage.in_flight)
        fake_call_finish(&stage.call);
    fake_aws_finish(&stage.aws);
    return 0;
}

static void open_with(const struct stream_start *start, bool fails_trimmed)
{
    static const struct log silent;

    stage.source = dynamodb_open(
        &(struct dynamodb_options){.client = fake_aws_client(&stage.aws),
                                   .clock = &stage.time.clock,
                                   .log = &silent,
                                   .arn = ARN,
                                   .shard = SHARD,
                                   .start = *start,
                                   .fails_trimmed = fails_trimmed,
                                   .seed = 7});
}

static void poll(void)
{
    source_poll(stage.source, stage.room, now());
}

static void expect_call(const char *operation)
{
    assert_false(stage.in_flight);
    poll();
    stage.call = fake_aws_take(&stage.aws, operation);
    stage.in_flight = true;
    assert_int_equal(stage.call.request.service, AWS_DYNAMODB_STREAMS);
    assert_int_equal(stage.call.request.protocol, AWS_JSON_10);
    assert_int_equal(stage.call.request.max_attempts, 1);
    assert_ptr_equal(stage.call.request.owner, stage.source);
}

static void expect_no_call(void)
{
    poll();
    assert_int_equal(stage.aws.count, 0);
}

// It sends this call when this time has passed, not before, and says so.
static void expect_call_after(int64_t ms, const char *operation)
{
    expect_no_call();
    assert_int_equal(source_deadline_ms(stage.source), now() + ms);
    sim_clock_advance(&stage.time, ms - 1);
    expect_no_call();
    sim_clock_advance(&stage.time, 1);
    expect_call(operation);
}

static void expect_call_between(int64_t low_ms, int64_t high_ms,
                                const char *operation)
{
    int64_t wait_ms;

    expect_no_call();
    wait_ms = source_deadline_ms(stage.source) - now();
    assert_in_range(wait_ms, low_ms, high_ms);
    sim_clock_advance(&stage.time, wait_ms);
    expect_call(operation);
}

static void deliver(struct aws_reply reply)
{
    assert_true(stage.in_flight);
    stage.in_flight = false;
    source_reply(stage.source, &reply, now());
    buffer_finish(&reply.body);
    fake_call_finish(&stage.call);
}

static void answer(const char *json)
{
    deliver(fake_reply(&stage.call, json, now()));
}

static void answer_iterator(const char *iterator)
{
    char *json = mem_printf("{\"ShardIterator\":\"%s\"}", iterator);

    answer(json);
    free(json);
}

static void refuse(const char *code, int status, enum error_code error)
{
    deliver(fake_failure(&stage.call, status, error, code, now()));
}

// Records with the numbers from `first` on, of a time so many seconds ago.
static void answer_page(long first, long count, int64_t age_s,
                        const char *iterator)
{
    struct buffer json;

    buffer_init(&json, 1 << 20);
    buffer_append_text(&json, "{\"Records\":[");
    for (long i = 0; i < count; i++)
        buffer_printf(&json,
                      "%s{\"eventID\":\"e\",\"dynamodb\":{"
                      "\"SequenceNumber\":\"%ld\",\"Keys\":{\"id\":{\"N\":"
                      "\"%ld\"}},\"ApproximateCreationDateTime\":%lld}}",
                      i ? "," : "", first + i, first + i,
                      (long long)(stage.time.wall_ms / 1000 - age_s));
    buffer_append_text(&json, "]");
    if (iterator)
        buffer_printf(&json, ",\"NextShardIterator\":\"%s\"", iterator);
    buffer_append_text(&json, "}");
    answer(buffer_text(&json));
    buffer_finish(&json);
}

static void start_reading(const struct stream_start *start)
{
    open_with(start, false);
    expect_call("GetShardIterator");
    answer_iterator("i0");
    expect_call("GetRecords");
    assert_string_equal(stage.call.body,
                        "{\"ShardIterator\":\"i0\",\"Limit\":1000}");
}

// Take and settle all there is. Returns how many.
static size_t drain(void)
{
    struct record *record;
    size_t count = 0;

    for (poll(); (record = source_next(stage.source)); poll()) {
        source_settle(stage.source, record, SOURCE_DONE, -1, now());
        count++;
    }
    return count;
}

static void expect_failure(enum error_code code, const char *part)
{
    const struct error *failure = source_failure(stage.source);

    assert_non_null(failure);
    assert_int_equal(failure->code, code);
    assert_contains(failure->message, part);
    sim_clock_advance(&stage.time, 3600000);
    expect_no_call();
    assert_true(source_deadline_ms(stage.source) == CLOCK_NEVER);
}

// ---- where it starts -------------------------------------------------------

#define ITERATOR_CALL(rest) \
    "{\"StreamArn\":\"" ARN "\",\"ShardId\":\"" SHARD "\"," rest "}"
#define FROM_HORIZON ITERATOR_CALL("\"ShardIteratorType\":\"TRIM_HORIZON\"")
#define FROM_AFTER(sequence)                                         \
    ITERATOR_CALL("\"ShardIteratorType\":\"AFTER_SEQUENCE_NUMBER\"," \
                  "\"SequenceNumber\":\"" sequence "\"")

static struct start_case {
    const char *name;
    struct stream_start start;
    const char *body;
} start_cases[] = {
    {"trim horizon", {.position = STREAM_TRIM_HORIZON}, FROM_HORIZON},
    {"latest",
     {.position = STREAM_LATEST},
     ITERATOR_CALL("\"ShardIteratorType\":\"LATEST\"")},
    {"a time is looked for from the horizon on",
     {.position = STREAM_AT_TIMESTAMP, .timestamp_ms = 1795369143007},
     FROM_HORIZON},
    {"a sequence number keeps its zeros",
     {.position = STREAM_AFTER_SEQUENCE_NUMBER,
      .sequence_number = "000000000000000000007"},
     FROM_AFTER("000000000000000000007")},
    {"no part of a record",
     {.position = STREAM_AFTER_SEQUENCE_NUMBER, .sequence_number = "49:3"},
     FROM_AFTER("49")},
};

static void test_start(void **state)
{
    const struct start_case *c = *state;

    set_up(NULL);
    open_with(&c->start, false);
    expect_call("GetShardIterator");
    assert_string_equal(stage.call.body, c->body);
    tear_down(NULL);
}

// ---- how fast it reads -----------------------------------------------------

static void test_four_reads_a_second_whatever_comes(void **state)
{
    (void)state;
    start_reading(&horizon);
    answer_page(1, 0, 0, "i1");
    expect_call_after(250, "GetRecords");
    answer_page(1, 3, 0, "i2");
    assert_int_equal(drain(), 3);
    expect_call_after(250, "GetRecords");
    answer_page(10, 1000, 0, "i3");
    assert_int_equal(drain(), 1000);
    expect_call_after(250, "GetRecords");
}

static void test_a_renewal_is_no_way_around_the_pace(void **state)
{
    (void)state;
    start_reading(&horizon);
    refuse("ExpiredIteratorException", 400, ERROR_INVALID);
    expect_call("GetShardIterator");
    answer_iterator("i1");
    expect_call_after(250, "GetRecords");
    assert_contains(stage.call.body, "\"i1\"");
}

static void test_what_waits_keeps_the_next_page_away(void **state)
{
    (void)state;
    stage.room = 2;
    start_reading(&horizon);
    answer_page(1, 1000, 0, "i1");
    sim_clock_advance(&stage.time, 250);
    expect_call("GetRecords"); // one page ahead
    answer_page(1001, 1000, 0, "i2");
    sim_clock_advance(&stage.time, 10000);
    expect_no_call();
}

// ---- iterators -------------------------------------------------------------

static void test_an_iterator_is_used_for_fourteen_minutes(void **state)
{
    (void)state;
    start_reading(&horizon);
    answer_page(41, 2, 0, "i1");
    assert_int_equal(drain(), 2);
    stage.room = 0;
    sim_clock_advance(&stage.time, 14 * 60 * 1000);
    expect_no_call();
    stage.room = 10;
    expect_call("GetRecords");
    answer_page(43, 0, 0, "i2");
    stage.room = 0;
    sim_clock_advance(&stage.time, 14 * 60 * 1000 + 1);
    expect_no_call();
    stage.room = 10;
    expect_call("GetShardIterator");
    assert_string_equal(stage.call.body, FROM_AFTER("42"));
}

static void test_what_is_no_iterator_is_made_anew(void **state)
{
    (void)state;
    start_reading(&horizon);
    refuse("ValidationException", 400, ERROR_INVALID);
    expect_call("GetShardIterator");
    refuse("ValidationException", 400, ERROR_INVALID);
    expect_failure(ERROR_INVALID, "ValidationException");
}

// ---- LATEST ----------------------------------------------------------------

static void test_latest_is_asked_for_once(void **state)
{
    (void)state;
    start_reading(&latest);
    answer_page(1, 0, 0, "i1");
    sim_clock_advance(&stage.time, 600 * 1000);
    expect_call("GetRecords");
    refuse("ExpiredIteratorException", 400, ERROR_INVALID);
    expect_call("GetShardIterator");
    assert_string_equal(stage.call.body, FROM_HORIZON);
    answer_iterator("i2");
    sim_clock_advance(&stage.time, 250);
    expect_call("GetRecords");
    answer_page(1, 4, 900, "i3"); // from before we began
    assert_int_equal(drain(), 0);
    expect_call_after(250, "GetRecords");
    answer_page(5, 3, 300, "i4");
    assert_int_equal(drain(), 3);
    sim_clock_advance(&stage.time, 250);
    expect_call("GetRecords");
    refuse("ExpiredIteratorException", 400, ERROR_INVALID);
    expect_call("GetShardIterator");
    assert_string_equal(stage.call.body, FROM_AFTER("7"));
}

static void test_a_page_of_old_records_moves_the_position(void **state)
{
    struct stream_start start = {.position = STREAM_AT_TIMESTAMP};

    (void)state;
    start.timestamp_ms = stage.time.wall_ms;
    start_reading(&start);
    answer_page(1, 9, 3600, "i1");
    assert_int_equal(drain(), 0);
    sim_clock_advance(&stage.time, 250);
    expect_call("GetRecords");
    refuse("ExpiredIteratorException", 400, ERROR_INVALID);
    expect_call("GetShardIterator");
    assert_string_equal(stage.call.body, FROM_AFTER("9"));
}

// DynamoDB Local cuts times to the minute.
static void test_a_record_of_the_same_minute_is_kept(void **state)
{
    struct stream_start start = {.position = STREAM_AT_TIMESTAMP};

    (void)state;
    start.timestamp_ms = stage.time.wall_ms / 60000 * 60000 + 59999;
    start_reading(&start);
    answer_page(1, 1, stage.time.wall_ms / 1000 % 60, "i1");
    assert_int_equal(drain(), 1);
}

// ---- the end ---------------------------------------------------------------

static void test_without_a_next_iterator_the_shard_has_ended(void **state)
{
    (void)state;
    start_reading(&horizon);
    answer_page(1, 2, 0, NULL);
    assert_false(source_is_ended(stage.source)); // two are to be handed out
    assert_int_equal(drain(), 2);
    assert_true(source_is_ended(stage.source));
    assert_true(source_is_idle(stage.source));
    sim_clock_advance(&stage.time, 3600000);
    expect_no_call();
}

static void test_an_empty_end_is_believed_as_well(void **state)
{
    (void)state;
    start_reading(&latest);
    answer("{\"Records\":[]}");
    assert_true(source_is_ended(stage.source));
    expect_no_call();
}

static void test_an_answer_cut_short_is_no_end(void **state)
{
    (void)state;
    start_reading(&horizon);
    answer("{\"Records\":[");
    assert_false(source_is_ended(stage.source));
    expect_call_between(100, 400, "GetRecords");
    answer("{}");
    assert_false(source_is_ended(stage.source));
}

// ---- what was trimmed ------------------------------------------------------

static uint64_t trimmed(void)
{
    struct source_counts counts;

    source_counts(stage.source, &counts);
    return counts.trimmed;
}

static const struct stream_start after_9 = {
    .position = STREAM_AFTER_SEQUENCE_NUMBER, .sequence_number = "9"};

static void test_trimmed_data_is_skipped_and_counted(void **state)
{
    (void)state;
    open_with(&after_9, false);
    expect_call("GetShardIterator");
    refuse("TrimmedDataAccessException", 400, ERROR_INVALID);
    assert_int_equal(trimmed(), 1);
    expect_call("GetShardIterator");
    assert_string_equal(stage.call.body, FROM_HORIZON);
    answer_iterator("i0");
    expect_call("GetRecords");
    answer_page(100, 1, 0, "i1");
    assert_int_equal(drain(), 1);
    assert_int_equal(trimmed(), 1);
}

// The horizon moves on between the two calls.
static void test_the_horizon_can_be_trimmed_too(void **state)
{
    (void)state;
    start_reading(&horizon);
    refuse("TrimmedDataAccessException", 400, ERROR_INVALID);
    expect_call("GetShardIterator");
    answer_iterator("i1");
    sim_clock_advance(&stage.time, 250);
    expect_call("GetRecords");
    refuse("TrimmedDataAccessException", 400, ERROR_INVALID);
    expect_call_between(100, 600, "GetShardIterator");
    assert_int_equal(trimmed(), 2);
    assert_null(source_failure(stage.source));
}

static void test_trimmed_data_can_stop_the_shard(void **state)
{
    (void)state;
    open_with(&after_9, true);
    expect_call("GetShardIterator");
    refuse("TrimmedDataAccessException", 400, ERROR_INVALID);
    assert_int_equal(trimmed(), 0);
    expect_failure(ERROR_INVALID, "after 9: ");
}

// ---- refusals --------------------------------------------------------------

static struct refusal_case {
    const char *code;
    int status;
    enum error_code error;
    int64_t low_ms, high_ms; // until it tries again
} refusal_cases[] = {
    {"LimitExceededException", 400, ERROR_THROTTLED, 1000, 2000},
    {"ThrottlingException", 400, ERROR_THROTTLED, 1000, 2000},
    {"InternalServerError", 500, ERROR_TRANSIENT, 100, 400},
    {"", 0, ERROR_TRANSIENT, 100, 400},
};

static void test_refusal(void **state)
{
    const struct refusal_case *c = *state;

    set_up(NULL);
    start_reading(&horizon);
    refuse(c->code, c->status, c->error);
    expect_call_between(c->low_ms, c->high_ms, "GetRecords");
    assert_contains(stage.call.body, "\"i0\"");
    tear_down(NULL);
}

static void test_a_shard_that_is_not_there_is_for_the_keeper(void **state)
{
    (void)state;
    open_with(&horizon, false);
    expect_call("GetShardIterator");
    refuse("ResourceNotFoundException", 400, ERROR_NOT_FOUND);
    expect_failure(ERROR_NOT_FOUND, "ResourceNotFoundException");
}

// ---- stopping --------------------------------------------------------------

static void test_a_stop_gives_back_what_waits(void **state)
{
    struct source_counts counts;

    (void)state;
    start_reading(&horizon);
    answer_page(1, 3, 0, "i1");
    sim_clock_advance(&stage.time, 250);
    stage.room = 1000;
    expect_call("GetRecords");
    source_stop(stage.source);
    assert_true(cancelled);
    refuse("", 0, ERROR_STOPPED);
    assert_true(source_is_idle(stage.source));
    assert_false(source_is_ended(stage.source));
    source_counts(stage.source, &counts);
    assert_int_equal(counts.received, 3);
    assert_int_equal(counts.returned, 3);
    assert_true(source_deadline_ms(stage.source) == CLOCK_NEVER);
}

static void test_records_say_where_they_are_from(void **state)
{
    struct record *record;

    (void)state;
    start_reading(&horizon);
    answer_page(1, 1, 0, "i1");
    poll();
    record = source_next(stage.source);
    assert_int_equal(record->origin->kind, RECORD_DYNAMODB);
    assert_string_equal(record->origin->arn, ARN);
    assert_string_equal(record->origin->region, "eu-west-1");
    assert_string_equal(record->origin->shard, SHARD);
    source_settle(stage.source, record, SOURCE_DONE, -1, now());
}

#define TEST(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_four_reads_a_second_whatever_comes),
        TEST(test_a_renewal_is_no_way_around_the_pace),
        TEST(test_what_waits_keeps_the_next_page_away),
        TEST(test_an_iterator_is_used_for_fourteen_minutes),
        TEST(test_what_is_no_iterator_is_made_anew),
        TEST(test_latest_is_asked_for_once),
        TEST(test_a_page_of_old_records_moves_the_position),
        TEST(test_a_record_of_the_same_minute_is_kept),
        TEST(test_without_a_next_iterator_the_shard_has_ended),
        TEST(test_an_empty_end_is_believed_as_well),
        TEST(test_an_answer_cut_short_is_no_end),
        TEST(test_trimmed_data_is_skipped_and_counted),
        TEST(test_the_horizon_can_be_trimmed_too),
        TEST(test_trimmed_data_can_stop_the_shard),
        TEST(test_a_shard_that_is_not_there_is_for_the_keeper),
        TEST(test_a_stop_gives_back_what_waits),
        TEST(test_records_say_where_they_are_from),
    };

    return run_table("start", start_cases, test_start) +
           run_table("refusal", refusal_cases, test_refusal) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
