#include <stdio.h>
#include <stdlib.h>

#include "base/cbor_read.h"
#include "base/cbor_write.h"
#include "base/mem.h"
#include "local_client.h"
#include "test.h"

#define SHARD_0 "shardId-000000000000"
#define SHARD_1 "shardId-000000000001"

static int set_up(void **state)
{
    struct local_client *client = local_client_start(NULL);

    (void)local_client_kinesis(client, "CreateStream",
                               "{\"StreamName\":\"s\",\"ShardCount\":2}");
    assert_int_equal(client->status, 200);
    assert_int_equal(client->answer.size, 0);
    *state = client;
    return 0;
}

static int tear_down(void **state)
{
    local_client_stop(*state);
    return 0;
}

// Into the first shard, or the second.
static char *put(struct local_client *client, const char *key, int shard)
{
    (void)local_client_kinesis(
        client, "PutRecord",
        "{\"StreamName\":\"s\",\"Data\":\"aGVsbG8=\",\"PartitionKey\":\"%s\","
        "\"ExplicitHashKey\":\"%s\"}",
        key, shard ? "340282366920938463463374607431768211455" : "0");
    assert_int_equal(client->status, 200);
    return mem_strdup(
        json_string_value(json_object_get(client->json, "SequenceNumber")));
}

static void put_some(struct local_client *client, int count)
{
    char key[16];

    for (int i = 0; i < count; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        free(put(client, key, 0));
    }
}

// The caller frees; NULL when it failed.
static char *iterator(struct local_client *client, const char *shard,
                      const char *more)
{
    (void)local_client_kinesis(
        client, "GetShardIterator",
        "{\"StreamName\":\"s\",\"ShardId\":\"%s\",\"ShardIteratorType\":%s}",
        shard, more);
    return mem_strdup(
        json_string_value(json_object_get(client->json, "ShardIterator")));
}

// Takes the iterator. The keys of the records, separated by spaces.
static const char *get(struct local_client *client, char *from, int limit)
{
    (void)local_client_kinesis(client, "GetRecords",
                               "{\"ShardIterator\":\"%s\",\"Limit\":%d}", from,
                               limit);
    free(from);
    return local_client_each(client, "Records", "PartitionKey");
}

static char *next(const struct local_client *client)
{
    return mem_strdup(
        json_string_value(json_object_get(client->json, "NextShardIterator")));
}

static int64_t behind(const struct local_client *client)
{
    return json_integer_value(
        json_object_get(client->json, "MillisBehindLatest"));
}

static void test_put_and_get_in_pages(void **state)
{
    struct local_client *client = *state;

    put_some(client, 5);
    assert_string_equal(
        get(client, iterator(client, SHARD_0, "\"TRIM_HORIZON\""), 2), "k0 k1");
    assert_true(behind(client) > 0);
    assert_string_equal(get(client, next(client), 2), "k2 k3");
    assert_string_equal(get(client, next(client), 2), "k4");
    assert_int_equal(behind(client), 0);
    assert_string_equal(get(client, next(client), 2), "");
    assert_non_null(json_object_get(client->json, "NextShardIterator"));
}

static void test_record_comes_back_as_it_was_put(void **state)
{
    struct local_client *client = *state;
    AUTO_FREE char *sequence = put(client, "key \\\"quoted\\\"", 1);
    const json_t *record;

    get(client, iterator(client, SHARD_1, "\"TRIM_HORIZON\""), 10);
    record = json_array_get(json_object_get(client->json, "Records"), 0);
    assert_string_equal(json_string_value(json_object_get(record, "Data")),
                        "aGVsbG8=");
    assert_string_equal(
        json_string_value(json_object_get(record, "PartitionKey")),
        "key \"quoted\"");
    assert_string_equal(
        json_string_value(json_object_get(record, "SequenceNumber")), sequence);
    assert_true(
        json_is_real(json_object_get(record, "ApproximateArrivalTimestamp")));
}

static void test_every_kind_of_iterator(void **state)
{
    struct local_client *client = *state;
    AUTO_FREE char *first = put(client, "a", 0), *second = NULL, *at = NULL,
                   *after = NULL, *when = NULL;

    local_client_advance(client, 5000);
    second = put(client, "b", 0);
    (void)local_client_admin(client, "GET", "clock", NULL);
    when = mem_printf(
        "\"AT_TIMESTAMP\",\"Timestamp\":%.3f",
        (double)json_integer_value(json_object_get(client->json, "now_ms")) /
                1000 -
            2);
    at = mem_printf("\"AT_SEQUENCE_NUMBER\",\"StartingSequenceNumber\":\"%s\"",
                    first);
    after = mem_printf(
        "\"AFTER_SEQUENCE_NUMBER\",\"StartingSequenceNumber\":\"%s\"", first);
    assert_string_equal(get(client, iterator(client, SHARD_0, at), 9), "a b");
    assert_string_equal(get(client, iterator(client, SHARD_0, after), 9), "b");
    assert_string_equal(get(client, iterator(client, SHARD_0, when), 9), "b");
    assert_string_equal(get(client, iterator(client, SHARD_0, "\"LATEST\""), 9),
                        "");
    assert_null(iterator(client, SHARD_1, at));
    assert_string_equal(client->code, "InvalidArgumentException");
    assert_null(iterator(client, SHARD_0, "\"SOMEWHERE\""));
    assert_string_equal(client->code, "ValidationException");
}

static void test_iterator_expires_after_five_minutes(void **state)
{
    struct local_client *client = *state;
    char *old = iterator(client, SHARD_0, "\"LATEST\"");

    local_client_advance(client, 5 * 60 * 1000 + 1);
    get(client, old, 1);
    assert_string_equal(client->code, "ExpiredIteratorException");
}

static void test_garbage_iterator_is_refused(void **state)
{
    struct local_client *client = *state;

    get(client, mem_strdup("garbage"), 1);
    assert_string_equal(client->code, "InvalidArgumentException");
}

static void test_split_ends_the_parent(void **state)
{
    struct local_client *client = *state;
    const json_t *children;

    put_some(client, 2);
    (void)local_client_kinesis(client, "SplitShard",
                               "{\"StreamName\":\"s\",\"ShardToSplit\":\"%s\","
                               "\"NewStartingHashKey\":\"1000\"}",
                               SHARD_0);
    assert_int_equal(client->status, 200);
    free(put(client, "after", 0));
    assert_string_equal(
        get(client, iterator(client, SHARD_0, "\"TRIM_HORIZON\""), 10),
        "k0 k1");
    assert_null(json_object_get(client->json, "NextShardIterator"));
    children = json_object_get(client->json, "ChildShards");
    assert_int_equal(json_array_size(children), 2);
    assert_string_equal(local_client_each(client, "ChildShards", "ShardId"),
                        "shardId-000000000002 shardId-000000000003");
    assert_string_equal(
        get(client,
            iterator(client, "shardId-000000000002", "\"TRIM_HORIZON\""), 10),
        "after");
    assert_null(iterator(client, "shardId-000000000009", "\"LATEST\""));
    assert_string_equal(client->code, "ResourceNotFoundException");
}

static void test_merge_names_both_parents(void **state)
{
    struct local_client *client = *state;
    const json_t *shard;

    (void)local_client_kinesis(client, "MergeShards",
                               "{\"StreamName\":\"s\",\"ShardToMerge\":\"%s\","
                               "\"AdjacentShardToMerge\":\"%s\"}",
                               SHARD_0, SHARD_1);
    assert_int_equal(client->status, 200);
    (void)local_client_kinesis(client, "ListShards", "{\"StreamName\":\"s\"}");
    shard = json_array_get(json_object_get(client->json, "Shards"), 2);
    assert_string_equal(
        json_string_value(json_object_get(shard, "ParentShardId")), SHARD_0);
    assert_string_equal(
        json_string_value(json_object_get(shard, "AdjacentParentShardId")),
        SHARD_1);
    (void)local_client_kinesis(client, "MergeShards",
                               "{\"StreamName\":\"s\",\"ShardToMerge\":\"%s\","
                               "\"AdjacentShardToMerge\":\"%s\"}",
                               SHARD_0, SHARD_1);
    assert_string_equal(client->code, "InvalidArgumentException");
}

static void test_update_shard_count(void **state)
{
    struct local_client *client = *state;

    (void)local_client_kinesis(client, "UpdateShardCount",
                               "{\"StreamName\":\"s\",\"TargetShardCount\":3,"
                               "\"ScalingType\":\"UNIFORM_SCALING\"}");
    assert_int_equal(client->status, 200);
    (void)local_client_kinesis(client, "DescribeStreamSummary",
                               "{\"StreamName\":\"s\"}");
    assert_int_equal(
        json_integer_value(json_object_get(
            json_object_get(client->json, "StreamDescriptionSummary"),
            "OpenShardCount")),
        3);
    (void)local_client_kinesis(client, "UpdateShardCount",
                               "{\"StreamName\":\"s\",\"TargetShardCount\":7,"
                               "\"ScalingType\":\"UNIFORM_SCALING\"}");
    assert_string_equal(client->code, "InvalidArgumentException");
}

static const char *shards(struct local_client *client, const char *more)
{
    (void)local_client_kinesis(client, "ListShards", "{\"StreamName\":\"s\"%s}",
                               more);
    return local_client_each(client, "Shards", "ShardId");
}

static void test_shards_by_filter(void **state)
{
    struct local_client *client = *state;

    local_client_advance(client, 1000);
    (void)local_client_kinesis(client, "MergeShards",
                               "{\"StreamName\":\"s\",\"ShardToMerge\":\"%s\","
                               "\"AdjacentShardToMerge\":\"%s\"}",
                               SHARD_0, SHARD_1);
    assert_string_equal(shards(client, ""),
                        SHARD_0 " " SHARD_1 " shardId-000000000002");
    assert_string_equal(
        shards(client, ",\"ShardFilter\":{\"Type\":\"AT_LATEST\"}"),
        "shardId-000000000002");
    assert_string_equal(
        shards(client, ",\"ShardFilter\":{\"Type\":\"AT_TRIM_HORIZON\"}"),
        SHARD_0 " " SHARD_1);
    assert_string_equal(
        shards(client, ",\"ShardFilter\":{\"Type\":\"FROM_TRIM_HORIZON\"}"),
        SHARD_0 " " SHARD_1 " shardId-000000000002");
    assert_string_equal(shards(client,
                               ",\"ShardFilter\":{\"Type\":\"AFTER_SHARD_ID\","
                               "\"ShardId\":\"" SHARD_0 "\"}"),
                        SHARD_1 " shardId-000000000002");
    assert_string_equal(
        shards(client, ",\"ExclusiveStartShardId\":\"" SHARD_1 "\""),
        "shardId-000000000002");
    shards(client, ",\"ShardFilter\":{\"Type\":\"AT_TIMESTAMP\"}");
    assert_string_equal(client->code, "InvalidArgumentException");
    // A day later the closed ones are gone.
    local_client_advance(client, 24 * 3600 * 1000 + 1000);
    assert_string_equal(shards(client, ""), "shardId-000000000002");
}

static void test_shards_in_pages(void **state)
{
    struct local_client *client = *state;
    AUTO_FREE char *token = NULL;

    assert_string_equal(shards(client, ",\"MaxResults\":1"), SHARD_0);
    token = mem_strdup(
        json_string_value(json_object_get(client->json, "NextToken")));
    (void)local_client_kinesis(
        client, "ListShards", "{\"NextToken\":\"%s\",\"MaxResults\":1}", token);
    assert_string_equal(local_client_each(client, "Shards", "ShardId"),
                        SHARD_1);
    assert_null(json_object_get(client->json, "NextToken"));
    (void)local_client_kinesis(client, "ListShards",
                               "{\"NextToken\":\"%s\",\"StreamName\":\"s\"}",
                               token);
    assert_string_equal(client->code, "InvalidArgumentException");
    local_client_advance(client, 300 * 1000 + 1);
    (void)local_client_kinesis(client, "ListShards", "{\"NextToken\":\"%s\"}",
                               token);
    assert_string_equal(client->code, "ExpiredNextTokenException");
}

static void test_records_end_with_retention(void **state)
{
    struct local_client *client = *state;

    put_some(client, 2);
    local_client_advance(client, 24 * 3600 * 1000 + 1);
    free(put(client, "young", 0));
    assert_string_equal(
        get(client, iterator(client, SHARD_0, "\"TRIM_HORIZON\""), 10),
        "young");
    (void)local_client_kinesis(
        client, "IncreaseStreamRetentionPeriod",
        "{\"StreamName\":\"s\",\"RetentionPeriodHours\":48}");
    assert_int_equal(client->status, 200);
    local_client_advance(client, 24 * 3600 * 1000 + 1);
    assert_string_equal(
        get(client, iterator(client, SHARD_0, "\"TRIM_HORIZON\""), 10),
        "young");
}

static void test_batch_keeps_its_order(void **state)
{
    struct local_client *client = *state;
    struct buffer body;

    buffer_init(&body, 1 << 20);
    buffer_append_text(&body, "{\"StreamARN\":\"arn:aws:kinesis:us-east-1:"
                              "000000000000:stream/s\",\"Records\":[");
    for (int i = 0; i < 500; i++)
        buffer_printf(&body,
                      "%s{\"Data\":\"eA==\",\"PartitionKey\":\"%d\","
                      "\"ExplicitHashKey\":\"0\"}",
                      i ? "," : "", i);
    buffer_append_text(&body, "]}");
    (void)local_client_kinesis(client, "PutRecords", "%s", buffer_text(&body));
    assert_int_equal(client->status, 200);
    assert_int_equal(json_array_size(json_object_get(client->json, "Records")),
                     500);
    assert_memory_equal(
        get(client, iterator(client, SHARD_0, "\"TRIM_HORIZON\""), 10000),
        "0 1 2 3 4 5 6 7 8 9 10 11 ", 26);
    buffer_finish(&body);
}

static void put_data(struct local_client *client, const char *data)
{
    (void)local_client_kinesis(
        client, "PutRecord",
        "{\"StreamName\":\"s\",\"Data\":\"%s\",\"PartitionKey\":\"k\","
        "\"ExplicitHashKey\":\"0\"}",
        data);
}

static void test_page_ends_at_ten_mebibytes(void **state)
{
    struct local_client *client = *state;
    size_t size = 1398000; // 1,048,500 bytes decoded
    AUTO_FREE char *data = mem_calloc(1, size + 1);

    memset(data, 'A', size);
    for (int i = 0; i < 12; i++)
        put_data(client, data);
    assert_int_equal(client->status, 200);
    get(client, iterator(client, SHARD_0, "\"TRIM_HORIZON\""), 10000);
    assert_int_equal(json_array_size(json_object_get(client->json, "Records")),
                     10);
    get(client, next(client), 10000);
    assert_int_equal(json_array_size(json_object_get(client->json, "Records")),
                     2);
}

static void test_large_records_when_the_stream_allows(void **state)
{
    struct local_client *client = *state;
    size_t size = 4 * 3 << 20; // nine mebibytes decoded
    AUTO_FREE char *data = mem_calloc(1, size + 1);

    memset(data, 'A', size);
    put_data(client, data);
    assert_string_equal(client->code, "ValidationException");
    (void)local_client_kinesis(
        client, "UpdateMaxRecordSize",
        "{\"StreamARN\":\"arn:aws:kinesis:us-east-1:000000000000:stream/s\","
        "\"MaxRecordSizeInKiB\":10240}");
    assert_int_equal(client->status, 200);
    put_data(client, data);
    assert_int_equal(client->status, 200);
}

static void test_cbor_both_ways(void **state)
{
    struct local_client *client = *state;
    struct buffer body;
    struct bytes answer;
    AUTO_FREE char *from = NULL;

    buffer_init(&body, 4096);
    cbor_put_map(&body, 2);
    cbor_put_text(&body, BYTES("StreamName"));
    cbor_put_text(&body, BYTES("s"));
    cbor_put_text(&body, BYTES("Records"));
    cbor_put_array(&body, 1);
    cbor_put_map(&body, 3);
    cbor_put_text(&body, BYTES("Data"));
    cbor_put_bytes(&body, BYTES("\x00\xff raw"));
    cbor_put_text(&body, BYTES("PartitionKey"));
    cbor_put_text(&body, BYTES("k"));
    cbor_put_text(&body, BYTES("ExplicitHashKey"));
    cbor_put_text(&body, BYTES("0"));
    answer = local_client_cbor(client, "PutRecords", buffer_bytes(&body));
    assert_int_equal(client->status, 200);
    assert_memory_equal(answer.data, "\xbf\x67Records\x9f\xbf", 11);

    from = iterator(client, SHARD_0, "\"TRIM_HORIZON\"");
    buffer_clear(&body);
    cbor_put_map(&body, 1);
    cbor_put_text(&body, BYTES("ShardIterator"));
    cbor_put_text(&body, bytes_of(from));
    answer = local_client_cbor(client, "GetRecords", buffer_bytes(&body));
    assert_non_null(memmem(answer.data, answer.size,
                           "\x64"
                           "Data\x46\x00\xff raw",
                           12));
    assert_non_null(memmem(answer.data, answer.size,
                           "ApproximateArrivalTimestamp\xc1\x1b", 29));
    assert_contains(buffer_text(&client->head), "application/x-amz-cbor-1.1");
    buffer_finish(&body);
}

static void test_cbor_errors_are_cbor(void **state)
{
    struct local_client *client = *state;
    struct bytes answer = local_client_cbor(
        client, "GetRecords", BYTES("\xa1\x6dShardIterator\x61x"));

    assert_int_equal(client->status, 400);
    assert_memory_equal(answer.data,
                        "\xbf\x66__type\x78\x18InvalidArgumentException", 34);
    answer = local_client_cbor(client, "GetRecords", BYTES("\xbf\x61"));
    assert_non_null(
        memmem(answer.data, answer.size, "SerializationException", 22));
}

static void test_streams_are_listed_described_deleted(void **state)
{
    struct local_client *client = *state;
    const json_t *streams;

    for (int i = 0; i < 3; i++)
        (void)local_client_kinesis(
            client, "CreateStream",
            "{\"StreamName\":\"list-%d\",\"StreamModeDetails\":"
            "{\"StreamMode\":\"ON_DEMAND\"}}",
            i);
    (void)local_client_kinesis(client, "ListStreams", "{\"Limit\":2}");
    streams = json_object_get(client->json, "StreamNames");
    assert_int_equal(json_array_size(streams), 2);
    assert_true(json_is_true(json_object_get(client->json, "HasMoreStreams")));
    (void)local_client_kinesis(client, "DescribeStream",
                               "{\"StreamName\":\"list-1\",\"Limit\":3}");
    streams = json_object_get(client->json, "StreamDescription");
    assert_int_equal(json_array_size(json_object_get(streams, "Shards")), 3);
    assert_true(json_is_true(json_object_get(streams, "HasMoreShards")));
    (void)local_client_kinesis(
        client, "SplitShard",
        "{\"StreamName\":\"list-1\",\"ShardToSplit\":\"%s\","
        "\"NewStartingHashKey\":\"9\"}",
        SHARD_0);
    assert_string_equal(client->code, "ValidationException");
    (void)local_client_kinesis(client, "DeleteStream",
                               "{\"StreamName\":\"list-1\"}");
    (void)local_client_kinesis(client, "DescribeStream",
                               "{\"StreamName\":\"list-1\"}");
    assert_string_equal(client->code, "ResourceNotFoundException");
}

static struct refusal_case {
    const char *name, *operation, *body, *code;
} refusals[] = {
    {"stream exists", "CreateStream", "{\"StreamName\":\"s\",\"ShardCount\":1}",
     "ResourceInUseException"},
    {"no shards", "CreateStream", "{\"StreamName\":\"t\"}",
     "ValidationException"},
    {"bad name", "CreateStream", "{\"StreamName\":\"a b\",\"ShardCount\":1}",
     "ValidationException"},
    {"no stream named", "ListShards", "{}", "ValidationException"},
    {"no such stream", "ListShards", "{\"StreamName\":\"none\"}",
     "ResourceNotFoundException"},
    {"no key", "PutRecord", "{\"StreamName\":\"s\",\"Data\":\"eA==\"}",
     "ValidationException"},
    {"no data", "PutRecord", "{\"StreamName\":\"s\",\"PartitionKey\":\"k\"}",
     "ValidationException"},
    {"not base64", "PutRecord",
     "{\"StreamName\":\"s\",\"PartitionKey\":\"k\",\"Data\":\"!\"}",
     "SerializationException"},
    {"hash key too large", "PutRecord",
     "{\"StreamName\":\"s\",\"PartitionKey\":\"k\",\"Data\":\"eA==\","
     "\"ExplicitHashKey\":\"340282366920938463463374607431768211456\"}",
     "InvalidArgumentException"},
    {"no records", "PutRecords", "{\"StreamName\":\"s\",\"Records\":[]}",
     "ValidationException"},
    {"limit out of range", "GetRecords",
     "{\"ShardIterator\":\"x\",\"Limit\":10001}", "InvalidArgumentException"},
    {"split at the start", "SplitShard",
     "{\"StreamName\":\"s\",\"ShardToSplit\":\"" SHARD_0
     "\",\"NewStartingHashKey\":\"0\"}",
     "InvalidArgumentException"},
    {"merge with itself", "MergeShards",
     "{\"StreamName\":\"s\",\"ShardToMerge\":\"" SHARD_0
     "\",\"AdjacentShardToMerge\":\"" SHARD_0 "\"}",
     "InvalidArgumentException"},
    {"less retention than there is", "IncreaseStreamRetentionPeriod",
     "{\"StreamName\":\"s\",\"RetentionPeriodHours\":23}",
     "ValidationException"},
};

static void test_refusal(void **state)
{
    const struct refusal_case *c = *state;
    void *client;

    set_up(&client);
    (void)local_client_kinesis(client, c->operation, "%s", c->body);
    assert_string_equal(((struct local_client *)client)->code, c->code);
    assert_int_equal(((struct local_client *)client)->status, 400);
    tear_down(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_put_and_get_in_pages),
        TEST(test_record_comes_back_as_it_was_put),
        TEST(test_every_kind_of_iterator),
        TEST(test_iterator_expires_after_five_minutes),
        TEST(test_garbage_iterator_is_refused),
        TEST(test_split_ends_the_parent),
        TEST(test_merge_names_both_parents),
        TEST(test_update_shard_count),
        TEST(test_shards_by_filter),
        TEST(test_shards_in_pages),
        TEST(test_records_end_with_retention),
        TEST(test_batch_keeps_its_order),
        TEST(test_page_ends_at_ten_mebibytes),
        TEST(test_large_records_when_the_stream_allows),
        TEST(test_cbor_both_ways),
        TEST(test_cbor_errors_are_cbor),
        TEST(test_streams_are_listed_described_deleted),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL) +
           run_table("refusals", refusals, test_refusal);
}
