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

struct aws_client;
struct aws_session;
struct clock;
struct error;
struct log;
struct source;

enum kinesis_position {
    KINESIS_TRIM_HORIZON,
    KINESIS_LATEST,
    KINESIS_AT_TIMESTAMP,
    KINESIS_AFTER_SEQUENCE_NUMBER,
};

struct kinesis_start {
    enum kinesis_position position;
    int64_t timestamp_ms;        // AT_TIMESTAMP, ms since 1970
    const char *sequence_number; // AFTER_SEQUENCE_NUMBER
};

struct kinesis_options {
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed; the poller's
    const struct clock *clock;
    const struct log *log; // copied
    const char *stream;    // name
    const char *arn;       // eventSourceARN; NULL: derived
    const char *shard;     // id
    struct kinesis_start start;
    int64_t idle_ms; // between reads at the tip; Lambda: 1 s
    uint64_t seed;
};

/* Never fails: what is wrong shows as failure(). Options are copied but
 * session, client and clock. */
struct source *kinesis_open(const struct kinesis_options *options);

struct kinesis_shard {
    char *id, *parent, *adjacent_parent;       // owned; parents may be NULL
    char *starting_hash_key, *ending_hash_key; // owned
    bool closed;                               // has an ending sequence number
};

#define KINESIS_SHARDS_LIMIT 10000

struct kinesis_shards {
    struct kinesis_shard *list; // owned
    size_t count;
};

/* Every shard within retention, all pages, KINESIS_SHARDS_LIMIT at the most.
 * Blocks; for the keeper's thread. ERROR_NOT_FOUND: no such stream. */
bool kinesis_list_shards(struct aws_client *client, const char *stream,
                         const bool *stop, struct kinesis_shards *shards,
                         struct error *err);
void kinesis_shards_finish(struct kinesis_shards *shards);

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

/* Sequence numbers are decimal integers of any length: -1, 0, 1. */
int kinesis_sequence_compare(const char *a, const char *b);

#endif
