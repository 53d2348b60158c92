/*
 * stream_list: the streams that a source names, each with its shards, for the
 * stream keeper and the command line, whatever kind of stream it is.
 *
 * There is one, but for a table whose stream was disabled and enabled again:
 * DynamoDB then keeps the old one for a day beside the new one, and what it
 * still holds is to be read first.
 *
 * Threads: any; blocks.
 */
#ifndef POLLARD_STREAM_LIST_H
#define POLLARD_STREAM_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "source/stream.h"

struct aws_client;
struct error;
struct source_config;

struct stream_listed {
    /* Which stream it is, for good: Kinesis "name@1795359600", by the time of
     * its creation (one that was deleted and created anew has shards of the
     * same names, and nothing else in common with the first); DynamoDB its ARN.
     * Owned. */
    char *identity;
    char *arn; // owned; Kinesis, as the server has it
    struct stream_shards shards;
};

#define STREAM_LISTING_LIMIT 16 // of one table, the newest

struct stream_listing {
    struct stream_listed *list; // owned; oldest first, at least one
    size_t count;
    char *consumer_arn; // owned; of enhanced fan-out; set by who asked for it
};

/* Every shard within retention, all pages, STREAM_SHARDS_LIMIT of a stream at
 * the most. Caller finishes the listing. ERROR_NOT_FOUND: there is no such
 * stream. Ends early with ERROR_STOPPED once *stop is true; stop may be NULL.
 */
bool stream_list(struct aws_client *client, const struct source_config *source,
                 const bool *stop, struct stream_listing *listing,
                 struct error *err);

/* Another stream at the end of the list, zeroed. */
struct stream_listed *stream_listing_add(struct stream_listing *listing);

void stream_listing_finish(struct stream_listing *listing);

#endif
