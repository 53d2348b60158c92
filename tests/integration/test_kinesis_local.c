#include "source/kinesis.h"

#include <stdio.h>

#include "aws/aws_config.h"
#include "aws/client.h"
#include "aws/session.h"
#include "aws_environment.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/mem.h"
#include "local/local.h"
#include "record/sequence.h"
#include "source/source.h"
#include "test.h"

#define STREAM "clicks"
#define FIRST_SHARD "shardId-000000000000"
#define MIDDLE "170141183460469231731687303715884105728"
#define PATIENCE_MS 30000 // for what must happen
#define ROOM 2000

struct fixture {
    struct local *server;
    struct aws_config config;
    struct log log;
    struct aws_session *session;
    struct aws_client *client;
};

static int64_t now(void)
{
    return clock_now_ms(clock_system());
}

// ---- a server, and a client on it ------------------------------------------

static struct fixture *start(const char *faults, int64_t response_limit)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    struct error err = {0};

    aws_environment_clear();
    aws_environment_set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    aws_environment_set("AWS_SECRET_ACCESS_KEY", "secret");
    f->server = local_start(&(struct local_options){.address = "127.0.0.1",
                                                    .faults = faults,
                                                    .seed = 5,
                                                    .log = &f->log},
                            &err);
    assert_ok(f->server, &err);
    assert_ok(local_create_stream(f->server, STREAM, 1, &err), &err);
    f->config.endpoint_url =
        mem_printf("http://127.0.0.1:%d", local_port(f->server));
    f->config.response_limit = response_limit;
    f->session = aws_session_create(
        &(struct aws_session_options){
            .config = &f->config, .clock = clock_system(), .log = &f->log},
        &err);
    assert_ok(f->session, &err);
    f->client =
        aws_client_create(&(struct aws_client_options){.session = f->session,
                                                       .clock = clock_system(),
                                                       .log = &f->log,
                                                       .seed = 5});
    return f;
}

static void end(struct fixture *f)
{
    aws_client_destroy(f->client);
    aws_session_destroy(f->session);
    local_stop(f->server);
    free(f->config.endpoint_url);
    free(f);
}

static void call(struct fixture *f, const char *operation, struct buffer *body)
{
    struct aws_request request = {.service = AWS_KINESIS,
                                  .protocol = AWS_JSON_11,
                                  .operation = operation,
                                  .body = *body};
    struct aws_reply reply;

    assert_true(buffer_ok(body));
    assert_ok(aws_client_call(f->client, &request, NULL, &reply), &reply.error);
    aws_reply_finish(&reply);
}

static void call_with(struct fixture *f, const char *operation,
                      const char *members)
{
    struct buffer body;

    buffer_init(&body, 10000);
    buffer_printf(&body, "{\"StreamName\":\"" STREAM "\",%s}", members);
    call(f, operation, &body);
}

// Records whose data begins with their number, as many as `count`.
static void put(struct fixture *f, int first, int count, size_t size)
{
    struct buffer body, data;

    buffer_init(&body, 64 << 20);
    buffer_init(&data, size + 32);
    buffer_append_text(&body, "{\"StreamName\":\"" STREAM "\",\"Records\":[");
    for (int i = first; i < first + count; i++) {
        buffer_clear(&data);
        buffer_printf(&data, "%d.", i);
        while (data.size < size)
            buffer_append_char(&data, (char)(i + (int)data.size));
        buffer_printf(&body, "%s{\"PartitionKey\":\"key-%d\",\"Data\":",
                      i > first ? "," : "", i);
        json_put_base64(&body, buffer_bytes(&data));
        buffer_append_text(&body, "}");
    }
    buffer_append_text(&body, "]}");
    buffer_finish(&data);
    call(f, "PutRecords", &body);
}

static void put_many(struct fixture *f, int count, size_t size)
{
    for (int i = 0; i < count; i += 500)
        put(f, i, count - i < 500 ? count - i : 500, size);
}

// ---- reading ---------------------------------------------------------------

static const struct stream_start horizon = {.position = STREAM_TRIM_HORIZON};

static struct source *open_shard(struct fixture *f, const char *shard,
                                 const struct stream_start *from)
{
    return kinesis_open(&(struct kinesis_options){.session = f->session,
                                                  .client = f->client,
                                                  .clock = clock_system(),
                                                  .log = &f->log,
                                                  .stream = STREAM,
                                                  .shard = shard,
                                                  .start = *from,
                                                  .idle_ms = 20,
                                                  .seed = 5});
}

static void go_round(struct fixture *f, struct source *source, size_t room)
{
    struct aws_reply reply;

    source_poll(source, room, now());
    aws_client_wait(f->client,
                    clock_until_ms(source_deadline_ms(source), now(), 1000));
    while (aws_client_next(f->client, &reply)) {
        source_reply(source, &reply, now());
        aws_reply_finish(&reply);
    }
}

// What was read from a shard.
struct reading {
    int count;
    int next;      // in order: the number that must come next; -1: any order
    size_t size;   // of the last record's data
    char last[64]; // sequence number
    bool seen[4000];
};

// What put() makes of the number.
static void check_data(struct bytes data, int number)
{
    char head[16];
    size_t size = (size_t)snprintf(head, sizeof(head), "%d.", number);

    assert_true(data.size >= size);
    assert_memory_equal(data.data, head, size);
    for (size_t i = size; i < data.size; i++)
        if (data.data[i] != (char)(number + (int)i))
            fail_msg("record %d is broken at byte %zu", number, i);
}

static int number_of(struct bytes data)
{
    char head[16] = "";

    memcpy(head, data.data, data.size < 15 ? data.size : 15);
    return atoi(head);
}

static void note(struct reading *reading, const struct record *record)
{
    int number = number_of(record->data);
    char id[64];

    (void)snprintf(id, sizeof(id), "%.*s", BYTES_ARGS(record->id));
    check_data(record->data, number);
    assert_in_range(number, 0, 3999);
    assert_false(reading->seen[number]);
    reading->seen[number] = true;
    if (reading->next >= 0)
        assert_int_equal(number, reading->next++);
    assert_true(sequence_compare(reading->last, id) < 0);
    memcpy(reading->last, id, sizeof(id));
    reading->size = record->data.size;
    reading->count++;
}

static void take(struct source *source, struct reading *reading)
{
    struct record *record;

    while ((record = source_next(source))) {
        note(reading, record);
        source_settle(source, record, SOURCE_DONE, -1, now());
    }
}

// Until so many are there; 0: until the shard's end.
static void read_until(struct fixture *f, struct source *source, int count,
                       struct reading *reading)
{
    int64_t deadline_ms = now() + PATIENCE_MS;

    while (count ? reading->count < count : !source_is_ended(source)) {
        assert_true(now() < deadline_ms);
        if (source_failure(source))
            fail_msg("%s", source_failure(source)->message);
        go_round(f, source, ROOM);
        take(source, reading);
    }
}

static void stop(struct fixture *f, struct source *source)
{
    int64_t deadline_ms = now() + PATIENCE_MS;

    source_stop(source);
    while (!source_is_idle(source)) {
        assert_true(now() < deadline_ms);
        go_round(f, source, 0);
    }
    source_close(source);
}

static void read_shard(struct fixture *f, const char *shard, int count,
                       struct reading *reading)
{
    struct source *source = open_shard(f, shard, &horizon);

    read_until(f, source, count, reading);
    stop(f, source);
}

// ---- the stories -----------------------------------------------------------

static struct protocol_case {
    const char *name;
    enum aws_kinesis_protocol known, found;
} protocol_cases[] = {
    {"CBOR is found", AWS_KINESIS_AUTO, AWS_KINESIS_CBOR},
    {"JSON is kept", AWS_KINESIS_JSON, AWS_KINESIS_JSON},
};

static void test_protocol(void **state)
{
    const struct protocol_case *c = *state;
    struct fixture *f = start(NULL, 0);
    struct reading reading = {0};

    aws_session_set_kinesis_protocol(f->session, c->known);
    put_many(f, 3000, 1000);
    read_shard(f, FIRST_SHARD, 3000, &reading);
    assert_int_equal(aws_session_kinesis_protocol(f->session), c->found);
    assert_int_equal(reading.size, 1000);
    end(f);
}

// Each is met while the records are read; none may be skipped or doubled.
static struct fault_case {
    const char *name, *faults;
} fault_cases[] = {
    {"expired iterators", "GetRecords:expired_iterator:rate=0.25"},
    {"throttling", "GetRecords:error=ProvisionedThroughputExceededException:"
                   "after=2:times=1"},
    {"throttled iterators",
     "GetShardIterator:error=ProvisionedThroughputExceededException:times=1;"
     "GetRecords:expired_iterator:after=1:times=1"},
    {"internal errors", "GetRecords:error=InternalFailure:rate=0.2"},
    {"connections that close", "GetRecords:drop=before:rate=0.2;"
                               "GetRecords:drop=after:rate=0.2"},
    {"answers cut off", "GetRecords:truncate:rate=0.2"},
    {"a proxy's HTML", "GetRecords:html:rate=0.2"},
    {"an error under status 200",
     "GetRecords:error_in_200=InternalFailure:rate=0.2"},
    {"nothing though there is something", "GetRecords:empty:rate=0.3"},
    {"all of it", "GetRecords:expired_iterator:rate=0.1;GetRecords:error="
                  "InternalFailure:rate=0.1;"
                  "GetRecords:drop=after:rate=0.1;GetRecords:truncate:rate=0.1;"
                  "GetShardIterator:error=InternalFailure:rate=0.2"},
};

static void test_fault(void **state)
{
    const struct fault_case *c = *state;
    struct fixture *f = start(c->faults, 64 << 10); // many small pages
    struct reading reading = {0};

    put_many(f, 2000, 100);
    read_shard(f, FIRST_SHARD, 2000, &reading);
    assert_int_equal(reading.count, 2000);
    end(f);
}

static size_t count_open(struct fixture *f)
{
    struct stream_shards shards = {0};
    struct error err = {0};
    size_t open = 0;

    assert_ok(kinesis_list_shards(f->client, STREAM, NULL, &shards, &err),
              &err);
    for (size_t i = 0; i < shards.count; i++)
        open += !shards.list[i].closed;
    stream_shards_finish(&shards);
    return open;
}

static void await_open(struct fixture *f, size_t count)
{
    int64_t deadline_ms = now() + PATIENCE_MS;

    while (count_open(f) != count) {
        assert_true(now() < deadline_ms);
        aws_client_wait(f->client, 10);
    }
}

static void await_active(struct fixture *f)
{
    int64_t deadline_ms = now() + PATIENCE_MS;
    struct kinesis_summary summary = {.status = KINESIS_CREATING};
    struct error err = {0};

    while (summary.status != KINESIS_ACTIVE) {
        assert_true(now() < deadline_ms);
        kinesis_summary_finish(&summary);
        assert_ok(kinesis_describe(f->client, STREAM, NULL, &summary, &err),
                  &err);
        aws_client_wait(f->client, 10);
    }
    kinesis_summary_finish(&summary);
}

static void test_split_and_merge(void **state)
{
    struct fixture *f = start(NULL, 0);
    struct source *parent = open_shard(f, FIRST_SHARD, &horizon);
    struct reading all = {0};

    (void)state;
    put(f, 0, 100, 10);
    read_until(f, parent, 100, &all);
    call_with(f, "SplitShard",
              "\"ShardToSplit\":\"" FIRST_SHARD "\","
              "\"NewStartingHashKey\":\"" MIDDLE "\"");
    await_open(f, 2);
    await_active(f);
    put(f, 100, 100, 10);
    read_until(f, parent, 0, &all); // to its end
    assert_int_equal(all.count, 100);
    stop(f, parent);
    call_with(f, "MergeShards",
              "\"ShardToMerge\":\"shardId-000000000001\","
              "\"AdjacentShardToMerge\":\"shardId-000000000002\"");
    await_open(f, 1);
    await_active(f);
    put(f, 200, 100, 10);
    // Each shard for itself is in order, the children are not to each other.
    all.next = -1;
    for (int i = 1; i <= 3; i++) {
        char shard[32];

        (void)snprintf(shard, sizeof(shard), "shardId-%012d", i);
        all.last[0] = '\0';
        read_shard(f, shard, i < 3 ? 0 : 300, &all);
    }
    assert_int_equal(all.count, 300);
    end(f);
}

static void test_lineage(void **state)
{
    struct fixture *f = start(NULL, 0);
    struct stream_shards shards = {0};
    struct error err = {0};

    (void)state;
    call_with(f, "SplitShard",
              "\"ShardToSplit\":\"" FIRST_SHARD "\","
              "\"NewStartingHashKey\":\"" MIDDLE "\"");
    await_open(f, 2);
    assert_ok(kinesis_list_shards(f->client, STREAM, NULL, &shards, &err),
              &err);
    assert_int_equal(shards.count, 3);
    assert_true(shards.list[0].closed);
    assert_string_equal(shards.list[1].parent, FIRST_SHARD);
    assert_string_equal(shards.list[2].starting_hash_key, MIDDLE);
    stream_shards_finish(&shards);
    end(f);
}

static void test_a_record_of_ten_mebibytes(void **state)
{
    const size_t size = (10u << 20) - 64; // with its key
    struct fixture *f = start(NULL, 0);
    struct kinesis_summary summary = {0};
    struct error err = {0};
    struct reading reading = {0};
    struct buffer body;

    (void)state;
    assert_ok(kinesis_describe(f->client, STREAM, NULL, &summary, &err), &err);
    buffer_init(&body, 1000);
    buffer_printf(&body, "{\"StreamARN\":\"%s\",\"MaxRecordSizeInKiB\":10240}",
                  summary.arn);
    kinesis_summary_finish(&summary);
    call(f, "UpdateMaxRecordSize", &body);
    await_active(f);
    for (int i = 0; i < 3; i++)
        put(f, i, 1, size);
    read_shard(f, FIRST_SHARD, 3, &reading);
    assert_int_equal(reading.size, size);
    end(f);
}

static void test_answers_are_asked_for_in_parts_that_fit(void **state)
{
    struct fixture *f = start(NULL, 1 << 20);
    struct reading reading = {0};

    (void)state;
    for (int i = 0; i < 20; i++)
        put(f, i, 1, 300000);
    read_shard(f, FIRST_SHARD, 20, &reading);
    assert_int_equal(reading.size, 300000);
    end(f);
}

static void test_it_goes_on_behind_a_checkpoint(void **state)
{
    struct fixture *f = start(NULL, 0);
    struct reading first = {0}, second = {.next = 100};
    struct stream_start from = {.position = STREAM_AFTER_SEQUENCE_NUMBER};
    struct source *source;

    (void)state;
    put(f, 0, 100, 10);
    read_shard(f, FIRST_SHARD, 100, &first);
    put(f, 100, 50, 10);
    from.sequence_number = first.last;
    source = open_shard(f, FIRST_SHARD, &from);
    read_until(f, source, 50, &second);
    stop(f, source);
    end(f);
}

static void test_latest_skips_what_was_there(void **state)
{
    struct fixture *f = start(NULL, 0);
    struct stream_start from = {.position = STREAM_LATEST};
    struct source *source = open_shard(f, FIRST_SHARD, &from);
    struct reading reading = {.next = 100};

    (void)state;
    put(f, 0, 100, 10);
    go_round(f, source, ROOM); // the iterator is asked for
    while (aws_client_pending(f->client, source))
        go_round(f, source, 0);
    put(f, 100, 50, 10);
    read_until(f, source, 50, &reading);
    stop(f, source);
    end(f);
}

static void test_a_time_is_a_start(void **state)
{
    struct fixture *f = start(NULL, 0);
    struct stream_start from = {.position = STREAM_AT_TIMESTAMP};
    struct reading reading = {.next = 100};
    struct source *source;

    (void)state;
    put(f, 0, 100, 10);
    aws_client_wait(f->client, 20);
    from.timestamp_ms = clock_wall_ms(clock_system());
    put(f, 100, 50, 10);
    source = open_shard(f, FIRST_SHARD, &from);
    read_until(f, source, 50, &reading);
    stop(f, source);
    end(f);
}

static void test_what_does_not_exist_is_said(void **state)
{
    struct fixture *f = start(NULL, 0);
    struct source *source = open_shard(f, "shardId-000000000099", &horizon);
    int64_t deadline_ms = now() + PATIENCE_MS;
    struct stream_shards shards = {0};
    struct kinesis_summary summary = {0};
    struct error err = {0};

    (void)state;
    while (!source_failure(source)) {
        assert_true(now() < deadline_ms);
        go_round(f, source, ROOM);
    }
    assert_int_equal(source_failure(source)->code, ERROR_NOT_FOUND);
    stop(f, source);
    assert_fails(kinesis_list_shards(f->client, "nobody", NULL, &shards, &err),
                 &err, ERROR_NOT_FOUND);
    assert_fails(kinesis_describe(f->client, "nobody", NULL, &summary, &err),
                 &err, ERROR_NOT_FOUND);
    end(f);
}

static void test_a_stop_in_flight_is_clean(void **state)
{
    struct fixture *f = start("GetRecords:latency=2000", 0);
    struct source *source = open_shard(f, FIRST_SHARD, &horizon);
    int64_t started_ms = now();

    (void)state;
    put(f, 0, 100, 10);
    while (aws_client_pending(f->client, source) == 0)
        go_round(f, source, ROOM);
    stop(f, source);
    assert_true(now() - started_ms < PATIENCE_MS);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_and_merge),
        cmocka_unit_test(test_lineage),
        cmocka_unit_test(test_a_record_of_ten_mebibytes),
        cmocka_unit_test(test_answers_are_asked_for_in_parts_that_fit),
        cmocka_unit_test(test_it_goes_on_behind_a_checkpoint),
        cmocka_unit_test(test_latest_skips_what_was_there),
        cmocka_unit_test(test_a_time_is_a_start),
        cmocka_unit_test(test_what_does_not_exist_is_said),
        cmocka_unit_test(test_a_stop_in_flight_is_clean),
    };
    int failed = run_table("protocol", protocol_cases, test_protocol);

    failed += run_table("fault", fault_cases, test_fault);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
