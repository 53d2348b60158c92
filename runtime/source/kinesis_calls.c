#include "source/kinesis_calls.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/cbor_write.h"
#include "base/json_write.h"
#include "record/sequence.h"
#include "source/stream.h"

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

static void put_bytes(struct call *call, const char *name, struct bytes text)
{
    put_name(call, name);
    if (call->cbor)
        cbor_put_text(call->out, text);
    else
        json_put_string(call->out, text);
}

static void put_text(struct call *call, const char *name, const char *text)
{
    put_bytes(call, name, bytes_of(text));
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

// What a call names the parts of a position by.
struct position_names {
    const char *type, *timestamp, *sequence;
};

// Of a record that is done in part the rest is read again: the record itself,
// from which its first sub-records are left out.
static void put_sequence(struct call *call, const struct position_names *names,
                         const char *text)
{
    struct sequence sequence;
    bool is_part =
        sequence_parse(bytes_of(text), &sequence) && sequence.subs > 0;

    put_text(call, names->type,
             is_part ? "AT_SEQUENCE_NUMBER" : "AFTER_SEQUENCE_NUMBER");
    put_bytes(call, names->sequence,
              is_part ? sequence.digits : bytes_of(text));
}

static void put_start(struct call *call, const struct position_names *names,
                      const struct stream_start *start)
{
    switch (start->position) {
    case STREAM_TRIM_HORIZON:
        put_text(call, names->type, "TRIM_HORIZON");
        break;
    case STREAM_LATEST:
        put_text(call, names->type, "LATEST");
        break;
    case STREAM_AT_TIMESTAMP:
        put_text(call, names->type, "AT_TIMESTAMP");
        put_time(call, names->timestamp, start->timestamp_ms);
        break;
    case STREAM_AFTER_SEQUENCE_NUMBER:
        put_sequence(call, names, start->sequence_number);
        break;
    }
}

void kinesis_put_iterator_call(struct buffer *out, bool cbor,
                               const char *stream, const char *shard,
                               const struct stream_start *start)
{
    static const struct position_names names = {
        "ShardIteratorType", "Timestamp", "StartingSequenceNumber"};
    struct call call = {.out = out, .cbor = cbor};
    bool is_plain = start->position == STREAM_TRIM_HORIZON ||
                    start->position == STREAM_LATEST;

    begin(&call, is_plain ? 3 : 4);
    put_text(&call, "StreamName", stream);
    put_text(&call, "ShardId", shard);
    put_start(&call, &names, start);
    end(&call);
}

void kinesis_put_subscribe_call(struct buffer *out, const char *consumer_arn,
                                const char *shard,
                                const struct stream_start *start)
{
    static const struct position_names names = {"Type", "Timestamp",
                                                "SequenceNumber"};
    struct call call = {.out = out}, position = {.out = out};

    begin(&call, 0);
    put_text(&call, "ConsumerARN", consumer_arn);
    put_text(&call, "ShardId", shard);
    put_name(&call, "StartingPosition");
    begin(&position, 0);
    put_start(&position, &names, start);
    end(&position);
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
