/*
 * stream: what all streams have in common (Kinesis, DynamoDB): where the
 * reading of a shard begins, a page of what is read, and the shards that a
 * listing shows.
 */
#ifndef POLLARD_STREAM_H
#define POLLARD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct chunk;

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

struct stream_page {       // an answer to GetRecords
    struct chunk *chunk;   // owned; NULL when there is no record
    size_t count;          // records in the chunk
    size_t bytes;          // of their data and keys
    char *next_iterator;   // owned; NULL: this was the shard's end
    int64_t millis_behind; // 0: the tip, or unknown
    size_t children;       // Kinesis: shards that follow, at the shard's end
};

void stream_page_finish(struct stream_page *page);

struct stream_shard {
    char *id, *parent, *adjacent_parent;       // owned; parents may be NULL
    char *starting_hash_key, *ending_hash_key; // owned; Kinesis
    bool closed;                               // has an ending sequence number
};

#define STREAM_SHARDS_LIMIT 10000

struct stream_shards {
    struct stream_shard *list; // owned
    size_t count;
    bool is_final;   // the stream is closed: no shard follows these
    bool lists_gone; // DynamoDB: closed shards are listed even when they cannot
                     // be read any more
};

/* A new one at the end, zeroed. */
struct stream_shard *stream_shards_add(struct stream_shards *shards);

/* The shard with this id, or NULL. */
const struct stream_shard *
stream_shards_find(const struct stream_shards *shards, const char *id);

void stream_shards_finish(struct stream_shards *shards);

#endif
