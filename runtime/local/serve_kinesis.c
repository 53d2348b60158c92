#include "local/serve_kinesis.h"

#include "local/server.h"
#include "local/services.h"

#define IN struct kinesis_input
#define FIELD(type_, struct_, member_) (type_), offsetof(struct_, member_), NULL
#define NESTED(type_, struct_, member_, nested_) \
    (type_), offsetof(struct_, member_), &(nested_)

static const struct input_field record_fields[] = {
    {"Data", NULL, FIELD(INPUT_BLOB, struct kinesis_record, data)},
    {"PartitionKey", NULL, FIELD(INPUT_TEXT, struct kinesis_record, key)},
    {"ExplicitHashKey", NULL,
     FIELD(INPUT_TEXT, struct kinesis_record, hash_key)},
};
static const struct input_fields record_input =
    INPUT_FIELDS(record_fields, struct kinesis_record);

static const struct input_field filter_fields[] = {
    {"Type", NULL, FIELD(INPUT_TEXT, struct kinesis_filter, type)},
    {"ShardId", NULL, FIELD(INPUT_TEXT, struct kinesis_filter, shard)},
    {"Timestamp", NULL, FIELD(INPUT_TIME, struct kinesis_filter, time)},
};
static const struct input_fields filter_input =
    INPUT_FIELDS(filter_fields, struct kinesis_filter);

static const struct input_field mode_fields[] = {
    {"StreamMode", NULL, FIELD(INPUT_TEXT, struct kinesis_mode, mode)},
};
static const struct input_fields mode_input =
    INPUT_FIELDS(mode_fields, struct kinesis_mode);

static const struct input_field start_fields[] = {
    {"Type", NULL, FIELD(INPUT_TEXT, struct kinesis_start, type)},
    {"SequenceNumber", NULL, FIELD(INPUT_TEXT, struct kinesis_start, sequence)},
    {"Timestamp", NULL, FIELD(INPUT_TIME, struct kinesis_start, time)},
};
static const struct input_fields start_input =
    INPUT_FIELDS(start_fields, struct kinesis_start);

static const struct input_field serve_kinesis_fields[] = {
    {"ShardIterator", NULL, FIELD(INPUT_TEXT, IN, iterator)},
    {"Limit", NULL, FIELD(INPUT_INT, IN, limit)},
    {"StreamName", NULL, FIELD(INPUT_TEXT, IN, name)},
    {"StreamARN", NULL, FIELD(INPUT_TEXT, IN, arn)},
    {"Records", NULL, NESTED(INPUT_OBJECTS, IN, records, record_input)},
    {"Data", NULL, FIELD(INPUT_BLOB, IN, record.data)},
    {"PartitionKey", NULL, FIELD(INPUT_TEXT, IN, record.key)},
    {"ExplicitHashKey", NULL, FIELD(INPUT_TEXT, IN, record.hash_key)},
    {"ShardId", NULL, FIELD(INPUT_TEXT, IN, shard)},
    {"ShardIteratorType", NULL, FIELD(INPUT_TEXT, IN, start.type)},
    {"StartingSequenceNumber", NULL, FIELD(INPUT_TEXT, IN, start.sequence)},
    {"Timestamp", NULL, FIELD(INPUT_TIME, IN, start.time)},
    {"StartingPosition", NULL, NESTED(INPUT_OBJECT, IN, start, start_input)},
    {"ConsumerName", NULL, FIELD(INPUT_TEXT, IN, consumer)},
    {"ConsumerARN", NULL, FIELD(INPUT_TEXT, IN, consumer_arn)},
    {"MaxResults", NULL, FIELD(INPUT_INT, IN, max_results)},
    {"NextToken", NULL, FIELD(INPUT_TEXT, IN, next_token)},
    {"ExclusiveStartShardId", NULL, FIELD(INPUT_TEXT, IN, after_shard)},
    {"ExclusiveStartStreamName", NULL, FIELD(INPUT_TEXT, IN, after_stream)},
    {"ShardFilter", NULL, NESTED(INPUT_OBJECT, IN, filter, filter_input)},
    {"StreamModeDetails", NULL, NESTED(INPUT_OBJECT, IN, mode, mode_input)},
    {"ShardCount", NULL, FIELD(INPUT_INT, IN, shard_count)},
    {"TargetShardCount", NULL, FIELD(INPUT_INT, IN, target_count)},
    {"ScalingType", NULL, FIELD(INPUT_TEXT, IN, scaling_type)},
    {"RetentionPeriodHours", NULL, FIELD(INPUT_INT, IN, hours)},
    {"MaxRecordSizeInKiB", NULL, FIELD(INPUT_INT, IN, record_kib)},
    {"ShardToSplit", NULL, FIELD(INPUT_TEXT, IN, split_shard)},
    {"NewStartingHashKey", NULL, FIELD(INPUT_TEXT, IN, split_key)},
    {"ShardToMerge", NULL, FIELD(INPUT_TEXT, IN, merge_shard)},
    {"AdjacentShardToMerge", NULL, FIELD(INPUT_TEXT, IN, merge_adjacent)},
    {"Tags", NULL, FIELD(INPUT_PAIRS, IN, tags)},
};
#undef IN
static const struct input_fields serve_kinesis_input_fields =
    INPUT_FIELDS(serve_kinesis_fields, struct kinesis_input);

static const struct operation serve_kinesis_operations[] = {
    {"GetRecords", serve_kinesis_get_records},
    {"PutRecords", serve_kinesis_put_records},
    {"PutRecord", serve_kinesis_put_record},
    {"GetShardIterator", serve_kinesis_get_shard_iterator},
    {"ListShards", serve_kinesis_list_shards},
    {"DescribeStreamSummary", serve_kinesis_describe_stream_summary},
    {"DescribeStream", serve_kinesis_describe_stream},
    {"ListStreams", serve_kinesis_list_streams},
    {"CreateStream", serve_kinesis_create_stream},
    {"DeleteStream", serve_kinesis_delete_stream},
    {"SplitShard", serve_kinesis_split_shard},
    {"MergeShards", serve_kinesis_merge_shards},
    {"UpdateShardCount", serve_kinesis_update_shard_count},
    {"IncreaseStreamRetentionPeriod", serve_kinesis_increase_retention},
    {"DecreaseStreamRetentionPeriod", serve_kinesis_decrease_retention},
    {"UpdateMaxRecordSize", serve_kinesis_update_record_size},
    {"RegisterStreamConsumer", serve_kinesis_register_consumer},
    {"DeregisterStreamConsumer", serve_kinesis_deregister_consumer},
    {"DescribeStreamConsumer", serve_kinesis_describe_consumer},
    {"ListStreamConsumers", serve_kinesis_list_consumers},
    {"SubscribeToShard", serve_kinesis_subscribe},
};

// arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, or of a consumer:
// ...:stream/NAME/consumer/CONSUMER:CREATED
static struct bytes name_in_arn(struct bytes arn)
{
    const char *slash = arn.size ? memchr(arn.data, '/', arn.size) : NULL;
    const char *end = arn.data + arn.size, *next;

    if (!slash)
        return (struct bytes){0};
    next = memchr(slash + 1, '/', (size_t)(end - slash - 1));
    return (struct bytes){slash + 1, (size_t)((next ? next : end) - slash - 1)};
}

static struct bytes serve_kinesis_resource(const struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    struct bytes name = in->name.data ? in->name : name_in_arn(in->arn);

    if (!name.data)
        name = name_in_arn(in->consumer_arn);

    return name.data ? name : serve_kinesis_resource_of_iterator(request);
}

const struct service serve_kinesis_service = {
    .target = "Kinesis_20131202.",
    .json_type = "application/x-amz-json-1.1",
    .error_prefix = "",
    .empty_bodies = true,
    .operations = serve_kinesis_operations,
    .count =
        sizeof(serve_kinesis_operations) / sizeof(serve_kinesis_operations[0]),
    .input = &serve_kinesis_input_fields,
    .resource = serve_kinesis_resource,
};

struct stream *serve_kinesis_stream(struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    struct stream *stream;

    if (!in->name.size && !in->arn.size && !in->consumer_arn.size) {
        (void)request_fail(request, API_VALIDATION,
                           "Missing StreamName or StreamARN parameter.");
        return NULL;
    }
    stream = server_stream(request->server, request->resource);
    if (!stream)
        (void)request_fail(request, API_RESOURCE_NOT_FOUND,
                           "Stream %.*s under account %s not found.",
                           BYTES_ARGS(request->resource),
                           request->server->account);
    return stream;
}

struct shard *serve_kinesis_shard(struct request *request,
                                  const struct stream *stream, struct bytes id)
{
    struct shard *shard =
        stream_find_shard(stream, id, request->server->now_ms);

    if (!shard)
        (void)request_fail(request, API_RESOURCE_NOT_FOUND,
                           "Could not find shard %.*s in stream %s under "
                           "account %s.",
                           BYTES_ARGS(id), stream->name,
                           request->server->account);
    return shard;
}

const char *serve_kinesis_arn(struct request *request,
                              const struct stream *stream)
{
    const struct server *server = request->server;

    return arena_printf(&request->arena, "arn:aws:kinesis:%s:%s:stream/%s",
                        server->region, server->account, stream->name);
}

bool serve_kinesis_check_range(struct request *request, const char *name,
                               const struct input_int *value, int64_t least,
                               int64_t most)
{
    if (value->given && value->value >= least && value->value <= most)
        return true;
    (void)request_fail(request, API_VALIDATION,
                       "1 validation error detected: Value at '%s' failed to "
                       "satisfy constraint: Member must have value between "
                       "%lld and %lld",
                       name, (long long)least, (long long)most);
    return false;
}

void serve_kinesis_write_range(struct request *request,
                               const struct shard *shard)
{
    struct writer *writer = &request->writer;
    char text[HASH_KEY_TEXT];

    writer_open(writer, "HashKeyRange");
    hash_key_write(shard->first, text);
    writer_text(writer, "StartingHashKey", bytes_of(text));
    hash_key_write(shard->last, text);
    writer_text(writer, "EndingHashKey", bytes_of(text));
    writer_close(writer, "HashKeyRange");
}

static void write_parent(struct request *request, const char *name,
                         uint32_t index)
{
    if (index == SHARD_NONE)
        return;
    writer_text(
        &request->writer, name,
        bytes_of(arena_printf(&request->arena, "shardId-%012u", index)));
}

void serve_kinesis_write_shard(struct request *request,
                               const struct shard *shard)
{
    struct writer *writer = &request->writer;
    char sequence[SHARD_SEQUENCE_SIZE + 1];

    writer_item(writer, NULL);
    writer_text(writer, "ShardId", bytes_of(shard->id));
    write_parent(request, "ParentShardId", shard->parent);
    write_parent(request, "AdjacentParentShardId", shard->adjacent);
    serve_kinesis_write_range(request, shard);
    writer_open(writer, "SequenceNumberRange");
    shard_sequence(shard, shard->opened_serial, sequence);
    writer_text(writer, "StartingSequenceNumber", bytes_of(sequence));
    if (shard->closed_ms) {
        shard_sequence(shard, shard->closed_serial, sequence);
        writer_text(writer, "EndingSequenceNumber", bytes_of(sequence));
    }
    writer_close(writer, "SequenceNumberRange");
    writer_item_end(writer, NULL);
}
