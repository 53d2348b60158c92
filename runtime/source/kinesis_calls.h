/*
 * kinesis_calls: the bodies of the requests that a Kinesis source sends, in
 * CBOR or JSON.
 *
 * Threads: pure functions on the caller's buffer.
 */
#ifndef POLLARD_KINESIS_CALLS_H
#define POLLARD_KINESIS_CALLS_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;
struct stream_start;

/* GetShardIterator */
void kinesis_put_iterator_call(struct buffer *out, bool cbor,
                               const char *stream, const char *shard,
                               const struct stream_start *start);

/* SubscribeToShard, JSON only: AWS is reported to fail on CBOR. */
void kinesis_put_subscribe_call(struct buffer *out, const char *consumer_arn,
                                const char *shard,
                                const struct stream_start *start);

/* GetRecords; limit from 1 to 10000. */
void kinesis_put_records_call(struct buffer *out, bool cbor,
                              const char *iterator, size_t limit);

/* ListShards, JSON only: the first page, or the one that the token names. */
void kinesis_put_shards_call(struct buffer *out, const char *stream,
                             const char *next_token);

/* DescribeStreamSummary, and with after_shard DescribeStream's next page; JSON
 * only. */
void kinesis_put_describe_call(struct buffer *out, const char *stream,
                               const char *after_shard);

#endif
