#include "local/fault.h"
#include "local/serve_kinesis.h"
#include "local/server.h"
#include "local/token.h"

#define ITERATOR_LIFE_MS (5 * 60 * 1000)
#define FUTURE_MS 1000 // how far a client's clock may be ahead

// What a shard iterator says; nobody else reads it.
struct iterator {
    uint64_t position;
    int64_t made_ms;
    uint32_t stream, shard;
};

_Static_assert(sizeof(struct iterator) == 24, "an iterator has no padding");

static void write_iterator(struct request *request, const char *name,
                           const struct stream *stream,
                           const struct shard *shard, uint64_t position)
{
    struct iterator iterator = {.position = position,
                                .made_ms = request->server->now_ms,
                                .stream = stream->id,
                                .shard = shard->index};
    struct bytes data = {(const char *)&iterator, sizeof(iterator)};
    char text[TOKEN_TEXT_LIMIT];

    (void)token_write(request->server->secret, TOKEN_ITERATOR, data, text);
    writer_text(&request->writer, name, bytes_of(text));
}

static bool decode(const struct request *request, struct iterator *iterator)
{
    char data[TOKEN_DATA_LIMIT];
    size_t size;

    if (!token_read(request->server->secret, TOKEN_ITERATOR,
                    serve_kinesis_input(request)->iterator, data, &size) ||
        size != sizeof(*iterator))
        return false;
    memcpy(iterator, data, sizeof(*iterator));
    return true;
}

struct bytes serve_kinesis_resource_of_iterator(const struct request *request)
{
    struct iterator iterator;
    const struct stream *stream = NULL;

    if (decode(request, &iterator))
        stream = server_stream_by_id(request->server, iterator.stream);
    return stream ? bytes_of(stream->name) : (struct bytes){0};
}

static bool needs_sequence(struct bytes type)
{
    return bytes_equal(type, BYTES("AT_SEQUENCE_NUMBER")) ||
           bytes_equal(type, BYTES("AFTER_SEQUENCE_NUMBER"));
}

static bool find_sequence(struct request *request, const struct shard *shard,
                          const struct kinesis_start *start, uint64_t *position)
{
    bool after = bytes_equal(start->type, BYTES("AFTER_SEQUENCE_NUMBER"));
    uint64_t serial;

    if (!shard_serial(shard, start->sequence, &serial)) {
        (void)request_fail(request, API_INVALID_ARGUMENT,
                           "StartingSequenceNumber %.*s used in "
                           "%s on shard %s is invalid because "
                           "it did not come from this shard.",
                           BYTES_ARGS(start->sequence),
                           request->operation->name, shard->id);
        return false;
    }
    *position = shard_position_of(shard, serial + after);
    return true;
}

static bool find_time(struct request *request, const struct shard *shard,
                      const struct kinesis_start *start, uint64_t *position)
{
    const struct input_int *time = &start->time;

    if (!time->given) {
        (void)request_fail(request, API_INVALID_ARGUMENT,
                           "Must specify timestamp parameter for iterator of "
                           "type AT_TIMESTAMP.");
        return false;
    }
    if (time->value > request->server->now_ms + FUTURE_MS) {
        (void)request_fail(request, API_INVALID_ARGUMENT,
                           "The timestampInMillis parameter cannot be in the "
                           "future.");
        return false;
    }
    *position = shard_position_at(shard, time->value);
    return true;
}

bool serve_kinesis_find_position(struct request *request,
                                 const struct shard *shard,
                                 const struct kinesis_start *start,
                                 uint64_t *position)
{
    struct bytes type = start->type;

    if (needs_sequence(type))
        return find_sequence(request, shard, start, position);
    if (bytes_equal(type, BYTES("AT_TIMESTAMP")))
        return find_time(request, shard, start, position);
    if (bytes_equal(type, BYTES("LATEST"))) {
        *position = shard_end(shard);
        return true;
    }
    if (bytes_equal(type, BYTES("TRIM_HORIZON"))) {
        *position = shard_start(shard);
        return true;
    }
    (void)request_fail(request, API_VALIDATION,
                       "1 validation error detected: Value '%.*s' at "
                       "'shardIteratorType' failed to satisfy constraint: "
                       "Member must satisfy enum value set: "
                       "[AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, "
                       "AT_SEQUENCE_NUMBER, TRIM_HORIZON]",
                       BYTES_ARGS(type));
    return false;
}

enum step serve_kinesis_get_shard_iterator(struct request *request)
{
    struct stream *stream = serve_kinesis_stream(request);
    struct shard *shard =
        stream ? serve_kinesis_shard(request, stream,
                                     serve_kinesis_input(request)->shard)
               : NULL;
    uint64_t position;

    if (!shard)
        return STEP_REPLY;
    shard_trim(shard, stream_horizon_ms(stream, request->server->now_ms));
    if (serve_kinesis_find_position(
            request, shard, &serve_kinesis_input(request)->start, &position))
        write_iterator(request, "ShardIterator", stream, shard, position);
    return STEP_REPLY;
}

// False: it failed.
static bool read_iterator(struct request *request, struct iterator *iterator)
{
    int64_t age_ms;

    if (!decode(request, iterator)) {
        (void)request_fail(request, API_INVALID_ARGUMENT,
                           "Invalid ShardIterator.");
        return false;
    }
    age_ms = request->server->now_ms - iterator->made_ms;
    if (age_ms <= ITERATOR_LIFE_MS && !request_fault(request, FAULT_EXPIRED))
        return true;
    (void)request_fail(request, API_EXPIRED_ITERATOR,
                       "Iterator expired. The iterator was created %lld ms "
                       "ago while right now it is valid for %d ms.",
                       (long long)age_ms, ITERATOR_LIFE_MS);
    return false;
}

// 0 says "at the tip", so it must not be said of records of this millisecond.
static int64_t behind_ms(const struct shard *shard, uint64_t position,
                         int64_t now_ms)
{
    int64_t behind;

    if (position == shard_end(shard))
        return 0;
    behind = now_ms - shard_record(shard, position)->arrived_ms;
    return behind > 0 ? behind : 1;
}

static void write_child(struct request *request, const struct stream *stream,
                        const struct shard *child)
{
    struct writer *writer = &request->writer;

    writer_item(writer, NULL);
    writer_text(writer, "ShardId", bytes_of(child->id));
    writer_list(writer, "ParentShards");
    writer_item_text(writer, NULL, bytes_of(stream->shards[child->parent]->id));
    if (child->adjacent != SHARD_NONE)
        writer_item_text(writer, NULL,
                         bytes_of(stream->shards[child->adjacent]->id));
    writer_list_end(writer);
    serve_kinesis_write_range(request, child);
    writer_item_end(writer, NULL);
}

static void write_children(struct request *request, const struct stream *stream,
                           const struct shard *shard)
{
    writer_list(&request->writer, "ChildShards");
    for (uint32_t i = shard->index + 1; i < stream->count; i++) {
        const struct shard *child = stream->shards[i];

        if (child->parent == shard->index || child->adjacent == shard->index)
            write_child(request, stream, child);
    }
    writer_list_end(&request->writer);
}

static void write_records(struct writer *writer, const struct shard *shard,
                          uint64_t position, size_t count)
{
    writer_list(writer, "Records");
    if (writer->format == WRITER_CBOR) {
        shard_put_cbor(shard, position, count, writer->out);
        writer_list_end(writer);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct shard_record *record = shard_record(shard, position + i);

        writer_item(writer, NULL);
        writer_text(writer, "SequenceNumber", shard_record_sequence(record));
        writer_time_ms(writer, "ApproximateArrivalTimestamp",
                       record->arrived_ms);
        writer_blob(writer, "Data", shard_record_data(record));
        writer_text(writer, "PartitionKey", shard_record_key(record));
        writer_item_end(writer, NULL);
    }
    writer_list_end(writer);
}

bool serve_kinesis_write_event(struct request *request,
                               const struct stream *stream,
                               const struct shard *shard, uint64_t position,
                               size_t count)
{
    uint64_t next = position + count;
    char sequence[SHARD_SEQUENCE_SIZE + 1];
    bool ends = shard->closed_ms && next == shard_end(shard);

    write_records(&request->writer, shard, position, count);
    writer_int(&request->writer, "MillisBehindLatest",
               behind_ms(shard, next, request->server->now_ms));
    if (ends) {
        write_children(request, stream, shard);
        return true;
    }
    shard_sequence(shard,
                   next > shard_start(shard)
                       ? shard_record(shard, next - 1)->serial
                       : shard->opened_serial,
                   sequence);
    writer_text(&request->writer, "ContinuationSequenceNumber",
                bytes_of(sequence));
    return false;
}

static void write_page(struct request *request, struct stream *stream,
                       const struct shard *shard, uint64_t position,
                       size_t limit)
{
    size_t count = request_fault(request, FAULT_EMPTY)
                       ? 0
                       : shard_page(shard, position, limit, KINESIS_PAGE_BYTES);
    uint64_t next = position + count;

    stream->got += count;
    writer_int(&request->writer, "MillisBehindLatest",
               behind_ms(shard, next, request->server->now_ms));
    if (shard->closed_ms && next == shard_end(shard))
        write_children(request, stream, shard);
    else
        write_iterator(request, "NextShardIterator", stream, shard, next);
    write_records(&request->writer, shard, position, count);
}

enum step serve_kinesis_get_records(struct request *request)
{
    struct input_int *limit = &serve_kinesis_input(request)->limit;
    int64_t now_ms = request->server->now_ms;
    struct iterator iterator;
    struct stream *stream;
    struct shard *shard;

    if (!read_iterator(request, &iterator))
        return STEP_REPLY;
    if (limit->given && !serve_kinesis_check_range(request, "limit", limit, 1,
                                                   KINESIS_PAGE_LIMIT))
        return STEP_REPLY;
    stream = server_stream_by_id(request->server, iterator.stream);
    shard = stream ? stream->shards[iterator.shard] : NULL;
    if (!shard || !stream_keeps_shard(stream, shard, now_ms))
        return request_fail(request, API_RESOURCE_NOT_FOUND,
                            "The stream or shard of the iterator does not "
                            "exist any more.");
    shard_trim(shard, stream_horizon_ms(stream, now_ms));
    if (iterator.position < shard_start(shard))
        iterator.position = shard_start(shard);
    write_page(request, stream, shard, iterator.position,
               limit->given ? (size_t)limit->value : KINESIS_PAGE_LIMIT);
    return STEP_REPLY;
}
