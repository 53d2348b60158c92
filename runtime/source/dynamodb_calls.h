/*
 * dynamodb_calls: the bodies of the requests to DynamoDB Streams.
 *
 * Threads: pure functions on the caller's buffer.
 */
#ifndef POLLARD_DYNAMODB_CALLS_H
#define POLLARD_DYNAMODB_CALLS_H

#include <stddef.h>

struct buffer;
struct stream_start;

/* GetShardIterator. The service knows no AT_TIMESTAMP: TRIM_HORIZON stands for
 * it, and the source passes over what is older. */
void dynamodb_put_iterator_call(struct buffer *out, const char *arn,
                                const char *shard,
                                const struct stream_start *start);

/* GetRecords; limit from 1 to 1000. */
void dynamodb_put_records_call(struct buffer *out, const char *iterator,
                               size_t limit);

/* DescribeStream; after_shard: the last one of the page before, or NULL. */
void dynamodb_put_describe_call(struct buffer *out, const char *arn,
                                const char *after_shard);

/* ListStreams; after_arn likewise. */
void dynamodb_put_list_call(struct buffer *out, const char *table,
                            const char *after_arn);

#endif
