#include "source/dynamodb_calls.h"

#include "base/bytes.h"
#include "base/json_write.h"
#include "source/stream.h"

// The first member's name, or ,"name": of a later one.
static void put_name(struct buffer *out, const char *name)
{
    buffer_append_char(out, out->size ? ',' : '{');
    json_put_string(out, bytes_of(name));
    buffer_append_char(out, ':');
}

static void put_text(struct buffer *out, const char *name, struct bytes text)
{
    put_name(out, name);
    json_put_string(out, text);
}

// A checkpoint inside an aggregated record is Kinesis's alone.
static struct bytes digits_of(const char *sequence)
{
    return (struct bytes){sequence, strspn(sequence, "0123456789")};
}

void dynamodb_put_iterator_call(struct buffer *out, const char *arn,
                                const char *shard,
                                const struct stream_start *start)
{
    put_text(out, "StreamArn", bytes_of(arn));
    put_text(out, "ShardId", bytes_of(shard));
    switch (start->position) {
    case STREAM_TRIM_HORIZON:
    case STREAM_AT_TIMESTAMP:
        put_text(out, "ShardIteratorType", BYTES("TRIM_HORIZON"));
        break;
    case STREAM_LATEST:
        put_text(out, "ShardIteratorType", BYTES("LATEST"));
        break;
    case STREAM_AFTER_SEQUENCE_NUMBER:
        put_text(out, "ShardIteratorType", BYTES("AFTER_SEQUENCE_NUMBER"));
        put_text(out, "SequenceNumber", digits_of(start->sequence_number));
        break;
    }
    buffer_append_char(out, '}');
}

void dynamodb_put_records_call(struct buffer *out, const char *iterator,
                               size_t limit)
{
    put_text(out, "ShardIterator", bytes_of(iterator));
    put_name(out, "Limit");
    json_put_int(out, (int64_t)limit);
    buffer_append_char(out, '}');
}

void dynamodb_put_describe_call(struct buffer *out, const char *arn,
                                const char *after_shard)
{
    put_text(out, "StreamArn", bytes_of(arn));
    if (after_shard)
        put_text(out, "ExclusiveStartShardId", bytes_of(after_shard));
    buffer_append_char(out, '}');
}

void dynamodb_put_list_call(struct buffer *out, const char *table,
                            const char *after_arn)
{
    put_text(out, "TableName", bytes_of(table));
    if (after_arn)
        put_text(out, "ExclusiveStartStreamArn", bytes_of(after_arn));
    buffer_append_char(out, '}');
}
