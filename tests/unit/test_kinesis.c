#include "source/kinesis.h"

#include <stdio.h>

#include "aggregate.h"
#include "aws/client.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "sim_clock.h"
#include "source/source.h"
#include "record/sequence.h"
#include "test.h"

#define SHARD "shardId-000000000000"

// ---- a client that only notes what it is asked to send ---------------------

static struct fake {
    struct sim_clock time;
    const char *endpoint;
    int64_t server_ahead_ms;            // its clock
    enum aws_kinesis_protocol protocol; // what the session knows
    struct aws_request sent;            // the one call in flight
    bool in_flight, cancelled;
    int calls;
    struct source *source;
    size_t room;
    bool splits; // aggregated records
} fake;

void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request);
void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request)
{
    (void)client;
    assert_false(fake.in_flight); // one call at a time
    assert_true(buffer_ok(&request->body));
    assert_int_equal(request->max_attempts, 1);
    buffer_finish(&fake.sent.body);
    buffer_finish(&fake.sent.memory);
    fake.sent = *request;
    fake.in_flight = true;
    fake.calls++;
}

void __wrap_aws_client_cancel(struct aws_client *client, const void *owner);
void __wrap_aws_client_cancel(struct aws_client *client, const void *owner)
{
    (void)client;
    assert_ptr_equal(owner, fake.source);
    fake.cancelled = fake.in_flight;
}

void __wrap_aws_client_push(struct aws_client *client);
void __wrap_aws_client_push(struct aws_client *client)
{
    (void)client;
}

bool __wrap_aws_client_call(struct aws_client *client,
                            struct aws_request *request, const bool *stop,
                            struct aws_reply *reply);
bool __wrap_aws_client_call(struct aws_client *client,
                            struct aws_request *request, const bool *stop,
                            struct aws_reply *reply)
{
    (void)client;
    (void)request;
    (void)stop;
    (void)reply;
    fail_msg("a source never blocks");
    return false;
}

void __wrap_aws_reply_finish(struct aws_reply *reply);
void __wrap_aws_reply_finish(struct aws_reply *reply)
{
    buffer_finish(&reply->body);
}

const char *__wrap_aws_session_region(const struct aws_session *session);
const char *__wrap_aws_session_region(const struct aws_session *session)
{
    (void)session;
    return "eu-west-1";
}

const char *__wrap_aws_session_account(const struct aws_session *session);
const char *__wrap_aws_session_account(const struct aws_session *session)
{
    (void)session;
    return "123456789012";
}

const char *__wrap_aws_session_endpoint(const struct aws_session *session,
                                        enum aws_service service);
const char *__wrap_aws_session_endpoint(const struct aws_session *session,
                                        enum aws_service service)
{
    (void)session;
    assert_int_equal(service, AWS_KINESIS);
    return fake.endpoint;
}

int64_t __wrap_aws_session_server_ms(const struct aws_session *session,
                                     enum aws_service service, int64_t wall_ms);
int64_t __wrap_aws_session_server_ms(const struct aws_session *session,
                                     enum aws_service service, int64_t wall_ms)
{
    (void)session;
    assert_int_equal(service, AWS_KINESIS);
    return wall_ms + fake.server_ahead_ms;
}

enum aws_kinesis_protocol
__wrap_aws_session_kinesis_protocol(const struct aws_session *session);
enum aws_kinesis_protocol
__wrap_aws_session_kinesis_protocol(const struct aws_session *session)
{
    (void)session;
    return fake.protocol;
}

void __wrap_aws_session_set_kinesis_protocol(
    struct aws_session *session, enum aws_kinesis_protocol protocol);
void __wrap_aws_session_set_kinesis_protocol(struct aws_session *session,
                                             enum aws_kinesis_protocol protocol)
{
    (void)session;
    fake.protocol = protocol;
}

// ---- the story's verbs -----------------------------------------------------

static const struct stream_start horizon = {.position = STREAM_TRIM_HORIZON};

static int64_t now(void)
{
    return fake.time.now_ms;
}

static void open_at(const struct stream_start *start,
                    enum aws_kinesis_protocol protocol)
{
    static const struct log silent;

    fake.protocol = protocol;
    fake.source = kinesis_open(&(struct kinesis_options){
        .clock = &fake.time.clock,
        .log = &silent,
        .stream = "clicks",
        .shard = SHARD,
        .start = *start,
        .splits_aggregated = fake.splits,
        .idle_ms = 1000,
        .seed = 7,
    });
}

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    sim_clock_init(&fake.time);
    fake.endpoint = "http://127.0.0.1:4567";
    fake.room = 100;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    source_close(fake.source);
    buffer_finish(&fake.sent.body);
    buffer_finish(&fake.sent.memory);
    return 0;
}

static void poll(void)
{
    source_poll(fake.source, fake.room, now());
}

// It sends this call now.
static void expect_call(const char *operation)
{
    poll();
    if (!fake.in_flight)
        fail_msg("%s was not sent", operation);
    assert_string_equal(fake.sent.operation, operation);
    assert_int_equal(fake.sent.service, AWS_KINESIS);
    assert_ptr_equal(fake.sent.owner, fake.source);
}

static void expect_no_call(void)
{
    poll();
    if (fake.in_flight)
        fail_msg("%s was sent", fake.sent.operation);
}

// It sends this call when this time has passed, not before, and says so.
static void expect_call_after(int64_t ms, const char *operation)
{
    expect_no_call();
    assert_int_equal(source_deadline_ms(fake.source), now() + ms);
    sim_clock_advance(&fake.time, ms - 1);
    expect_no_call();
    sim_clock_advance(&fake.time, 1);
    expect_call(operation);
}

// It sends this call after a time between the two.
static void expect_call_between(int64_t low_ms, int64_t high_ms,
                                const char *operation)
{
    int64_t wait_ms;

    expect_no_call();
    wait_ms = source_deadline_ms(fake.source) - now();
    assert_in_range(wait_ms, low_ms, high_ms);
    sim_clock_advance(&fake.time, wait_ms);
    expect_call(operation);
}

static void expect_body(const char *json)
{
    assert_string_equal(buffer_text(&fake.sent.body), json);
}

static void expect_body_contains(const char *part)
{
    assert_contains(buffer_text(&fake.sent.body), part);
}

static void deliver(struct aws_reply *reply)
{
    assert_true(fake.in_flight);
    fake.in_flight = false;
    reply->owner = fake.source;
    reply->kind = fake.sent.kind;
    source_reply(fake.source, reply, now());
    buffer_finish(&reply->body);
}

static void answer_bytes(struct bytes body, const char *content_type)
{
    struct aws_reply reply = {.ok = true, .status = 200};

    (void)snprintf(reply.content_type, sizeof(reply.content_type), "%s",
                   content_type);
    buffer_init(&reply.body, 64 << 20);
    buffer_append_bytes(&reply.body, body);
    deliver(&reply);
}

static void answer(const char *json)
{
    answer_bytes(bytes_of(json), "application/x-amz-json-1.1");
}

static void refuse(const char *code, int status, enum error_code error)
{
    struct aws_reply reply = {.status = status};

    (void)snprintf(reply.code, sizeof(reply.code), "%s", code);
    reply.not_json = !*code && error == ERROR_TRANSIENT;
    reply.over_limit = !*code && error == ERROR_INVALID;
    error_set(&reply.error, error, "GetRecords http://there: %s: no", code);
    deliver(&reply);
}

struct page {
    long first, count; // sequence numbers
    long size;         // of each record's data; in base64 characters
    const char *next;  // iterator; NULL: none
    long behind;
    bool children;
    bool leads; // the iterator stands before the records
};

static void put_iterator(struct buffer *body, const struct page *page)
{
    if (page->next)
        buffer_printf(body, "\"NextShardIterator\":\"%s\",", page->next);
}

static void answer_page(const struct page *page)
{
    struct aws_reply reply = {.ok = true, .status = 200};

    buffer_init(&reply.body, 64 << 20);
    buffer_printf(&reply.body, "{\"MillisBehindLatest\":%ld,", page->behind);
    if (page->leads)
        put_iterator(&reply.body, page);
    buffer_append_text(&reply.body, "\"Records\":[");
    for (long i = 0; i < page->count; i++) {
        buffer_printf(&reply.body,
                      "%s{\"SequenceNumber\":\"%ld\",\"PartitionKey\":\"k\","
                      "\"ApproximateArrivalTimestamp\":1795369143.801,"
                      "\"Data\":\"",
                      i ? "," : "", page->first + i);
        for (long j = 0; j < page->size; j++)
            buffer_append_char(&reply.body, 'A');
        buffer_append_text(&reply.body, "\"}");
    }
    buffer_append_text(&reply.body, "],");
    if (!page->leads)
        put_iterator(&reply.body, page);
    buffer_printf(&reply.body, "\"ChildShards\":[%s]}",
                  page->children ? "{},{}" : "");
    (void)snprintf(reply.content_type, sizeof(reply.content_type),
                   "application/x-amz-json-1.1");
    deliver(&reply);
}

static void answer_iterator(const char *iterator)
{
    char json[100];

    (void)snprintf(json, sizeof(json), "{\"ShardIterator\":\"%s\"}", iterator);
    answer(json);
}

static void start_reading(void)
{
    open_at(&horizon, AWS_KINESIS_JSON);
    expect_call("GetShardIterator");
    answer_iterator("i0");
    expect_call("GetRecords");
    expect_body_contains("\"ShardIterator\":\"i0\"");
}

// Take at most so many records and settle them. Returns how many.
static size_t take(size_t most)
{
    struct record *record;
    size_t count = 0;

    while (count < most && (record = source_next(fake.source))) {
        source_settle(fake.source, record, SOURCE_DONE, -1, now());
        count++;
    }
    return count;
}

// Take all that waits, in as many rounds as the room makes it.
static size_t drain(void)
{
    size_t count = 0, taken;

    while ((taken = take(SIZE_MAX))) {
        count += taken;
        poll();
    }
    return count;
}

static void expect_failure(enum error_code code, const char *part)
{
    const struct error *failure = source_failure(fake.source);

    assert_non_null(failure);
    assert_int_equal(failure->code, code);
    assert_contains(failure->message, part);
    sim_clock_advance(&fake.time, 3600000);
    expect_no_call();
    assert_true(source_deadline_ms(fake.source) == CLOCK_NEVER);
}

// ---- where it starts -------------------------------------------------------

#define ITERATOR_CALL(rest) \
    "{\"StreamName\":\"clicks\",\"ShardId\":\"" SHARD "\"," rest "}"

static struct start_case {
    const char *name;
    struct stream_start start;
    const char *body;
} start_cases[] = {
    {"trim horizon",
     {.position = STREAM_TRIM_HORIZON},
     ITERATOR_CALL("\"ShardIteratorType\":\"TRIM_HORIZON\"")},
    {"latest",
     {.position = STREAM_LATEST},
     ITERATOR_CALL("\"ShardIteratorType\":\"LATEST\"")},
    {"timestamp",
     {.position = STREAM_AT_TIMESTAMP, .timestamp_ms = 1795369143007},
     ITERATOR_CALL("\"ShardIteratorType\":\"AT_TIMESTAMP\","
                   "\"Timestamp\":1795369143.007")},
    {"sequence number",
     {.position = STREAM_AFTER_SEQUENCE_NUMBER, .sequence_number = "495"},
     ITERATOR_CALL("\"ShardIteratorType\":\"AFTER_SEQUENCE_NUMBER\","
                   "\"StartingSequenceNumber\":\"495\"")},
};

static void test_start(void **state)
{
    const struct start_case *c = *state;

    set_up(NULL);
    open_at(&c->start, AWS_KINESIS_JSON);
    expect_call("GetShardIterator");
    assert_int_equal(fake.sent.protocol, AWS_JSON_11);
    expect_body(c->body);
    tear_down(NULL);
}

static void test_cbor_times_are_tagged_milliseconds(void **state)
{
    static const char tail[] = "iTimestamp\xc1\x1b\x00\x00\x01\xa2\x04\x57\x0d"
                               "\xf9";
    struct stream_start start = {.position = STREAM_AT_TIMESTAMP,
                                 .timestamp_ms = 1795369143801};

    (void)state;
    open_at(&start, AWS_KINESIS_AUTO);
    expect_call("GetShardIterator");
    assert_int_equal(fake.sent.protocol, AWS_CBOR_11);
    assert_memory_equal(fake.sent.body.data + fake.sent.body.size -
                            (sizeof(tail) - 1),
                        tail, sizeof(tail) - 1);
}

// ---- reading ---------------------------------------------------------------

static void test_records_come_in_order_with_their_origin(void **state)
{
    struct record *first, *second;
    struct source_counts counts;

    (void)state;
    start_reading();
    answer_page(
        &(struct page){.first = 41, .count = 2, .size = 8, .next = "i1"});
    first = source_next(fake.source);
    second = source_next(fake.source);
    assert_null(source_next(fake.source));
    assert_true(bytes_equal(first->id, BYTES("41")));
    assert_true(bytes_equal(second->id, BYTES("42")));
    assert_string_equal(first->origin->arn,
                        "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks");
    assert_string_equal(first->origin->region, "eu-west-1");
    assert_string_equal(first->origin->shard, SHARD);
    assert_string_equal(first->origin->identity,
                        "arn:aws:iam::123456789012:role/pollard");
    source_settle(fake.source, second, SOURCE_RETURN, -1, now());
    source_settle(fake.source, first, SOURCE_DONE, -1, now());
    source_counts(fake.source, &counts);
    assert_int_equal(counts.received, 2);
    assert_int_equal(counts.deleted, 1);
    assert_int_equal(counts.returned, 1);
}

static void test_the_tip_is_read_once_an_idle_time(void **state)
{
    (void)state;
    start_reading();
    answer_page(&(struct page){.first = 1, .count = 3, .next = "i1"});
    drain();
    expect_call_after(1000, "GetRecords");
    expect_body_contains("\"ShardIterator\":\"i1\"");
    sim_clock_advance(&fake.time, 300); // the answer takes its time
    answer_page(&(struct page){.next = "i2"});
    expect_call_after(700, "GetRecords");
}

static void test_behind_the_tip_it_reads_on_at_once(void **state)
{
    (void)state;
    start_reading();
    answer_page(
        &(struct page){.first = 1, .count = 3, .next = "i1", .behind = 5000});
    expect_call("GetRecords");
}

static void test_a_full_page_is_behind_whatever_it_says(void **state)
{
    (void)state;
    start_reading(); // kinesalite always says 0
    answer_page(&(struct page){.first = 1, .count = 1000, .next = "i1"});
    expect_call("GetRecords");
}

static void test_empty_pages_behind_the_tip_are_paced(void **state)
{
    (void)state;
    start_reading();
    answer_page(&(struct page){.next = "i1", .behind = 5000});
    expect_call_after(200, "GetRecords");
}

static void test_aws_gets_five_calls_a_second(void **state)
{
    (void)state;
    fake.endpoint = "https://kinesis.eu-west-1.amazonaws.com";
    start_reading();
    answer_page(
        &(struct page){.first = 1, .count = 3, .next = "i1", .behind = 5000});
    drain();
    expect_call_after(200, "GetRecords");
}

static void test_at_most_a_page_waits_while_one_is_read(void **state)
{
    (void)state;
    start_reading();
    answer_page(
        &(struct page){.first = 1, .count = 1000, .next = "i1", .behind = 1});
    expect_call("GetRecords");
    answer_page(&(struct page){
        .first = 1001, .count = 1000, .next = "i2", .behind = 1});
    expect_no_call();                      // 2000 wait
    assert_int_equal(take(SIZE_MAX), 100); // all that there is room for
    assert_true(source_deadline_ms(fake.source) == CLOCK_NEVER);
    for (int i = 0; i < 9; i++) {
        expect_no_call();
        assert_int_equal(take(SIZE_MAX), 100);
    }
    expect_call("GetRecords");
    drain();
}

static void test_what_was_not_taken_is_offered_again(void **state)
{
    (void)state;
    start_reading();
    answer_page(&(struct page){.first = 1, .count = 150, .next = "i1"});
    assert_int_equal(take(SIZE_MAX), 100);
    assert_true(source_deadline_ms(fake.source) > now());
    fake.room = 60;
    poll();
    assert_true(source_deadline_ms(fake.source) <= now());
    assert_int_equal(take(SIZE_MAX), 50);
    assert_int_equal(source_deadline_ms(fake.source), now() + 1000);
}

static void test_the_next_page_is_asked_for_before_one_is_read(void **state)
{
    (void)state;
    start_reading();
    answer_page(&(struct page){
        .first = 1, .count = 3, .next = "i1", .behind = 9, .leads = true});
    assert_true(fake.in_flight); // without a poll
    expect_body_contains("\"ShardIterator\":\"i1\"");
    answer_page(&(struct page){.first = 4, .count = 3, .next = "i2"});
    assert_false(fake.in_flight);
    assert_int_equal(drain(), 6);
}

static void test_a_page_that_breaks_off_takes_its_successor_along(void **state)
{
    (void)state;
    start_reading();
    answer_page(&(struct page){
        .first = 1, .count = 3, .next = "i1", .behind = 9, .leads = true});
    answer("{\"MillisBehindLatest\":9,\"NextShardIterator\":\"i2\","
           "\"Records\":[{\"SequenceNumber\":\"4\"},{\"Sequ");
    expect_body_contains("\"ShardIterator\":\"i2\"");
    assert_true(fake.cancelled);
    poll();
    answer_page(&(struct page){.first = 7, .count = 3, .next = "i3"});
    expect_call("GetShardIterator");
    expect_body_contains("\"StartingSequenceNumber\":\"3\"");
    answer_iterator("i4");
    expect_call("GetRecords");
    answer_page(&(struct page){.first = 4, .count = 3, .next = "i5"});
    assert_int_equal(drain(), 6);
}

static void test_nothing_is_read_without_room(void **state)
{
    (void)state;
    fake.room = 0;
    open_at(&horizon, AWS_KINESIS_JSON);
    expect_no_call();
    fake.room = 1;
    expect_call("GetShardIterator");
}

static void test_the_limit_follows_the_room(void **state)
{
    (void)state;
    fake.room = 5000;
    start_reading();
    expect_body_contains("\"Limit\":5000");
    answer_page(&(struct page){.next = "i1"});
    sim_clock_advance(&fake.time, 1000);
    fake.room = 50000;
    expect_call("GetRecords");
    expect_body_contains("\"Limit\":10000");
    answer_page(&(struct page){.next = "i2"});
    sim_clock_advance(&fake.time, 1000);
    fake.room = 1;
    expect_call("GetRecords");
    expect_body_contains("\"Limit\":1000");
}

static void test_a_poller_that_runs_dry_gets_larger_pages(void **state)
{
    (void)state;
    start_reading();
    expect_body_contains("\"Limit\":1000");
    answer_page(
        &(struct page){.first = 1, .count = 1000, .next = "i1", .behind = 1});
    expect_call("GetRecords");
    expect_body_contains("\"Limit\":1000");
    drain();
    answer_page(&(struct page){
        .first = 1001, .count = 1000, .next = "i2", .behind = 1});
    expect_call("GetRecords");
    expect_body_contains("\"Limit\":2000");
    drain();
}

static void test_large_records_make_small_pages(void **state)
{
    (void)state;
    fake.room = 10000;
    start_reading();
    expect_body_contains("\"Limit\":10000");
    answer_page(&(struct page){.first = 1,
                               .count = 4,
                               .size = 4 << 20, // 3 MiB of data each
                               .next = "i1",
                               .behind = 1});
    expect_no_call(); // 12 MiB wait
    drain();
    expect_call("GetRecords");
    expect_body_contains("\"Limit\":1}");
}

static void test_an_answer_over_the_limit_is_asked_for_in_halves(void **state)
{
    (void)state;
    start_reading();
    refuse("", 0, ERROR_INVALID);
    expect_call("GetRecords");
    expect_body_contains("\"Limit\":500");
    for (int limit = 250; limit > 0; limit /= 2) {
        refuse("", 0, ERROR_INVALID);
        expect_call("GetRecords");
    }
    expect_body_contains("\"Limit\":1}");
    refuse("", 0, ERROR_INVALID);
    expect_failure(ERROR_INVALID, "GetRecords");
}

static void test_pages_stay_smaller_after_one_too_large(void **state)
{
    (void)state;
    start_reading();
    refuse("", 0, ERROR_INVALID);
    expect_call("GetRecords");
    answer_page(&(struct page){.first = 1,
                               .count = 500,
                               .size = 4096, // 3 KiB of data each
                               .next = "i1",
                               .behind = 1});
    drain();
    expect_call("GetRecords");
    expect_body_contains("\"Limit\":16"); // 544001 bytes, not 4 MiB
    answer_page(&(struct page){.next = "i2"});
}

// ---- iterators -------------------------------------------------------------

static void test_an_expired_iterator_is_made_anew_behind_the_last(void **state)
{
    (void)state;
    start_reading();
    answer_page(
        &(struct page){.first = 1, .count = 3, .next = "i1", .behind = 1});
    expect_call("GetRecords");
    refuse("ExpiredIteratorException", 400, ERROR_TRANSIENT);
    expect_call("GetShardIterator");
    expect_body(ITERATOR_CALL("\"ShardIteratorType\":\"AFTER_SEQUENCE_NUMBER\","
                              "\"StartingSequenceNumber\":\"3\""));
    answer_iterator("i2");
    expect_call("GetRecords");
    expect_body_contains("\"ShardIterator\":\"i2\"");
    assert_int_equal(drain(), 3);
}

static void test_an_expired_iterator_without_records_starts_over(void **state)
{
    (void)state;
    start_reading();
    refuse("ExpiredIteratorException", 400, ERROR_TRANSIENT);
    expect_call("GetShardIterator");
    expect_body(ITERATOR_CALL("\"ShardIteratorType\":\"TRIM_HORIZON\""));
}

static void test_iterators_that_keep_expiring_are_paced(void **state)
{
    (void)state;
    start_reading();
    for (int i = 0; i < 8; i++) {
        refuse("ExpiredIteratorException", 400, ERROR_TRANSIENT);
        if (i == 0)
            expect_call("GetShardIterator");
        else
            expect_call_between(100, 100 + (250 << (i - 1)),
                                "GetShardIterator");
        answer_iterator("i2");
        expect_call("GetRecords");
    }
    assert_null(source_failure(fake.source));
}

static void test_an_old_iterator_is_renewed_ahead_of_use(void **state)
{
    (void)state;
    start_reading();
    answer_page(&(struct page){.first = 1, .count = 3, .next = "i1"});
    fake.room = 0;
    drain();
    sim_clock_advance(&fake.time, 271000);
    expect_no_call();
    fake.room = 100;
    expect_call("GetShardIterator");
    expect_body_contains("\"StartingSequenceNumber\":\"3\"");
}

static void test_latest_is_asked_for_only_once(void **state)
{
    struct stream_start start = {.position = STREAM_LATEST};

    (void)state;
    fake.server_ahead_ms = 90000; // its clock counts
    open_at(&start, AWS_KINESIS_JSON);
    expect_call("GetShardIterator");
    answer_iterator("i0");
    expect_call("GetRecords");
    refuse("ExpiredIteratorException", 400, ERROR_TRANSIENT);
    expect_call("GetShardIterator"); // ten seconds are for what is not known
    expect_body(ITERATOR_CALL("\"ShardIteratorType\":\"AT_TIMESTAMP\","
                              "\"Timestamp\":1795359680.000"));
}

static void test_three_server_errors_cost_the_iterator(void **state)
{
    (void)state;
    start_reading();
    answer_page(
        &(struct page){.first = 1, .count = 3, .next = "i1", .behind = 1});
    drain();
    expect_call("GetRecords");
    refuse("", 500, ERROR_TRANSIENT);
    expect_call_between(100, 350, "GetRecords");
    refuse("", 500, ERROR_TRANSIENT);
    expect_call_between(100, 600, "GetRecords");
    refuse("", 500, ERROR_TRANSIENT);
    expect_call_between(100, 1100, "GetShardIterator");
    expect_body_contains("\"StartingSequenceNumber\":\"3\"");
}

static void test_an_iterator_that_is_refused_is_doubted_thrice(void **state)
{
    (void)state;
    start_reading();
    for (int i = 0; i < 3; i++) {
        refuse("InvalidArgumentException", 400, ERROR_INVALID);
        sim_clock_advance(&fake.time, 5000);
        expect_call("GetShardIterator");
        answer_iterator("i1");
        expect_call("GetRecords");
    }
    refuse("InvalidArgumentException", 400, ERROR_INVALID);
    expect_failure(ERROR_INVALID, "InvalidArgumentException");
}

// ---- refusals --------------------------------------------------------------

static void test_throttling_keeps_the_iterator_and_slows_down(void **state)
{
    (void)state;
    start_reading();
    refuse("ProvisionedThroughputExceededException", 400, ERROR_THROTTLED);
    expect_call_between(1000, 2000, "GetRecords");
    expect_body_contains("\"ShardIterator\":\"i0\"");
    refuse("ProvisionedThroughputExceededException", 400, ERROR_THROTTLED);
    expect_call_between(1000, 3000, "GetRecords");
    answer_page(
        &(struct page){.first = 1, .count = 3, .next = "i1", .behind = 1});
    drain();
    // Unlimited before, from now on paced.
    expect_call_between(200, 400, "GetRecords");
}

static void test_the_pace_recovers(void **state)
{
    int64_t wait_ms = 1000;

    (void)state;
    start_reading();
    refuse("LimitExceededException", 400, ERROR_THROTTLED);
    sim_clock_advance(&fake.time, 20000);
    for (int i = 0; i < 100 && wait_ms > 0; i++) {
        expect_call("GetRecords");
        answer_page(&(struct page){
            .first = i + 1, .count = 1, .next = "i1", .behind = 1});
        assert_int_equal(take(SIZE_MAX), 1);
        wait_ms = source_deadline_ms(fake.source) - now();
        if (wait_ms > 0)
            sim_clock_advance(&fake.time, wait_ms);
    }
    assert_int_equal(wait_ms, 0);
}

static void test_a_key_that_is_off_pauses_the_shard(void **state)
{
    (void)state;
    start_reading();
    refuse("KMSDisabledException", 400, ERROR_INVALID);
    expect_call_between(30000, 37500, "GetRecords");
    expect_body_contains("\"ShardIterator\":\"i0\"");
}

static struct fatal_case {
    const char *name;
    enum error_code error;
} fatal_cases[] = {
    {"ResourceNotFoundException", ERROR_NOT_FOUND},
    {"AccessDeniedException", ERROR_DENIED},
    {"ValidationException", ERROR_INVALID},
};

static void test_fatal(void **state)
{
    const struct fatal_case *c = *state;

    set_up(NULL);
    start_reading();
    refuse(c->name, 400, c->error);
    expect_failure(c->error, c->name);
    tear_down(NULL);
}

static void test_a_checkpoint_that_does_not_fit_is_said(void **state)
{
    struct stream_start start = {.position = STREAM_AFTER_SEQUENCE_NUMBER,
                                 .sequence_number = "495"};

    (void)state;
    open_at(&start, AWS_KINESIS_JSON);
    expect_call("GetShardIterator");
    refuse("InvalidArgumentException", 400, ERROR_INVALID);
    expect_failure(ERROR_INVALID, "after 495: ");
}

static void test_an_answer_that_cannot_be_read_is_asked_for_again(void **state)
{
    (void)state;
    start_reading();
    answer("{\"Records\":[{\"SequenceNumber\":\"1\"");
    expect_call_between(100, 350, "GetRecords");
    expect_body_contains("\"ShardIterator\":\"i0\"");
    answer("<html>");
    expect_call_between(100, 600, "GetRecords");
    answer("{}");
    expect_call_between(100, 1100, "GetRecords");
    assert_false(source_is_ended(fake.source));
    assert_null(source_failure(fake.source));
}

// ---- the shard's end -------------------------------------------------------

static void test_a_shard_with_children_has_ended(void **state)
{
    (void)state;
    start_reading();
    answer_page(&(struct page){.first = 1, .count = 2, .children = true});
    assert_false(source_is_ended(fake.source));
    source_settle(fake.source, source_next(fake.source), SOURCE_DONE, -1,
                  now());
    assert_false(source_is_ended(fake.source));
    source_settle(fake.source, source_next(fake.source), SOURCE_DONE, -1,
                  now());
    assert_true(source_is_ended(fake.source));
    assert_true(source_is_idle(fake.source));
    expect_no_call();
    assert_true(source_deadline_ms(fake.source) == CLOCK_NEVER);
}

static void test_an_end_without_children_is_believed_twice(void **state)
{
    (void)state;
    start_reading();
    answer_page(&(struct page){.first = 1, .count = 2});
    drain();
    assert_false(source_is_ended(fake.source));
    expect_call("GetShardIterator");
    expect_body_contains("\"StartingSequenceNumber\":\"2\"");
    answer_iterator("i1");
    expect_call("GetRecords");
    answer_page(&(struct page){0});
    assert_true(source_is_ended(fake.source));
}

// kinesalite: an empty page with an iterator comes before each end.
static void test_an_end_one_page_later_is_an_end(void **state)
{
    (void)state;
    start_reading();
    for (int i = 0; i < 2; i++) {
        answer_page(&(struct page){.next = "i1"});
        expect_call_after(1000, "GetRecords");
        answer_page(&(struct page){0});
        if (i == 1)
            break;
        expect_call("GetShardIterator");
        answer_iterator("i2");
        expect_call("GetRecords");
    }
    assert_true(source_is_ended(fake.source));
}

static void test_a_gap_is_not_the_end(void **state)
{
    (void)state;
    start_reading();
    answer_page(&(struct page){.first = 1, .count = 2});
    expect_call("GetShardIterator");
    answer_iterator("i1");
    expect_call("GetRecords");
    answer_page(&(struct page){.first = 3, .count = 2, .next = "i2"});
    assert_int_equal(drain(), 4);
    sim_clock_advance(&fake.time, 1000);
    expect_call("GetRecords");
    answer_page(&(struct page){0});
    assert_false(source_is_ended(fake.source));
    expect_call("GetShardIterator");
}

// moto: a closed shard never ends by itself.
static void rest_at_the_tip(int reads)
{
    for (int i = 0; i < reads; i++) {
        answer_page(&(struct page){.next = "i1"});
        sim_clock_advance(&fake.time, 1000);
        if (i < reads - 1)
            expect_call("GetRecords");
    }
}

#define SHARD_LIST(ending)                                              \
    "{\"Shards\":[{\"ShardId\":\"" SHARD "\",\"SequenceNumberRange\":{" \
    "\"StartingSequenceNumber\":\"1\"" ending "}}]"

static void test_a_quiet_shard_may_have_been_closed(void **state)
{
    (void)state;
    start_reading();
    rest_at_the_tip(10);
    expect_call("ListShards");
    assert_int_equal(fake.sent.protocol, AWS_JSON_11);
    expect_body("{\"StreamName\":\"clicks\",\"MaxResults\":10000}");
    answer(SHARD_LIST("") "}");
    assert_false(source_is_ended(fake.source));
    expect_call("GetRecords");
    rest_at_the_tip(30);
    expect_call("ListShards");
    answer(SHARD_LIST(",\"EndingSequenceNumber\":\"3\"") "}");
    expect_call("GetRecords");
    rest_at_the_tip(2);
    assert_true(source_is_ended(fake.source));
}

// Put after our last read, and before the shard was closed.
static void test_the_last_records_of_a_closed_shard_are_read(void **state)
{
    (void)state;
    start_reading();
    rest_at_the_tip(10);
    expect_call("ListShards");
    answer(SHARD_LIST(",\"EndingSequenceNumber\":\"3\"") "}");
    assert_false(source_is_ended(fake.source));
    expect_call("GetRecords");
    answer_page(&(struct page){.first = 1, .count = 2, .next = "i1"});
    assert_int_equal(drain(), 2);
    assert_false(source_is_ended(fake.source));
    sim_clock_advance(&fake.time, 1000);
    expect_call("GetRecords");
    rest_at_the_tip(2);
    assert_true(source_is_ended(fake.source));
}

static void test_its_shard_is_looked_for_on_every_page(void **state)
{
    (void)state;
    start_reading();
    rest_at_the_tip(10);
    expect_call("ListShards");
    answer("{\"Shards\":[{\"ShardId\":\"another\"}],\"NextToken\":\"t1\"}");
    expect_call("ListShards");
    expect_body("{\"NextToken\":\"t1\"}");
    answer(
        SHARD_LIST(",\"EndingSequenceNumber\":\"3\"") ",\"NextToken\":\"t2\"}");
    expect_call("GetRecords");
    rest_at_the_tip(2);
    assert_true(source_is_ended(fake.source));
}

static void test_a_list_that_fails_is_asked_for_later(void **state)
{
    (void)state;
    start_reading();
    rest_at_the_tip(10);
    expect_call("ListShards");
    refuse("InternalFailure", 500, ERROR_TRANSIENT);
    expect_call("GetRecords");
    rest_at_the_tip(30);
    expect_call("ListShards");
    answer("{}");
    expect_call("GetRecords");
}

static void test_aws_is_never_asked_for_closed_shards(void **state)
{
    (void)state;
    fake.endpoint = "https://kinesis.eu-west-1.amazonaws.com";
    start_reading();
    rest_at_the_tip(50);
    expect_call("GetRecords");
}

// ---- protocols -------------------------------------------------------------

static const char cbor_page[] = "\xa2\x67Records\x81\xa2\x6eSequenceNumber\x61"
                                "1\x64"
                                "Data\x42hi\x71NextShardIterator\x62i1";

static void start_reading_cbor(void)
{
    open_at(&horizon, AWS_KINESIS_AUTO);
    expect_call("GetShardIterator");
    assert_int_equal(fake.sent.protocol, AWS_CBOR_11);
    answer_bytes(BYTES("\xa1\x6dShardIterator\x62"
                       "i0"),
                 "application/x-amz-cbor-1.1");
    expect_call("GetRecords");
    assert_int_equal(fake.sent.protocol, AWS_CBOR_11);
}

static void test_cbor_is_kept_once_it_worked(void **state)
{
    struct record *record;

    (void)state;
    start_reading_cbor();
    assert_int_equal(fake.protocol, AWS_KINESIS_AUTO);
    answer_bytes((struct bytes){cbor_page, sizeof(cbor_page) - 1},
                 "application/x-amz-cbor-1.1");
    assert_int_equal(fake.protocol, AWS_KINESIS_CBOR);
    record = source_next(fake.source);
    assert_true(bytes_equal(record->data, BYTES("hi")));
    source_settle(fake.source, record, SOURCE_DONE, -1, now());
    sim_clock_advance(&fake.time, 1000);
    expect_call("GetRecords");
    refuse("", 500, ERROR_TRANSIENT); // not the protocol's fault any more
    assert_int_equal(fake.protocol, AWS_KINESIS_CBOR);
}

static void test_a_server_that_refuses_cbor_gets_json(void **state)
{
    (void)state;
    open_at(&horizon, AWS_KINESIS_AUTO);
    expect_call("GetShardIterator");
    refuse("", 500, ERROR_TRANSIENT); // moto's HTML
    expect_call("GetShardIterator");
    assert_int_equal(fake.sent.protocol, AWS_JSON_11);
    assert_int_equal(fake.protocol, AWS_KINESIS_JSON);
    answer_iterator("i0");
    expect_call("GetRecords");
    assert_int_equal(fake.sent.protocol, AWS_JSON_11);
}

static void test_a_server_that_garbles_cbor_gets_json(void **state)
{
    (void)state;
    start_reading_cbor();
    answer_bytes(BYTES("\xa1\x67Records\x81\xa1\x64"
                       "Data\x05"),
                 "application/x-amz-cbor-1.1");
    expect_call("GetRecords");
    assert_int_equal(fake.sent.protocol, AWS_JSON_11);
    expect_body_contains("\"ShardIterator\":\"i0\"");
    assert_int_equal(fake.protocol, AWS_KINESIS_JSON);
}

static void test_a_server_may_answer_json_to_cbor(void **state)
{
    (void)state;
    start_reading_cbor();
    answer_page(&(struct page){.first = 1, .count = 2, .next = "i1"});
    assert_int_equal(drain(), 2);
    assert_int_equal(fake.protocol, AWS_KINESIS_JSON);
}

static void test_what_the_session_knows_is_not_asked_again(void **state)
{
    (void)state;
    open_at(&horizon, AWS_KINESIS_CBOR);
    expect_call("GetShardIterator");
    refuse("", 500, ERROR_TRANSIENT);
    assert_int_equal(fake.protocol, AWS_KINESIS_CBOR);
}

static void test_another_shard_may_find_out_first(void **state)
{
    (void)state;
    start_reading_cbor();
    fake.protocol = AWS_KINESIS_JSON;
    answer_bytes((struct bytes){cbor_page, sizeof(cbor_page) - 1},
                 "application/x-amz-cbor-1.1");
    assert_int_equal(drain(), 1);
    sim_clock_advance(&fake.time, 1000);
    expect_call("GetRecords");
    assert_int_equal(fake.sent.protocol, AWS_JSON_11);
}

// ---- stopping --------------------------------------------------------------

static void test_a_stop_drops_what_was_not_handed_out(void **state)
{
    struct source_counts counts;
    struct record *record;

    (void)state;
    start_reading();
    answer_page(
        &(struct page){.first = 1, .count = 5, .next = "i1", .behind = 1});
    record = source_next(fake.source);
    expect_call("GetRecords");
    source_stop(fake.source);
    source_stop(fake.source);
    assert_true(fake.cancelled);
    assert_null(source_next(fake.source));
    assert_false(source_is_idle(fake.source));
    refuse("", 0, ERROR_STOPPED);
    assert_false(source_is_idle(fake.source));
    source_settle(fake.source, record, SOURCE_DONE, -1, now());
    assert_true(source_is_idle(fake.source));
    assert_false(source_is_ended(fake.source));
    expect_no_call();
    assert_true(source_deadline_ms(fake.source) == CLOCK_NEVER);
    source_counts(fake.source, &counts);
    assert_int_equal(counts.received, 5);
    assert_int_equal(counts.deleted, 1);
    assert_int_equal(counts.returned, 4);
}

static void test_an_answer_after_the_stop_is_dropped(void **state)
{
    (void)state;
    start_reading();
    source_stop(fake.source);
    answer_page(&(struct page){.first = 1, .count = 5, .children = true});
    assert_null(source_next(fake.source));
    assert_true(source_is_idle(fake.source));
    assert_false(source_is_ended(fake.source));
}

// ---- everything at once ----------------------------------------------------

// A shard of so many records behind a server that fails at random. Iterators
// are the number of the record that comes next.
struct shard {
    struct random random;
    long records;
    long next_seen; // by the reader
    long iterator;  // handed out last; -1: expired
    bool has_children;
};

static bool happens(struct shard *shard, unsigned percent)
{
    return random_below(&shard->random, 100) < percent;
}

static bool refuse_at_random(struct shard *shard)
{
    static const struct {
        const char *code;
        int status;
        enum error_code error;
    } ways[] = {
        {"ProvisionedThroughputExceededException", 400, ERROR_THROTTLED},
        {"InternalFailure", 500, ERROR_TRANSIENT},
        {"", 500, ERROR_TRANSIENT},
        {"", 0, ERROR_TRANSIENT},
        {"KMSThrottlingException", 400, ERROR_THROTTLED},
    };
    size_t way = random_below(&shard->random, sizeof(ways) / sizeof(*ways));

    if (!happens(shard, 20))
        return false;
    refuse(ways[way].code, ways[way].status, ways[way].error);
    return true;
}

static void serve_iterator(struct shard *shard)
{
    const char *after = strstr(buffer_text(&fake.sent.body), "Number\":\"");
    char iterator[32];

    shard->iterator = after ? strtol(after + 9, NULL, 10) + 1 : 1;
    (void)snprintf(iterator, sizeof(iterator), "%ld", shard->iterator);
    answer_iterator(iterator);
}

static void serve_page(struct shard *shard, long from)
{
    long left = shard->records + 1 - from;
    long count = (long)random_below(&shard->random, 4);
    char next[32];

    if (count > left)
        count = left;
    (void)snprintf(next, sizeof(next), "%ld", from + count);
    answer_page(
        &(struct page){.first = from,
                       .count = count,
                       .size = 4,
                       .next = count == left ? NULL : next,
                       .behind = left - count,
                       .leads = happens(shard, 50),
                       .children = count == left && shard->has_children});
}

static void serve_records(struct shard *shard)
{
    const char *text = buffer_text(&fake.sent.body);
    long from = strtol(strstr(text, "Iterator\":\"") + 11, NULL, 10);

    if (happens(shard, 10))
        refuse("ExpiredIteratorException", 400, ERROR_TRANSIENT);
    else if (happens(shard, 5))
        answer("{\"Records\":[{");
    else if (happens(shard, 5))
        answer("{\"MillisBehindLatest\":9,\"NextShardIterator\":\"77\","
               "\"Records\":[{\"SequenceNumber\":\"77\"},{");
    else
        serve_page(shard, from);
}

static void serve(struct shard *shard)
{
    if (refuse_at_random(shard))
        return;
    if (!strcmp(fake.sent.operation, "GetShardIterator"))
        serve_iterator(shard);
    else if (!strcmp(fake.sent.operation, "GetRecords"))
        serve_records(shard);
    else
        answer(SHARD_LIST("") "}");
}

static void take_some(struct shard *shard)
{
    struct record *record;

    while (happens(shard, 80) && (record = source_next(fake.source))) {
        char *id = mem_strndup(record->id.data, record->id.size);

        // Each once, none skipped, in order.
        assert_int_equal(strtol(id, NULL, 10), shard->next_seen++);
        free(id);
        source_settle(fake.source, record, SOURCE_DONE, -1, now());
    }
}

static void read_whole_shard(uint64_t seed)
{
    struct shard shard = {.random = {.state = seed}, .next_seen = 1};

    set_up(NULL);
    shard.records = (long)random_below(&shard.random, 200);
    shard.has_children = happens(&shard, 50);
    open_at(&horizon, AWS_KINESIS_JSON);
    for (int steps = 0; !source_is_ended(fake.source); steps++) {
        int64_t due_ms;

        assert_true(steps < 100000);
        assert_null(source_failure(fake.source));
        poll();
        if (fake.in_flight)
            serve(&shard);
        take_some(&shard);
        due_ms = source_deadline_ms(fake.source);
        if (due_ms != CLOCK_NEVER && due_ms > now())
            sim_clock_advance(&fake.time, due_ms - now());
    }
    assert_int_equal(shard.next_seen, shard.records + 1);
    tear_down(NULL);
}

static void test_no_fault_skips_or_doubles_a_record(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++)
        read_whole_shard(seed);
}

// ---- sequence numbers ------------------------------------------------------

static struct compare_case {
    const char *name, *a, *b;
    int order;
} compare_cases[] = {
    {"equal", "495", "495", 0},
    {"leading zeros", "00495", "495", 0},
    {"zeros", "0", "000", 0},
    {"length before digits", "9", "10", -1},
    {"digits", "496", "495", 1},
    {"56 digits", "49680466424077188179952614102050188573011646093560119298",
     "49680466424077188179952614102050188573011646093560119299", -1},
    {"moto's small numbers", "1", "49680466424077188179952614102050188", -1},
};

static void test_compare(void **state)
{
    const struct compare_case *c = *state;

    assert_int_equal(sequence_compare(c->a, c->b), c->order);
    assert_int_equal(sequence_compare(c->b, c->a), -c->order);
}

#define STORY(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)

static void put_base64(struct buffer *body, struct bytes data)
{
    char *to = buffer_reserve(body, codec_base64_size(data.size));

    body->size += codec_base64_encode(data, to);
}

/* A page of one aggregated record of so many parts. */
static void answer_aggregated(const char *sequence, unsigned count)
{
    struct buffer data, body;

    aggregate_make(&data, count);
    buffer_init(&body, 1 << 20);
    buffer_printf(&body,
                  "{\"MillisBehindLatest\":0,\"NextShardIterator\":\"i1\","
                  "\"Records\":[{\"SequenceNumber\":\"%s\","
                  "\"PartitionKey\":\"outer\",\"Data\":\"",
                  sequence);
    put_base64(&body, buffer_bytes(&data));
    buffer_append_text(&body, "\"}]}");
    answer_bytes(buffer_bytes(&body), "application/x-amz-json-1.1");
    buffer_finish(&data);
    buffer_finish(&body);
}

static void expect_part(const char *full_id, const char *key)
{
    struct record *record = source_next(fake.source);

    assert_non_null(record);
    assert_true(bytes_equal(record_full_id(record), bytes_of(full_id)));
    assert_true(bytes_equal(record->key, bytes_of(key)));
    source_settle(fake.source, record, SOURCE_DONE, -1, now());
}

/* Inside of an aggregated record: it is read again, and what was done left out;
 * what follows is read from behind it. */
static void test_goes_on_inside_of_an_aggregated_record(void **state)
{
    const struct stream_start start = {.position = STREAM_AFTER_SEQUENCE_NUMBER,
                                       .sequence_number = "17:2"};

    (void)state;
    fake.splits = true;
    open_at(&start, AWS_KINESIS_JSON);
    expect_call("GetShardIterator");
    expect_body_contains("\"ShardIteratorType\":\"AT_SEQUENCE_NUMBER\"");
    expect_body_contains("\"StartingSequenceNumber\":\"17\"");
    answer_iterator("i0");
    expect_call("GetRecords");
    answer_aggregated("17", 4);
    expect_part("17:2", "key-2");
    expect_part("17:3", "key-0");
    assert_null(source_next(fake.source));
    expect_call_after(1000, "GetRecords");
    refuse("ExpiredIteratorException", 400, ERROR_INVALID);
    expect_call("GetShardIterator");
    expect_body_contains("\"ShardIteratorType\":\"AFTER_SEQUENCE_NUMBER\"");
    expect_body_contains("\"StartingSequenceNumber\":\"17\"");
    answer_iterator("i2");
    expect_call("GetRecords");
    answer_aggregated("18", 2);
    expect_part("18:0", "key-0");
    expect_part("18:1", "key-1");
}

/* A page may bring more user records than there is room for: they wait, and
 * nothing more is read before they are taken. */
static void test_parts_that_wait_hold_back_the_next_read(void **state)
{
    (void)state;
    fake.splits = true;
    fake.room = 10;
    open_at(&horizon, AWS_KINESIS_JSON);
    expect_call("GetShardIterator");
    answer_iterator("i0");
    expect_call("GetRecords");
    answer_aggregated("17", 2500);
    assert_int_equal(take(SIZE_MAX), 10);
    sim_clock_advance(&fake.time, 60 * 1000);
    expect_no_call();
    fake.room = 5000;
    poll();
    assert_int_equal(take(SIZE_MAX), 2490);
    expect_call("GetRecords");
}

int main(void)
{
    const struct CMUnitTest stories[] = {
        STORY(test_cbor_times_are_tagged_milliseconds),
        STORY(test_records_come_in_order_with_their_origin),
        STORY(test_the_tip_is_read_once_an_idle_time),
        STORY(test_behind_the_tip_it_reads_on_at_once),
        STORY(test_a_full_page_is_behind_whatever_it_says),
        STORY(test_empty_pages_behind_the_tip_are_paced),
        STORY(test_aws_gets_five_calls_a_second),
        STORY(test_at_most_a_page_waits_while_one_is_read),
        STORY(test_what_was_not_taken_is_offered_again),
        STORY(test_the_next_page_is_asked_for_before_one_is_read),
        STORY(test_a_page_that_breaks_off_takes_its_successor_along),
        STORY(test_nothing_is_read_without_room),
        STORY(test_the_limit_follows_the_room),
        STORY(test_a_poller_that_runs_dry_gets_larger_pages),
        STORY(test_large_records_make_small_pages),
        STORY(test_an_answer_over_the_limit_is_asked_for_in_halves),
        STORY(test_pages_stay_smaller_after_one_too_large),
        STORY(test_an_expired_iterator_is_made_anew_behind_the_last),
        STORY(test_an_expired_iterator_without_records_starts_over),
        STORY(test_iterators_that_keep_expiring_are_paced),
        STORY(test_an_old_iterator_is_renewed_ahead_of_use),
        STORY(test_latest_is_asked_for_only_once),
        STORY(test_three_server_errors_cost_the_iterator),
        STORY(test_an_iterator_that_is_refused_is_doubted_thrice),
        STORY(test_throttling_keeps_the_iterator_and_slows_down),
        STORY(test_the_pace_recovers),
        STORY(test_a_key_that_is_off_pauses_the_shard),
        STORY(test_a_checkpoint_that_does_not_fit_is_said),
        STORY(test_an_answer_that_cannot_be_read_is_asked_for_again),
        STORY(test_a_shard_with_children_has_ended),
        STORY(test_an_end_without_children_is_believed_twice),
        STORY(test_an_end_one_page_later_is_an_end),
        STORY(test_a_gap_is_not_the_end),
        STORY(test_a_quiet_shard_may_have_been_closed),
        STORY(test_the_last_records_of_a_closed_shard_are_read),
        STORY(test_its_shard_is_looked_for_on_every_page),
        STORY(test_a_list_that_fails_is_asked_for_later),
        STORY(test_aws_is_never_asked_for_closed_shards),
        STORY(test_cbor_is_kept_once_it_worked),
        STORY(test_a_server_that_refuses_cbor_gets_json),
        STORY(test_a_server_that_garbles_cbor_gets_json),
        STORY(test_a_server_may_answer_json_to_cbor),
        STORY(test_what_the_session_knows_is_not_asked_again),
        STORY(test_another_shard_may_find_out_first),
        STORY(test_goes_on_inside_of_an_aggregated_record),
        STORY(test_parts_that_wait_hold_back_the_next_read),
        STORY(test_a_stop_drops_what_was_not_handed_out),
        STORY(test_an_answer_after_the_stop_is_dropped),
        cmocka_unit_test(test_no_fault_skips_or_doubles_a_record),
    };
    int failed = run_table("start", start_cases, test_start);

    failed += run_table("fatal", fatal_cases, test_fatal);
    failed += run_table("compare", compare_cases, test_compare);
    return failed + cmocka_run_group_tests(stories, NULL, NULL);
}
