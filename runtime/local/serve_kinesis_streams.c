#include <stdlib.h>

#include "local/serve_kinesis.h"
#include "local/server.h"

#define SHARDS_LIMIT 10000
#define NAME_LIMIT 128

bool serve_kinesis_check_name(struct request *request, const char *what,
                              struct bytes name)
{
    bool good = name.size >= 1 && name.size <= NAME_LIMIT;

    for (size_t i = 0; good && i < name.size; i++) {
        char c = name.data[i];

        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    }
    if (!good)
        (void)request_fail(request, API_VALIDATION,
                           "1 validation error detected: Value '%.*s' at "
                           "'%s' failed to satisfy constraint: Member must "
                           "satisfy regular expression pattern: "
                           "[a-zA-Z0-9_.-]+",
                           BYTES_ARGS(name), what);
    return good;
}

static bool is_on_demand(const struct kinesis_input *in)
{
    return bytes_equal(in->mode.mode, BYTES("ON_DEMAND"));
}

// An on-demand stream starts with four shards.
static bool check_shard_count(struct request *request, int64_t *count)
{
    const struct kinesis_input *in = serve_kinesis_input(request);

    *count = in->shard_count.value;
    if (is_on_demand(in)) {
        *count = 4;
        return true;
    }
    return serve_kinesis_check_range(request, "shardCount", &in->shard_count, 1,
                                     SHARDS_LIMIT);
}

static bool check_record_size(struct request *request)
{
    return serve_kinesis_check_range(request, "maxRecordSizeInKiB",
                                     &serve_kinesis_input(request)->record_kib,
                                     1024, 10240);
}

enum step serve_kinesis_create_stream(struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    struct server *server = request->server;
    struct stream *stream;
    int64_t count;

    if (!serve_kinesis_check_name(request, "streamName", in->name) ||
        !check_shard_count(request, &count) ||
        (in->record_kib.given && !check_record_size(request)))
        return STEP_REPLY;
    if (server_stream(server, in->name))
        return request_fail(request, API_RESOURCE_IN_USE,
                            "Stream %.*s under account %s already exists.",
                            BYTES_ARGS(in->name), server->account);
    stream = stream_create(in->name, ++server->last_id, (unsigned)count,
                           server->now_ms);
    stream->on_demand = is_on_demand(in);
    if (in->record_kib.given)
        stream->record_limit = (size_t)in->record_kib.value << 10;
    server_add_stream(server, stream);
    return STEP_REPLY;
}

enum step serve_kinesis_delete_stream(struct request *request)
{
    struct stream *stream = serve_kinesis_stream(request);

    uint32_t id = stream ? stream->id : 0;

    if (!stream)
        return STEP_REPLY;
    server_remove_stream(request->server, stream);
    serve_kinesis_wake(request->server, id);
    return STEP_REPLY;
}

static void write_mode(struct writer *writer, const struct stream *stream)
{
    writer_open(writer, "StreamModeDetails");
    writer_text(writer, "StreamMode",
                bytes_of(stream->on_demand ? "ON_DEMAND" : "PROVISIONED"));
    writer_close(writer, "StreamModeDetails");
}

static void write_description(struct request *request,
                              const struct stream *stream)
{
    struct writer *writer = &request->writer;

    writer_text(writer, "StreamName", bytes_of(stream->name));
    writer_text(writer, "StreamARN",
                bytes_of(serve_kinesis_arn(request, stream)));
    writer_text(writer, "StreamStatus", BYTES("ACTIVE"));
    write_mode(writer, stream);
    writer_int(writer, "RetentionPeriodHours", stream->retention_h);
    writer_time_ms(writer, "StreamCreationTimestamp", stream->created_ms);
    writer_list(writer, "EnhancedMonitoring");
    writer_item(writer, NULL);
    writer_list(writer, "ShardLevelMetrics");
    writer_list_end(writer);
    writer_item_end(writer, NULL);
    writer_list_end(writer);
    writer_text(writer, "EncryptionType", BYTES("NONE"));
    writer_int(writer, "MaxRecordSizeInKiB",
               (int64_t)stream->record_limit >> 10);
}

enum step serve_kinesis_describe_stream_summary(struct request *request)
{
    const struct stream *stream = serve_kinesis_stream(request);
    struct writer *writer = &request->writer;

    if (!stream)
        return STEP_REPLY;
    writer_open(writer, "StreamDescriptionSummary");
    write_description(request, stream);
    writer_int(writer, "OpenShardCount", stream_open_count(stream));
    writer_int(writer, "ConsumerCount", (int64_t)stream->consumers.count);
    writer_close(writer, "StreamDescriptionSummary");
    return STEP_REPLY;
}

// True when there were more.
static bool write_shards(struct request *request, const struct stream *stream,
                         struct bytes after, int64_t limit)
{
    const char *start = arena_copy(&request->arena, after);

    for (uint32_t i = 0; i < stream->count; i++) {
        const struct shard *shard = stream->shards[i];

        if (strcmp(shard->id, start) <= 0 ||
            !stream_keeps_shard(stream, shard, request->server->now_ms))
            continue;
        if (limit-- == 0)
            return true;
        serve_kinesis_write_shard(request, shard);
    }
    return false;
}

enum step serve_kinesis_describe_stream(struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    const struct stream *stream = serve_kinesis_stream(request);
    struct writer *writer = &request->writer;
    bool more;

    if (!stream || (in->limit.given &&
                    !serve_kinesis_check_range(request, "limit", &in->limit, 1,
                                               KINESIS_PAGE_LIMIT)))
        return STEP_REPLY;
    writer_open(writer, "StreamDescription");
    write_description(request, stream);
    writer_list(writer, "Shards");
    more = write_shards(request, stream, in->after_shard,
                        in->limit.given ? in->limit.value : 100);
    writer_list_end(writer);
    writer_bool(writer, "HasMoreShards", more);
    writer_close(writer, "StreamDescription");
    return STEP_REPLY;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct stream *const *)a)->name,
                  (*(struct stream *const *)b)->name);
}

// Sorted: the token of a page is the last name on it.
static void collect(struct request *request, struct bytes after,
                    struct vector *found)
{
    const struct map *streams = &request->server->streams;
    const char *name = arena_copy(&request->arena, after);

    for (size_t i = 0; i < streams->size; i++)
        for (struct map_node *node = streams->buckets[i]; node;
             node = node->next) {
            struct stream *stream = LIST_ITEM(node, struct stream, node);

            if (strcmp(stream->name, name) > 0)
                *(struct stream **)vector_add(found, &request->arena,
                                              sizeof(struct stream *)) = stream;
        }
    if (found->count)
        qsort(found->items, found->count, sizeof(struct stream *), by_name);
}

static void write_summary(struct request *request, const struct stream *stream)
{
    struct writer *writer = &request->writer;

    writer_item(writer, NULL);
    writer_text(writer, "StreamName", bytes_of(stream->name));
    writer_text(writer, "StreamARN",
                bytes_of(serve_kinesis_arn(request, stream)));
    writer_text(writer, "StreamStatus", BYTES("ACTIVE"));
    write_mode(writer, stream);
    writer_time_ms(writer, "StreamCreationTimestamp", stream->created_ms);
    writer_item_end(writer, NULL);
}

enum step serve_kinesis_list_streams(struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    struct writer *writer = &request->writer;
    size_t limit = in->limit.given ? (size_t)in->limit.value : 100, count;
    struct vector found = {0};
    struct stream **streams;

    if (in->limit.given &&
        !serve_kinesis_check_range(request, "limit", &in->limit, 1,
                                   KINESIS_PAGE_LIMIT))
        return STEP_REPLY;
    collect(request, in->next_token.data ? in->next_token : in->after_stream,
            &found);
    streams = found.items;
    count = found.count < limit ? found.count : limit;
    writer_list(writer, "StreamNames");
    for (size_t i = 0; i < count; i++)
        writer_item_text(writer, NULL, bytes_of(streams[i]->name));
    writer_list_end(writer);
    writer_bool(writer, "HasMoreStreams", count < found.count);
    if (count < found.count)
        writer_text(writer, "NextToken", bytes_of(streams[count - 1]->name));
    writer_list(writer, "StreamSummaries");
    for (size_t i = 0; i < count; i++)
        write_summary(request, streams[i]);
    writer_list_end(writer);
    return STEP_REPLY;
}

static enum step set_retention(struct request *request, bool longer)
{
    const struct input_int *hours = &serve_kinesis_input(request)->hours;
    struct stream *stream = serve_kinesis_stream(request);

    if (!stream || !serve_kinesis_check_range(request, "retentionPeriodHours",
                                              hours, 24, 8760))
        return STEP_REPLY;
    if (longer ? hours->value < stream->retention_h
               : hours->value > stream->retention_h)
        return request_fail(request, API_INVALID_ARGUMENT,
                            "Requested retention period (%lld hours) must be "
                            "%s than the current one (%lld hours)",
                            (long long)hours->value,
                            longer ? "longer" : "shorter",
                            (long long)stream->retention_h);
    stream->retention_h = hours->value;
    return STEP_REPLY;
}

enum step serve_kinesis_increase_retention(struct request *request)
{
    return set_retention(request, true);
}

enum step serve_kinesis_decrease_retention(struct request *request)
{
    return set_retention(request, false);
}

enum step serve_kinesis_update_record_size(struct request *request)
{
    struct stream *stream = serve_kinesis_stream(request);

    if (stream && check_record_size(request))
        stream->record_limit =
            (size_t)serve_kinesis_input(request)->record_kib.value << 10;
    return STEP_REPLY;
}
