#include "source/kinesis_calls.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/cbor_write.h"
#include "base/json_write.h"
#include "source/kinesis.h"

// One flat map, in either notation.
struct call {
    struct buffer *out;
    bool cbor;
    bool later; // a member stands before
};

static void begin(struct call *call, size_t members)
{
    if (call->cbor)
        cbor_put_map(call->out, members);
    else
        buffer_append_char(call->out, '{');
}

static void put_name(struct call *call, const char *name)
{
    if (call->cbor) {
        cbor_put_text(call->out, bytes_of(name));
        return;
    }
    if (call->later)
        buffer_append_char(call->out, ',');
    call->later = true;
    json_put_string(call->out, bytes_of(name));
    buffer_append_char(call->out, ':');
}

static void put_text(struct call *call, const char *name, const char *text)
{
    put_name(call, name);
    if (call->cbor)
        cbor_put_text(call->out, bytes_of(text));
    else
        json_put_string(call->out, bytes_of(text));
}

static void put_int(struct call *call, const char *name, int64_t number)
{
    put_name(call, name);
    if (call->cbor)
        cbor_put_int(call->out, number);
    else
        json_put_int(call->out, number);
}

static void put_time(struct call *call, const char *name, int64_t ms)
{
    put_name(call, name);
    if (call->cbor)
        cbor_put_time_ms(call->out, ms);
    else
        buffer_printf(call->out, "%" PRId64 ".%03d", ms / 1000,
                      (int)(ms % 1000));
}

static void end(struct call *call)
{
    if (!call->cbor)
        buffer_append_char(call->out, '}');
}

static void put_position(struct call *call, const char *type)
{
    put_text(call, "ShardIteratorType", type);
}

void kinesis_put_iterator_call(struct buffer *out, bool cbor,
                               const char *stream, const char *shard,
                               const struct stream_start *start)
{
    struct call call = {.out = out, .cbor = cbor};
    bool is_plain = start->position == STREAM_TRIM_HORIZON ||
                    start->position == STREAM_LATEST;

    begin(&call, is_plain ? 3 : 4);
    put_text(&call, "StreamName", stream);
    put_text(&call, "ShardId", shard);
    switch (start->position) {
    case STREAM_TRIM_HORIZON:
        put_position(&call, "TRIM_HORIZON");
        break;
    case STREAM_LATEST:
        put_position(&call, "LATEST");
        break;
    case STREAM_AT_TIMESTAMP:
        put_position(&call, "AT_TIMESTAMP");
        put_time(&call, "Timestamp", start->timestamp_ms);
        break;
    case STREAM_AFTER_SEQUENCE_NUMBER:
        put_position(&call, "AFTER_SEQUENCE_NUMBER");
        put_text(&call, "StartingSequenceNumber", start->sequence_number);
        break;
    }
    end(&call);
}

void kinesis_put_records_call(struct buffer *out, bool cbor,
                              const char *iterator, size_t limit)
{
    struct call call = {.out = out, .cbor = cbor};

    begin(&call, 2);
    put_text(&call, "ShardIterator", iterator);
    put_int(&call, "Limit", (int64_t)limit);
    end(&call);
}

void kinesis_put_shards_call(struct buffer *out, const char *stream,
                             const char *next_token)
{
    struct call call = {.out = out};

    begin(&call, 0);
    if (next_token) {
        put_text(&call, "NextToken", next_token);
    } else {
        put_text(&call, "StreamName", stream);
        put_int(&call, "MaxResults", STREAM_SHARDS_LIMIT); // moto's next
                                                           // pages are broken
    }
    end(&call);
}

void kinesis_put_describe_call(struct buffer *out, const char *stream,
                               const char *after_shard)
{
    struct call call = {.out = out};

    begin(&call, 0);
    put_text(&call, "StreamName", stream);
    if (after_shard)
        put_text(&call, "ExclusiveStartShardId", after_shard);
    end(&call);
}
