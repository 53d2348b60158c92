/*
 * dynamodb_shards: the answers to DescribeStream and ListStreams.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_DYNAMODB_SHARDS_H
#define POLLARD_DYNAMODB_SHARDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct error;
struct stream_shards;

/* Append the shards of one page, and note whether the stream is closed.
 * *last_shard: where the next page begins; NULL: there is none. Owned by the
 * caller. ERROR_TRANSIENT when it is not what DescribeStream answers. */
bool dynamodb_shards_parse(struct bytes body, struct stream_shards *shards,
                           char **last_shard, struct error *err);

#define DYNAMODB_STREAMS_LIMIT 100

struct dynamodb_streams {
    struct dynamodb_stream {
        char *arn, *label; // owned
    } list[DYNAMODB_STREAMS_LIMIT];
    size_t count;
};

/* Add this table's streams on one page, the newest DYNAMODB_STREAMS_LIMIT by
 * their labels; oldest first. *last_arn: likewise. */
bool dynamodb_streams_parse(struct bytes body, const char *table,
                            struct dynamodb_streams *streams, char **last_arn,
                            struct error *err);
void dynamodb_streams_finish(struct dynamodb_streams *streams);

#endif
