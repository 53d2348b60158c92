/*
 * kinesis: one shard of a Kinesis stream as a source (kinesis_open), and the
 * listing of a stream's shards for the stream keeper (kinesis_list_shards).
 * GetRecords over CBOR, JSON where the server does not speak it.
 */
#ifndef POLLARD_KINESIS_H
#define POLLARD_KINESIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/stream.h"

struct aws_client;
struct aws_session;
struct clock;
struct error;
struct log;
struct source;

struct kinesis_options {
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed; the poller's
    const struct clock *clock;
    const struct log *log;    // copied
    const char *stream;       // name
    const char *arn;          // eventSourceARN; NULL: derived
    const char *consumer_arn; // of enhanced fan-out
    const char *shard;        // id
    struct stream_start start;
    bool splits_aggregated; // records that the KPL aggregated
    int64_t idle_ms;        // between reads at the tip; Lambda: 1 s
    uint64_t seed;
};

/* Never fails: what is wrong shows as failure(). Options are copied but
 * session, client and clock. */
struct source *kinesis_open(const struct kinesis_options *options);

/* The same by enhanced fan-out: SubscribeToShard for options->consumer_arn, a
 * consumer that is ACTIVE. */
struct source *kinesis_fanout_open(const struct kinesis_options *options);

/* Every shard within retention, all pages, STREAM_SHARDS_LIMIT at the most.
 * Blocks; for the keeper's thread. ERROR_NOT_FOUND: no such stream. */
bool kinesis_list_shards(struct aws_client *client, const char *stream,
                         const bool *stop, struct stream_shards *shards,
                         struct error *err);

enum kinesis_status {
    KINESIS_CREATING,
    KINESIS_ACTIVE,
    KINESIS_UPDATING, // resharding; reads go on
    KINESIS_DELETING,
};

struct kinesis_summary {
    char *arn; // owned
    enum kinesis_status status;
    size_t open_shards;
    int64_t retention_hours;
    int64_t created_ms; // since 1970, whole seconds; 0: the server does not say
};

/* DescribeStreamSummary, or DescribeStream where the server lacks it. Blocks;
 * for the command line. ERROR_NOT_FOUND: no such stream. */
bool kinesis_describe(struct aws_client *client, const char *stream,
                      const bool *stop, struct kinesis_summary *summary,
                      struct error *err);
void kinesis_summary_finish(struct kinesis_summary *summary);

#endif
