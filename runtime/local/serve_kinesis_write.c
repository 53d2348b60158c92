#include "base/digest.h"
#include "local/fault.h"
#include "local/serve_kinesis.h"
#include "local/server.h"

#define RECORDS_LIMIT 500
#define RECORDS_BYTES (10u << 20)
#define KEY_LIMIT 256

static bool missing(struct request *request, const char *name)
{
    (void)request_fail(request, API_VALIDATION,
                       "1 validation error detected: Value null at '%s' "
                       "failed to satisfy constraint: Member must not be null",
                       name);
    return false;
}

static bool check_size(struct request *request, const struct stream *stream,
                       const struct kinesis_record *record)
{
    if (record->key.size < 1 || record->key.size > KEY_LIMIT) {
        (void)request_fail(request, API_VALIDATION,
                           "1 validation error detected: Value at "
                           "'partitionKey' failed to satisfy constraint: "
                           "Member must have length between 1 and %d",
                           KEY_LIMIT);
        return false;
    }
    if (record->data.size + record->key.size <= stream->record_limit)
        return true;
    (void)request_fail(request, API_VALIDATION,
                       "1 validation error detected: Value at 'data' failed "
                       "to satisfy constraint: Member must have length less "
                       "than or equal to %zu",
                       stream->record_limit);
    return false;
}

static bool check_record(struct request *request, const struct stream *stream,
                         const struct kinesis_record *record)
{
    hash_key key;

    if (!record->data.data)
        return missing(request, "data");
    if (!record->key.data)
        return missing(request, "partitionKey");
    if (!check_size(request, stream, record))
        return false;
    if (!record->hash_key.data || hash_key_read(record->hash_key, &key))
        return true;
    (void)request_fail(request, API_INVALID_ARGUMENT,
                       "Invalid ExplicitHashKey. ExplicitHashKey must be in "
                       "the range: [0, 2^128-1]. Specified value was %.*s",
                       BYTES_ARGS(record->hash_key));
    return false;
}

static struct shard *route(struct request *request, const struct stream *stream,
                           const struct kinesis_record *record)
{
    uint8_t md5[DIGEST_MD5_SIZE] = {0};
    hash_key key;

    if (!hash_key_read(record->hash_key, &key)) {
        (void)digest_md5(request->server->digest, record->key, md5);
        key = hash_key_of_md5(md5);
    }
    return stream_shard_for(stream, key);
}

static void put(struct request *request, struct stream *stream,
                const struct kinesis_record *record)
{
    struct shard *shard = route(request, stream, record);
    char sequence[SHARD_SEQUENCE_SIZE + 1];
    uint64_t serial = stream_put(stream, shard, request->server->now_ms,
                                 record->key, record->data);

    shard_sequence(shard, serial, sequence);
    writer_text(&request->writer, "SequenceNumber", bytes_of(sequence));
    writer_text(&request->writer, "ShardId", bytes_of(shard->id));
}

static void trim(struct request *request, struct stream *stream)
{
    int64_t horizon_ms = stream_horizon_ms(stream, request->server->now_ms);

    for (uint32_t i = 0; i < stream->count; i++)
        shard_trim(stream->shards[i], horizon_ms);
}

enum step serve_kinesis_put_record(struct request *request)
{
    const struct kinesis_record *record = &serve_kinesis_input(request)->record;
    struct stream *stream = serve_kinesis_stream(request);

    if (!stream || !check_record(request, stream, record))
        return STEP_REPLY;
    trim(request, stream);
    put(request, stream, record);
    serve_kinesis_wake(request->server, stream->id);
    return STEP_REPLY;
}

static bool check_records(struct request *request, const struct stream *stream,
                          const struct vector *list)
{
    const struct kinesis_record *records = list->items;
    size_t size = 0;

    if (!list->count || list->count > RECORDS_LIMIT) {
        (void)request_fail(request, API_VALIDATION,
                           "1 validation error detected: Value at 'records' "
                           "failed to satisfy constraint: Member must have "
                           "length between 1 and %d",
                           RECORDS_LIMIT);
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!check_record(request, stream, &records[i]))
            return false;
        size += records[i].data.size + records[i].key.size;
    }
    if (size <= RECORDS_BYTES)
        return true;
    (void)request_fail(request, API_INVALID_ARGUMENT,
                       "Records size exceeds 10 MB limit");
    return false;
}

// True when a fault makes it fail.
static bool refuse(struct request *request)
{
    const struct fault *fault = request_fault(request, FAULT_PARTIAL);

    if (!fault)
        return false;
    writer_text(&request->writer, "ErrorCode", bytes_of(fault->code));
    writer_text(&request->writer, "ErrorMessage",
                BYTES("asked for by a fault of the local server"));
    return true;
}

enum step serve_kinesis_put_records(struct request *request)
{
    const struct vector *list = &serve_kinesis_input(request)->records;
    const struct kinesis_record *records = list->items;
    struct stream *stream = serve_kinesis_stream(request);
    int64_t failed = 0;

    if (!stream || !check_records(request, stream, list))
        return STEP_REPLY;
    trim(request, stream);
    writer_list(&request->writer, "Records");
    for (size_t i = 0; i < list->count; i++) {
        writer_item(&request->writer, NULL);
        if (refuse(request))
            failed++;
        else
            put(request, stream, &records[i]);
        writer_item_end(&request->writer, NULL);
    }
    writer_list_end(&request->writer);
    writer_int(&request->writer, "FailedRecordCount", failed);
    serve_kinesis_wake(request->server, stream->id);
    return STEP_REPLY;
}
