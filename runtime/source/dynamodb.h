/*
 * dynamodb: one shard of a DynamoDB stream as a source (dynamodb_open), and the
 * listing of a table's streams and their shards for the stream keeper
 * (dynamodb_list).
 *
 * The service has no position in time. LATEST is asked for once; should it have
 * to be asked for again before a record came, the shard is read from its
 * oldest record and what is older than that first time is passed over, as it
 * is for AT_TIMESTAMP.
 */
#ifndef POLLARD_DYNAMODB_H
#define POLLARD_DYNAMODB_H

#include <stdbool.h>
#include <stdint.h>

#include "source/stream.h"

struct aws_client;
struct clock;
struct error;
struct log;
struct source;
struct stream_listing;

struct dynamodb_options {
    struct aws_client *client; // borrowed; the poller's
    const struct clock *clock;
    const struct log *log; // copied
    const char *arn;       // of the stream
    const char *shard;     // id
    struct stream_start start;
    bool fails_trimmed; // when data was trimmed that was not read
    uint64_t seed;
};

/* Never fails: what is wrong shows as failure(). Options are copied but
 * session, client and clock. */
struct source *dynamodb_open(const struct dynamodb_options *options);

/* The stream with this ARN, or all of this table, oldest first. As stream_list
 * does it. */
bool dynamodb_list_stream(struct aws_client *client, const char *arn,
                          const bool *stop, struct stream_listing *listing,
                          struct error *err);
bool dynamodb_list_table(struct aws_client *client, const char *table,
                         const bool *stop, struct stream_listing *listing,
                         struct error *err);

#endif
