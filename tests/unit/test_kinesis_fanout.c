#include "source/kinesis.h"

#include <stdio.h>

#include <zlib.h>

#include "aws/client.h"
#include "aws/event_stream.h"
#include "base/log.h"
#include "base/mem.h"
#include "record/record.h"
#include "sim_clock.h"
#include "source/source.h"
#include "test.h"

#define SHARD "shardId-000000000000"
#define CONSUMER "arn:aws:kinesis:eu-west-1:123456789012:stream/s/consumer/c:1"
#define WIRE_LIMIT (64u << 20)

// ---- a client whose stream is a buffer -------------------------------------

static struct fake {
    struct sim_clock time;
    const char *endpoint;
    int64_t server_ahead_ms; // its clock
    struct source *source;
    size_t room;

    struct aws_request subscription; // in flight
    bool is_open, is_cancelled;
    int subscriptions;  // since the beginning
    struct buffer wire; // what the server sent and nobody took yet
    size_t taken;       // of it
    size_t piece;       // bytes that arrive at a time
    bool is_paused;

    struct aws_request look; // a ListShards in flight
    bool is_looking;
} fake;

void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request);
void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request)
{
    (void)client;
    assert_true(buffer_ok(&request->body));
    assert_int_equal(request->protocol, AWS_JSON_11);
    assert_int_equal(request->service, AWS_KINESIS);
    assert_int_equal(request->max_attempts, 1);
    if (!strcmp(request->operation, "ListShards")) {
        assert_false(fake.is_looking);
        assert_null(request->stream);
        buffer_finish(&fake.look.body);
        fake.look = *request;
        fake.is_looking = true;
        return;
    }
    assert_string_equal(request->operation, "SubscribeToShard");
    assert_false(fake.is_open); // one subscription at a time
    assert_non_null(request->stream);
    buffer_finish(&fake.subscription.body);
    fake.subscription = *request;
    fake.is_open = true;
    fake.is_cancelled = fake.is_paused = false;
    fake.subscriptions++;
    buffer_clear(&fake.wire);
    fake.taken = 0;
}

void __wrap_aws_client_cancel(struct aws_client *client, const void *owner);
void __wrap_aws_client_cancel(struct aws_client *client, const void *owner)
{
    (void)client;
    assert_ptr_equal(owner, fake.source);
    fake.is_cancelled = fake.is_open;
}

// As libcurl does it: what is not taken comes again, whole.
static void hand_on(void)
{
    while (fake.is_open && !fake.is_cancelled && !fake.is_paused &&
           fake.taken < fake.wire.size) {
        size_t size = fake.wire.size - fake.taken;
        struct bytes piece;

        if (size > fake.piece)
            size = fake.piece;
        piece = (struct bytes){fake.wire.data + fake.taken, size};
        if (fake.subscription.stream->take(fake.source, piece) ==
            AWS_PIECE_LATER)
            fake.is_paused = true;
        else
            fake.taken += size;
    }
}

void __wrap_aws_client_resume(struct aws_client *client, const void *owner);
void __wrap_aws_client_resume(struct aws_client *client, const void *owner)
{
    (void)client;
    assert_ptr_equal(owner, fake.source);
    fake.is_paused = false;
    hand_on();
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

// ---- the story's verbs -----------------------------------------------------

static const struct stream_start horizon = {.position = STREAM_TRIM_HORIZON};

static int64_t now(void)
{
    return fake.time.now_ms;
}

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    sim_clock_init(&fake.time);
    fake.endpoint = "https://kinesis.eu-west-1.amazonaws.com";
    fake.room = 100;
    fake.piece = 16 * 1024;
    buffer_init(&fake.wire, WIRE_LIMIT);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    source_close(fake.source);
    buffer_finish(&fake.subscription.body);
    buffer_finish(&fake.look.body);
    buffer_finish(&fake.wire);
    return 0;
}

static void open_at(const struct stream_start *start)
{
    static const struct log silent;

    fake.source = kinesis_fanout_open(&(struct kinesis_options){
        .clock = &fake.time.clock,
        .log = &silent,
        .stream = "s",
        .consumer_arn = CONSUMER,
        .shard = SHARD,
        .start = *start,
        .seed = 7,
    });
}

static void poll(void)
{
    source_poll(fake.source, fake.room, now());
}

static void expect_subscribed(int count)
{
    poll();
    assert_int_equal(fake.subscriptions, count);
}

// The next subscription is made after a time between the two, not before.
static void expect_subscription_between(int64_t low_ms, int64_t high_ms)
{
    int before = fake.subscriptions;
    int64_t wait_ms;

    expect_subscribed(before);
    assert_false(fake.is_open);
    wait_ms = source_deadline_ms(fake.source) - now();
    assert_in_range(wait_ms, low_ms, high_ms);
    sim_clock_advance(&fake.time, wait_ms - 1);
    expect_subscribed(before);
    sim_clock_advance(&fake.time, 1);
    expect_subscribed(before + 1);
}

static void expect_position(const char *json)
{
    char body[400];

    (void)snprintf(body, sizeof(body),
                   "{\"ConsumerARN\":\"" CONSUMER "\",\"ShardId\":\"" SHARD
                   "\",\"StartingPosition\":{%s}}",
                   json);
    assert_string_equal(buffer_text(&fake.subscription.body), body);
}

static void expect_behind(const char *sequence)
{
    char json[200];

    (void)snprintf(
        json, sizeof(json),
        "\"Type\":\"AFTER_SEQUENCE_NUMBER\",\"SequenceNumber\":\"%s\"",
        sequence);
    expect_position(json);
}

static void end_with(struct aws_reply *reply)
{
    assert_true(fake.is_open);
    fake.is_open = false;
    reply->owner = fake.source;
    reply->kind = fake.subscription.kind;
    source_reply(fake.source, reply, now());
}

// The server ends the answer as it should.
static void end(void)
{
    struct aws_reply reply = {.ok = true, .status = 200};

    end_with(&reply);
}

static void refuse(const char *code, int status, enum error_code error)
{
    struct aws_reply reply = {.status = status};

    (void)snprintf(reply.code, sizeof(reply.code), "%s", code);
    error_set(&reply.error, error, "SubscribeToShard http://there: %s", code);
    end_with(&reply);
}

// The source has cut it off, and is told so.
static void expect_cut(void)
{
    struct aws_reply reply = {0};

    poll();
    assert_true(fake.is_cancelled);
    error_set(&reply.error, ERROR_STOPPED, "stopped");
    end_with(&reply);
}

static void answer_look(const char *json)
{
    struct aws_reply reply = {.ok = true, .status = 200};

    assert_true(fake.is_looking);
    fake.is_looking = false;
    reply.kind = fake.look.kind;
    buffer_init(&reply.body, 1 << 20);
    buffer_append_text(&reply.body, json);
    source_reply(fake.source, &reply, now());
    buffer_finish(&reply.body);
}

// Take at most so many records and settle them.
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

static void expect_records(size_t count)
{
    poll();
    assert_int_equal(take(SIZE_MAX), count);
}

// ---- what the server says --------------------------------------------------

static void put_number(struct buffer *out, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buffer_append_char(out, (char)(number >> shift));
}

static void put_header(struct buffer *out, const char *name, const char *value)
{
    size_t size = strlen(value);

    buffer_append_char(out, (char)strlen(name));
    buffer_append_text(out, name);
    buffer_append_char(out, EVENT_HEADER_STRING);
    buffer_append_char(out, (char)(size >> 8));
    buffer_append_char(out, (char)size);
    buffer_append_text(out, value);
}

static uint32_t checksum(const struct buffer *out, size_t start)
{
    return (uint32_t)crc32_z(0, (const Bytef *)out->data + start,
                             out->size - start);
}

struct message {
    const char *type, *event, *payload;
    const char *exception, *code, *text; // headers; NULL: none
};

// Puts it at the end of the wire; returns where it begins.
static size_t send_message(const struct message *message)
{
    struct buffer headers, *out = &fake.wire;
    size_t start = out->size;

    buffer_init(&headers, 4096);
    put_header(&headers, ":message-type", message->type);
    if (message->event)
        put_header(&headers, ":event-type", message->event);
    if (message->exception)
        put_header(&headers, ":exception-type", message->exception);
    if (message->code)
        put_header(&headers, ":error-code", message->code);
    if (message->text)
        put_header(&headers, ":error-message", message->text);
    put_number(out, (uint32_t)(16 + headers.size + strlen(message->payload)));
    put_number(out, (uint32_t)headers.size);
    put_number(out, checksum(out, start));
    buffer_append_bytes(out, buffer_bytes(&headers));
    buffer_append_text(out, message->payload);
    put_number(out, checksum(out, start));
    buffer_finish(&headers);
    return start;
}

struct event {
    long first, count;        // sequence numbers
    long size;                // of each record's data; in base64 characters
    const char *continuation; // NULL: null
    long behind;
    int children;
};

static size_t send_event(const struct event *event)
{
    struct buffer json;
    size_t start;

    buffer_init(&json, WIRE_LIMIT);
    buffer_append_text(&json, "{\"Records\":[");
    for (long i = 0; i < event->count; i++) {
        buffer_printf(&json,
                      "%s{\"SequenceNumber\":\"%ld\",\"PartitionKey\":\"k\","
                      "\"ApproximateArrivalTimestamp\":1795369143.801,"
                      "\"EncryptionType\":\"KMS\",\"Data\":\"",
                      i ? "," : "", event->first + i);
        for (long j = 0; j < event->size; j++)
            buffer_append_char(&json, 'A');
        buffer_append_text(&json, "\"}");
    }
    buffer_append_text(&json, "],\"ContinuationSequenceNumber\":");
    if (event->continuation)
        buffer_printf(&json, "\"%s\"", event->continuation);
    else
        buffer_append_text(&json, "null");
    buffer_printf(&json, ",\"MillisBehindLatest\":%ld", event->behind);
    if (event->children)
        buffer_append_text(&json, ",\"ChildShards\":[{},{}]");
    buffer_append_text(&json, "}");
    start = send_message(&(struct message){.type = "event",
                                           .event = "SubscribeToShardEvent",
                                           .payload = buffer_text(&json)});
    buffer_finish(&json);
    return start;
}

static void send_records(long first, long count)
{
    char last[20];

    (void)snprintf(last, sizeof(last), "%ld", first + count - 1);
    (void)send_event(&(struct event){
        .first = first, .count = count, .size = 8, .continuation = last});
    hand_on();
}

static void send_initial_response(void)
{
    (void)send_message(&(struct message){
        .type = "event", .event = "initial-response", .payload = "{}"});
    hand_on();
}

// A subscription from the horizon that has brought the records 1 to 3.
static void start_reading(void)
{
    open_at(&horizon);
    expect_subscribed(1);
    send_initial_response();
    send_records(1, 3);
    expect_records(3);
}

// ---- where it starts -------------------------------------------------------

static struct start_case {
    const char *name;
    struct stream_start start;
    const char *position;
} start_cases[] = {
    {"trim horizon",
     {.position = STREAM_TRIM_HORIZON},
     "\"Type\":\"TRIM_HORIZON\""},
    {"latest", {.position = STREAM_LATEST}, "\"Type\":\"LATEST\""},
    {"timestamp",
     {.position = STREAM_AT_TIMESTAMP, .timestamp_ms = 1795369143007},
     "\"Type\":\"AT_TIMESTAMP\",\"Timestamp\":1795369143.007"},
    {"sequence number",
     {.position = STREAM_AFTER_SEQUENCE_NUMBER, .sequence_number = "495"},
     "\"Type\":\"AFTER_SEQUENCE_NUMBER\",\"SequenceNumber\":\"495\""},
    {"in the middle of an aggregated record",
     {.position = STREAM_AFTER_SEQUENCE_NUMBER, .sequence_number = "495:3"},
     "\"Type\":\"AT_SEQUENCE_NUMBER\",\"SequenceNumber\":\"495\""},
};

static void test_start(void **state)
{
    const struct start_case *c = *state;

    set_up(NULL);
    open_at(&c->start);
    expect_subscribed(1);
    expect_position(c->position);
    tear_down(NULL);
}

// ---- events ----------------------------------------------------------------

static void test_records_come_in_order_with_their_origin(void **state)
{
    struct record *record;

    (void)state;
    open_at(&horizon);
    expect_subscribed(1);
    send_records(1, 2);
    poll();
    record = source_next(fake.source);
    assert_non_null(record);
    assert_true(bytes_equal(record->id, BYTES("1")));
    assert_true(bytes_equal(record->key, BYTES("k")));
    assert_int_equal(record->arrived_at_ms, 1795369143801);
    assert_string_equal(record->origin->shard, SHARD);
    source_settle(fake.source, record, SOURCE_DONE, -1, now());
    expect_records(1);
}

// However the bytes are cut.
static void test_cuts(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 7, 100, 16384};

    (void)state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        set_up(NULL);
        fake.piece = pieces[i];
        start_reading();
        send_records(4, 30);
        expect_records(30);
        tear_down(NULL);
    }
    set_up(NULL);
}

static void test_goes_on_behind_the_last_record(void **state)
{
    (void)state;
    start_reading();
    end();
    expect_subscription_between(1000, 1000);
    expect_behind("3");
}

static void test_an_empty_event_leads_on(void **state)
{
    (void)state;
    start_reading();
    (void)send_event(&(struct event){.continuation = "900"});
    hand_on();
    end();
    expect_subscription_between(1000, 1000);
    expect_behind("900");
}

static void test_unknown_events_are_passed_by(void **state)
{
    (void)state;
    start_reading();
    (void)send_message(&(struct message){
        .type = "event", .event = "SomethingNew", .payload = "{\"x\":1}"});
    send_records(4, 1);
    expect_records(1);
    assert_true(fake.is_open);
}

// ---- what is wrong on the way ----------------------------------------------

enum damage {
    FLIP_PRELUDE,
    FLIP_PRELUDE_SUM,
    FLIP_BODY,
    FLIP_SUM,
    CLAIM_GIANT
};

static struct damage_case {
    const char *name;
    enum damage damage;
} damage_cases[] = {
    {"a flipped bit in a length", FLIP_PRELUDE},
    {"a flipped bit in a prelude's checksum", FLIP_PRELUDE_SUM},
    {"a flipped bit in a payload", FLIP_BODY},
    {"a flipped bit in a message's checksum", FLIP_SUM},
    {"a message of 4 GiB", CLAIM_GIANT},
};

static void damage(enum damage how, size_t start)
{
    char *message = fake.wire.data + start;
    size_t size = fake.wire.size - start;
    uint32_t sum;

    switch (how) {
    case FLIP_PRELUDE:
        message[2] ^= 1;
        return;
    case FLIP_PRELUDE_SUM:
        message[9] ^= 0x10;
        return;
    case FLIP_BODY:
        message[size / 2] ^= 4;
        return;
    case FLIP_SUM:
        message[size - 1] ^= 1;
        return;
    case CLAIM_GIANT:
        memset(message, 0xff, 4);
        sum = (uint32_t)crc32(0, (const Bytef *)message, 8);
        for (int i = 0; i < 4; i++)
            message[8 + i] = (char)(sum >> (24 - 8 * i));
        return;
    }
}

// What came before it stays; what comes behind it on the same wire is not
// believed.
static void test_damage(void **state)
{
    const struct damage_case *c = *state;

    set_up(NULL);
    start_reading();
    (void)send_event(&(struct event){
        .first = 4, .count = 2, .size = 8, .continuation = "5"});
    damage(c->damage,
           send_event(&(struct event){
               .first = 6, .count = 2, .size = 800, .continuation = "7"}));
    send_records(8, 2);
    assert_int_equal(source_deadline_ms(fake.source), 0);
    expect_cut();
    expect_records(2);
    expect_subscription_between(1000, 2000);
    expect_behind("5");
    send_records(6, 4);
    expect_records(4);
    tear_down(NULL);
}

static struct nonsense_case {
    const char *name;
    const char *payload;
} nonsense_cases[] = {
    {"no JSON", "nothing"},
    {"an empty payload", ""},
    {"half of it", "{\"Records\":[{\"SequenceNumber\":\"4\""},
    {"no Records",
     "{\"ContinuationSequenceNumber\":null,\"ChildShards\":[{}]}"},
    {"a record without a number", "{\"Records\":[{\"Data\":\"AAAA\"}]}"},
    {"data that is no base64",
     "{\"Records\":[{\"SequenceNumber\":\"4\",\"Data\":\"?\"}]}"},
};

// Each time it is asked again a little later.
static void test_nonsense(void **state)
{
    const struct nonsense_case *c = *state;

    set_up(NULL);
    start_reading();
    for (int i = 0; i < 8; i++) {
        send_initial_response();
        (void)send_message(&(struct message){.type = "event",
                                             .event = "SubscribeToShardEvent",
                                             .payload = c->payload});
        hand_on();
        assert_false(source_is_ended(fake.source));
        expect_cut();
        expect_subscription_between(100, 21000);
        expect_behind("3");
    }
    assert_null(source_failure(fake.source));
    tear_down(NULL);
}

static void test_a_stream_that_is_cut_in_a_message(void **state)
{
    size_t start;

    (void)state;
    start_reading();
    start = send_event(&(struct event){
        .first = 4, .count = 2, .size = 8, .continuation = "5"});
    fake.wire.size = start + 40;
    hand_on();
    refuse("", 0, ERROR_TRANSIENT);
    expect_records(0);
    expect_subscription_between(1000, 2000);
    expect_behind("3");
    send_records(4, 2); // what was left of the message is forgotten
    expect_records(2);
}

// The same where the answer ends there as if it were whole.
static void test_a_stream_that_ends_in_a_message(void **state)
{
    size_t start;

    (void)state;
    start_reading();
    start = send_event(&(struct event){
        .first = 4, .count = 2, .size = 8, .continuation = "5"});
    fake.wire.size = start + 40;
    hand_on();
    end();
    expect_subscription_between(1000, 1000);
    expect_behind("3");
    send_records(4, 2);
    expect_records(2);
}

// ---- exceptions ------------------------------------------------------------

static struct exception_case {
    const char *name;
    int64_t low_ms, high_ms; // until it is asked again; 0: never
    enum error_code failure;
    bool is_unmodelled;
} exception_cases[] = {
    {"InternalFailureException", 1000, 1350, ERROR_NONE, false},
    {"ResourceInUseException", 5000, 6000, ERROR_NONE, false},
    {"ResourceNotFoundException", 0, 0, ERROR_NOT_FOUND, false},
    {"InvalidArgumentException", 0, 0, ERROR_INVALID, false},
    {"AccessDeniedException", 0, 0, ERROR_DENIED, false},
    {"LimitExceededException", 1000, 2000, ERROR_NONE, false},
    {"KMSThrottlingException", 1000, 2000, ERROR_NONE, false},
    {"KMSDisabledException", 30000, 37500, ERROR_NONE, false},
    {"KMSInvalidStateException", 30000, 37500, ERROR_NONE, false},
    {"KMSAccessDeniedException", 30000, 37500, ERROR_NONE, false},
    {"KMSNotFoundException", 30000, 37500, ERROR_NONE, false},
    {"KMSOptInRequired", 30000, 37500, ERROR_NONE, false},
    {"InternalError", 1000, 1350, ERROR_NONE, true},
    {"SomethingElse", 1000, 1350, ERROR_NONE, true},
};

static void expect_reaction(const struct exception_case *c)
{
    const struct error *failure;

    if (c->failure == ERROR_NONE) {
        expect_subscription_between(c->low_ms, c->high_ms);
        expect_behind("5");
        return;
    }
    failure = source_failure(fake.source);
    assert_non_null(failure);
    assert_int_equal(failure->code, c->failure);
    assert_contains(failure->message, c->name);
    assert_contains(failure->message, "after 5");
    sim_clock_advance(&fake.time, 3600000);
    expect_subscribed(1);
    assert_true(source_deadline_ms(fake.source) == CLOCK_NEVER);
}

static void test_exception_on_the_stream(void **state)
{
    const struct exception_case *c = *state;
    struct message message = {.type = "exception",
                              .exception = c->name,
                              .payload = "{\"message\":\"as it says\"}"};

    set_up(NULL);
    start_reading();
    send_records(4, 2);
    if (c->is_unmodelled)
        message = (struct message){.type = "error",
                                   .code = c->name,
                                   .text = "as it says",
                                   .payload = ""};
    (void)send_message(&message);
    hand_on();
    expect_cut();
    assert_int_equal(take(SIZE_MAX), 2); // they had come before
    expect_reaction(c);
    tear_down(NULL);
}

// Where the server ends the answer behind it by itself.
static void test_exception_at_the_end(void **state)
{
    const struct exception_case *c = *state;

    if (c->is_unmodelled)
        return;
    set_up(NULL);
    start_reading();
    send_records(4, 2);
    (void)send_message(&(struct message){.type = "exception",
                                         .exception = c->name,
                                         .payload = "{\"Message\":\"no\"}"});
    hand_on();
    end();
    expect_records(2);
    expect_reaction(c);
    tear_down(NULL);
}

static void test_another_has_the_shard(void **state)
{
    (void)state;
    open_at(&horizon);
    expect_subscribed(1);
    for (int i = 0; i < 5; i++) {
        refuse("ResourceInUseException", 400, ERROR_INVALID);
        expect_subscription_between(5000, 6000);
    }
}

static void test_a_consumer_that_is_gone_ends_it(void **state)
{
    (void)state;
    open_at(&horizon);
    expect_subscribed(1);
    refuse("ResourceNotFoundException", 400, ERROR_NOT_FOUND);
    assert_non_null(source_failure(fake.source));
    assert_int_equal(source_failure(fake.source)->code, ERROR_NOT_FOUND);
    assert_true(source_is_idle(fake.source));
}

// ---- backpressure ----------------------------------------------------------

// 1024 characters are 768 bytes each.
static void send_large(long first, long count)
{
    (void)send_event(&(struct event){
        .first = first, .count = count, .size = 1024, .continuation = "9999"});
}

static void test_a_full_poller_pauses_the_transfer(void **state)
{
    long sent = 0;

    (void)state;
    open_at(&horizon);
    expect_subscribed(1);
    for (long i = 0; i < 100; i++, sent += 20)
        send_large(10000 + sent, 20);
    hand_on();
    assert_true(fake.is_paused);
    // What waits is bounded, with what belongs to it; a piece may go beyond.
    assert_in_range(fake.taken, 192 * 1024, (256 + 32) * 1024);
    fake.room = 20;
    for (size_t got = 0; got < (size_t)sent; got += 20) {
        poll();
        assert_int_equal(take(SIZE_MAX), 20);
    }
    poll();
    assert_false(fake.is_paused);
    assert_int_equal(take(SIZE_MAX), 0);
}

// A chunk counts until its last record has left, even when one alone waits.
static void test_a_large_event_is_handed_out_before_the_next_comes(void **state)
{
    size_t taken;

    (void)state;
    open_at(&horizon);
    expect_subscribed(1);
    send_large(1, 400);
    send_large(401, 400);
    hand_on();
    assert_true(fake.is_paused);
    taken = fake.taken;
    fake.room = 399;
    expect_records(399);
    poll();
    assert_true(fake.is_paused);
    assert_int_equal(fake.taken, taken);
    fake.room = 1;
    expect_records(1);
    assert_int_equal(source_deadline_ms(fake.source), 0);
    poll();
    assert_true(fake.taken > taken);
    assert_int_equal(take(SIZE_MAX), 1);
}

// It is neither left for silence nor subscribed to anew before its time.
static void test_what_stands_still_is_not_silent(void **state)
{
    (void)state;
    open_at(&horizon);
    expect_subscribed(1);
    send_large(1, 400);
    send_large(401, 400);
    hand_on();
    assert_true(fake.is_paused);
    fake.room = 0;
    sim_clock_advance(&fake.time, 294000);
    poll();
    assert_false(fake.is_cancelled);
    sim_clock_advance(&fake.time, 1000);
    expect_cut(); // of age
    sim_clock_advance(&fake.time, 600000);
    expect_subscribed(1); // there is no space for what would come
    fake.room = 400;
    expect_records(400);
    expect_subscribed(2);
    expect_behind("400");
}

static void test_stop_while_it_stands_still(void **state)
{
    struct source_counts counts;

    (void)state;
    open_at(&horizon);
    expect_subscribed(1);
    send_large(1, 400);
    send_large(401, 400);
    hand_on();
    assert_true(fake.is_paused);
    source_stop(fake.source);
    assert_true(fake.is_cancelled);
    assert_false(source_is_idle(fake.source));
    refuse("", 0, ERROR_STOPPED);
    assert_true(source_is_idle(fake.source));
    assert_false(source_is_ended(fake.source));
    assert_null(source_next(fake.source));
    source_counts(fake.source, &counts);
    assert_int_equal(counts.received, 400);
    assert_int_equal(counts.returned, 400);
    sim_clock_advance(&fake.time, 600000);
    expect_subscribed(1);
    assert_true(source_deadline_ms(fake.source) == CLOCK_NEVER);
}

// What the poller has goes back one by one after a stop.
static void test_stop_with_records_out(void **state)
{
    struct record *record;

    (void)state;
    open_at(&horizon);
    expect_subscribed(1);
    send_records(1, 1);
    poll();
    record = source_next(fake.source);
    source_stop(fake.source);
    refuse("", 0, ERROR_STOPPED);
    assert_false(source_is_idle(fake.source));
    source_settle(fake.source, record, SOURCE_AGAIN, -1, now());
    assert_true(source_is_idle(fake.source));
}

// A record of 10 MiB is an event of its own, and is taken.
static void test_the_largest_record(void **state)
{
    struct record *record;

    (void)state;
    open_at(&horizon);
    expect_subscribed(1);
    (void)send_event(&(struct event){
        .first = 1, .count = 1, .size = 13981016, .continuation = "1"});
    hand_on();
    poll();
    record = source_next(fake.source);
    assert_non_null(record);
    assert_int_equal(record->data.size, 10485762);
    source_settle(fake.source, record, SOURCE_DONE, -1, now());
}

// ---- time ------------------------------------------------------------------

static void test_silence_ends_it(void **state)
{
    (void)state;
    start_reading();
    assert_int_equal(source_deadline_ms(fake.source), now() + 35000);
    sim_clock_advance(&fake.time, 34999);
    poll();
    assert_false(fake.is_cancelled);
    sim_clock_advance(&fake.time, 1);
    expect_cut();
    expect_subscription_between(100, 350);
    expect_behind("3");
}

static void test_age_ends_it_between_two_events(void **state)
{
    long sequence = 4;

    (void)state;
    start_reading();
    for (int64_t age_ms = 5000; age_ms < 285000; age_ms += 5000) {
        sim_clock_advance(&fake.time, 5000);
        send_records(sequence++, 1);
        expect_records(1);
        assert_false(fake.is_cancelled);
    }
    sim_clock_advance(&fake.time, 5000); // the first event past its time
    send_records(sequence, 1);
    expect_cut();
    assert_int_equal(take(SIZE_MAX), 1);
    poll();
    assert_int_equal(fake.subscriptions, 2);
}

static void test_latest_is_asked_for_by_time_the_second_time(void **state)
{
    char json[100];
    int64_t asked_ms;

    (void)state;
    open_at(&(struct stream_start){.position = STREAM_LATEST});
    fake.server_ahead_ms = -90000; // by which it goes
    asked_ms = clock_wall_ms(&fake.time.clock) - 90000 - 10000;
    expect_subscribed(1);
    send_initial_response();
    sim_clock_advance(&fake.time, 35000);
    expect_cut();
    expect_subscription_between(100, 350);
    (void)snprintf(json, sizeof(json),
                   "\"Type\":\"AT_TIMESTAMP\",\"Timestamp\":%lld.%03d",
                   (long long)(asked_ms / 1000), (int)(asked_ms % 1000));
    expect_position(json);
}

// ---- the end of the shard --------------------------------------------------

static void test_children_end_it(void **state)
{
    (void)state;
    start_reading();
    (void)send_event(
        &(struct event){.first = 4, .count = 2, .size = 8, .children = 2});
    hand_on();
    assert_false(source_is_ended(fake.source)); // two records wait
    expect_records(2);
    assert_true(source_is_ended(fake.source));
    expect_cut();
    sim_clock_advance(&fake.time, 600000);
    expect_subscribed(1);
    assert_true(source_is_idle(fake.source));
}

#define SHARDS(end_)                                             \
    "{\"Shards\":[{\"ShardId\":\"" SHARD "\",\"HashKeyRange\":{" \
    "\"StartingHashKey\":\"0\",\"EndingHashKey\":\"9\"},"        \
    "\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"1\"" end_ "}}]}"

static void send_quiet(int count)
{
    for (int i = 0; i < count; i++) {
        sim_clock_advance(&fake.time, 1000);
        (void)send_event(&(struct event){.continuation = NULL});
        hand_on();
        poll();
    }
}

static void test_no_continuation_without_children_is_looked_into(void **state)
{
    (void)state;
    fake.endpoint = "http://127.0.0.1:4567";
    start_reading();
    send_quiet(1);
    assert_true(fake.is_looking);
    answer_look(SHARDS(""));
    send_quiet(20);
    assert_false(source_is_ended(fake.source)); // it is open
    assert_true(fake.is_looking);
    answer_look(SHARDS(",\"EndingSequenceNumber\":\"9\""));
    send_quiet(1);
    assert_false(source_is_ended(fake.source)); // may have been on its way
    send_quiet(1);
    assert_true(source_is_ended(fake.source));
    expect_cut();
}

// A cut takes the look with it.
static void test_a_look_that_is_cut_off(void **state)
{
    struct aws_reply reply = {0};

    (void)state;
    fake.endpoint = "http://127.0.0.1:4567";
    start_reading();
    send_quiet(1);
    assert_true(fake.is_looking);
    sim_clock_advance(&fake.time, 35000);
    expect_cut();
    fake.is_looking = false;
    reply.kind = fake.look.kind;
    error_set(&reply.error, ERROR_STOPPED, "stopped");
    source_reply(fake.source, &reply, now());
    assert_null(source_failure(fake.source));
    expect_subscription_between(100, 350);
}

#define STORY(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(test_records_come_in_order_with_their_origin),
        STORY(test_cuts),
        STORY(test_goes_on_behind_the_last_record),
        STORY(test_an_empty_event_leads_on),
        STORY(test_unknown_events_are_passed_by),
        STORY(test_a_stream_that_is_cut_in_a_message),
        STORY(test_a_stream_that_ends_in_a_message),
        STORY(test_another_has_the_shard),
        STORY(test_a_consumer_that_is_gone_ends_it),
        STORY(test_a_full_poller_pauses_the_transfer),
        STORY(test_a_large_event_is_handed_out_before_the_next_comes),
        STORY(test_what_stands_still_is_not_silent),
        STORY(test_stop_while_it_stands_still),
        STORY(test_stop_with_records_out),
        STORY(test_the_largest_record),
        STORY(test_silence_ends_it),
        STORY(test_age_ends_it_between_two_events),
        STORY(test_latest_is_asked_for_by_time_the_second_time),
        STORY(test_children_end_it),
        STORY(test_no_continuation_without_children_is_looked_into),
        STORY(test_a_look_that_is_cut_off),
    };

    return run_table("fanout start", start_cases, test_start) +
           run_table("fanout damage", damage_cases, test_damage) +
           run_table("fanout nonsense", nonsense_cases, test_nonsense) +
           run_table("fanout exceptions", exception_cases,
                     test_exception_on_the_stream) +
           run_table("fanout exceptions at the end", exception_cases,
                     test_exception_at_the_end) +
           cmocka_run_group_tests_name("kinesis_fanout", tests, NULL, NULL);
}
