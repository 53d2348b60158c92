/*
 * stream: what all streams have in common (Kinesis, DynamoDB): where the
 * reading of a shard begins, and the shards that a listing shows.
 */
#ifndef POLLARD_STREAM_H
#define POLLARD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum stream_position {
    STREAM_TRIM_HORIZON,
    STREAM_LATEST,
    STREAM_AT_TIMESTAMP,          // Kinesis only
    STREAM_AFTER_SEQUENCE_NUMBER, // as record/sequence.h writes it
};

struct stream_start {
    enum stream_position position;
    int64_t timestamp_ms;        // AT_TIMESTAMP, ms since 1970
    const char *sequence_number; // AFTER_SEQUENCE_NUMBER: "DIGITS", or
                                 // "DIGITS:N": N of its sub-records are done
};

struct stream_shard {
    char *id, *parent, *adjacent_parent;       // owned; parents may be NULL
    char *starting_hash_key, *ending_hash_key; // owned; Kinesis
    bool closed;                               // has an ending sequence number
};

#define STREAM_SHARDS_LIMIT 10000

struct stream_shards {
    struct stream_shard *list; // owned
    size_t count;
};

void stream_shards_finish(struct stream_shards *shards);

#endif
