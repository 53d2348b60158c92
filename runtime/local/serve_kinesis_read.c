#include "local/fault.h"
#include "local/serve_kinesis.h"
#include "local/server.h"
#include "local/token.h"

#define ITERATOR_LIFE_MS (5 * 60 * 1000)

// What a shard iterator says; nobody else reads it.
struct iterator {
    uint64_t position;
    int64_t made_ms;
    uint32_t stream, shard;
};

_Static_assert(sizeof(struct iterator) == 24, "an iterator has no padding");

static void write_iterator(struct exchange *exchange, const char *name,
                           const struct stream *stream,
                           const struct shard *shard, uint64_t position)
{
    struct iterator iterator = {.position = position,
                                .made_ms = exchange->server->now_ms,
                                .stream = stream->id,
                                .shard = shard->index};
    struct bytes data = {(const char *)&iterator, sizeof(iterator)};
    char text[TOKEN_TEXT_LIMIT];

    (void)token_write(exchange->server->secret, TOKEN_ITERATOR, data, text);
    writer_text(&exchange->writer, name, bytes_of(text));
}

static bool decode(const struct exchange *exchange, struct iterator *iterator)
{
    char data[TOKEN_DATA_LIMIT];
    size_t size;

    if (!token_read(exchange->server->secret, TOKEN_ITERATOR,
                    serve_kinesis_input(exchange)->iterator, data, &size) ||
        size != sizeof(*iterator))
        return false;
    memcpy(iterator, data, sizeof(*iterator));
    return true;
}

struct bytes serve_kinesis_resource_of_iterator(const struct exchange *exchange)
{
    struct iterator iterator;
    const struct stream *stream = NULL;

    if (decode(exchange, &iterator))
        stream = server_stream_by_id(exchange->server, iterator.stream);
    return stream ? bytes_of(stream->name) : (struct bytes){0};
}

static bool needs_sequence(struct bytes type)
{
    return bytes_equal(type, BYTES("AT_SEQUENCE_NUMBER")) ||
           bytes_equal(type, BYTES("AFTER_SEQUENCE_NUMBER"));
}

static bool find_sequence(struct exchange *exchange, const struct shard *shard,
                          uint64_t *position)
{
    const struct kinesis_input *in = serve_kinesis_input(exchange);
    bool after = bytes_equal(in->iterator_type, BYTES("AFTER_SEQUENCE_NUMBER"));
    uint64_t serial;

    if (!shard_serial(shard, in->sequence, &serial)) {
        (void)exchange_fail(exchange, API_INVALID_ARGUMENT,
                            "StartingSequenceNumber %.*s used in "
                            "GetShardIterator on shard %s is invalid because "
                            "it did not come from this shard.",
                            BYTES_ARGS(in->sequence), shard->id);
        return false;
    }
    *position = shard_position_of(shard, serial + after);
    return true;
}

static bool find_time(struct exchange *exchange, const struct shard *shard,
                      uint64_t *position)
{
    const struct input_int *time = &serve_kinesis_input(exchange)->time;

    if (!time->given) {
        (void)exchange_fail(exchange, API_INVALID_ARGUMENT,
                            "Must specify timestamp parameter for iterator of "
                            "type AT_TIMESTAMP.");
        return false;
    }
    if (time->value > exchange->server->now_ms) {
        (void)exchange_fail(exchange, API_INVALID_ARGUMENT,
                            "The timestampInMillis parameter cannot be in the "
                            "future.");
        return false;
    }
    *position = shard_position_at(shard, time->value);
    return true;
}

// False: it failed.
static bool find_position(struct exchange *exchange, const struct shard *shard,
                          uint64_t *position)
{
    struct bytes type = serve_kinesis_input(exchange)->iterator_type;

    if (needs_sequence(type))
        return find_sequence(exchange, shard, position);
    if (bytes_equal(type, BYTES("AT_TIMESTAMP")))
        return find_time(exchange, shard, position);
    if (bytes_equal(type, BYTES("LATEST"))) {
        *position = shard_end(shard);
        return true;
    }
    if (bytes_equal(type, BYTES("TRIM_HORIZON"))) {
        *position = shard_start(shard);
        return true;
    }
    (void)exchange_fail(exchange, API_VALIDATION,
                        "1 validation error detected: Value '%.*s' at "
                        "'shardIteratorType' failed to satisfy constraint: "
                        "Member must satisfy enum value set: "
                        "[AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, "
                        "AT_SEQUENCE_NUMBER, TRIM_HORIZON]",
                        BYTES_ARGS(type));
    return false;
}

enum step serve_kinesis_get_shard_iterator(struct exchange *exchange)
{
    struct stream *stream = serve_kinesis_stream(exchange);
    struct shard *shard =
        stream ? serve_kinesis_shard(exchange, stream,
                                     serve_kinesis_input(exchange)->shard)
               : NULL;
    uint64_t position;

    if (!shard)
        return STEP_REPLY;
    shard_trim(shard, stream_horizon_ms(stream, exchange->server->now_ms));
    if (find_position(exchange, shard, &position))
        write_iterator(exchange, "ShardIterator", stream, shard, position);
    return STEP_REPLY;
}

// False: it failed.
static bool read_iterator(struct exchange *exchange, struct iterator *iterator)
{
    int64_t age_ms;

    if (!decode(exchange, iterator)) {
        (void)exchange_fail(exchange, API_INVALID_ARGUMENT,
                            "Invalid ShardIterator.");
        return false;
    }
    age_ms = exchange->server->now_ms - iterator->made_ms;
    if (age_ms <= ITERATOR_LIFE_MS && !exchange_fault(exchange, FAULT_EXPIRED))
        return true;
    (void)exchange_fail(exchange, API_EXPIRED_ITERATOR,
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

static void write_child(struct exchange *exchange, const struct stream *stream,
                        const struct shard *child)
{
    struct writer *writer = &exchange->writer;

    writer_item(writer, NULL);
    writer_text(writer, "ShardId", bytes_of(child->id));
    writer_list(writer, "ParentShards");
    writer_item_text(writer, NULL, bytes_of(stream->shards[child->parent]->id));
    if (child->adjacent != SHARD_NONE)
        writer_item_text(writer, NULL,
                         bytes_of(stream->shards[child->adjacent]->id));
    writer_list_end(writer);
    serve_kinesis_write_range(exchange, child);
    writer_item_end(writer, NULL);
}

static void write_children(struct exchange *exchange,
                           const struct stream *stream,
                           const struct shard *shard)
{
    writer_list(&exchange->writer, "ChildShards");
    for (uint32_t i = shard->index + 1; i < stream->count; i++) {
        const struct shard *child = stream->shards[i];

        if (child->parent == shard->index || child->adjacent == shard->index)
            write_child(exchange, stream, child);
    }
    writer_list_end(&exchange->writer);
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

static void write_page(struct exchange *exchange, struct stream *stream,
                       const struct shard *shard, uint64_t position,
                       size_t limit)
{
    size_t count = exchange_fault(exchange, FAULT_EMPTY)
                       ? 0
                       : shard_page(shard, position, limit, KINESIS_PAGE_BYTES);
    uint64_t next = position + count;

    stream->got += count;
    writer_int(&exchange->writer, "MillisBehindLatest",
               behind_ms(shard, next, exchange->server->now_ms));
    if (shard->closed_ms && next == shard_end(shard))
        write_children(exchange, stream, shard);
    else
        write_iterator(exchange, "NextShardIterator", stream, shard, next);
    write_records(&exchange->writer, shard, position, count);
}

enum step serve_kinesis_get_records(struct exchange *exchange)
{
    struct input_int *limit = &serve_kinesis_input(exchange)->limit;
    int64_t now_ms = exchange->server->now_ms;
    struct iterator iterator;
    struct stream *stream;
    struct shard *shard;

    if (!read_iterator(exchange, &iterator))
        return STEP_REPLY;
    if (limit->given && !serve_kinesis_check_range(exchange, "limit", limit, 1,
                                                   KINESIS_PAGE_LIMIT))
        return STEP_REPLY;
    stream = server_stream_by_id(exchange->server, iterator.stream);
    shard = stream ? stream->shards[iterator.shard] : NULL;
    if (!shard || !stream_keeps_shard(stream, shard, now_ms))
        return exchange_fail(exchange, API_RESOURCE_NOT_FOUND,
                             "The stream or shard of the iterator does not "
                             "exist any more.");
    shard_trim(shard, stream_horizon_ms(stream, now_ms));
    if (iterator.position < shard_start(shard))
        iterator.position = shard_start(shard);
    write_page(exchange, stream, shard, iterator.position,
               limit->given ? (size_t)limit->value : KINESIS_PAGE_LIMIT);
    return STEP_REPLY;
}
