/*
 * record: one message or stream record, as slices into the response it came
 * in. No copy is made on the way from the network to the handler.
 *
 * Ownership: a chunk is one response body with the records cut from it; it is
 * freed when its last record was released. A record belongs to the source that
 * made it until the poller takes it, and goes back with source_settle.
 *
 * Threads: the poller's. While an invocation runs, its handler thread reads the
 * records (not the chunk's count, not `next`).
 */
#ifndef POLLARD_RECORD_H
#define POLLARD_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum record_kind { RECORD_SQS, RECORD_KINESIS, RECORD_DYNAMODB };

struct record_attribute { // SQS system attribute
    struct bytes name, value;
};

struct record_message_attribute { // SQS user attribute
    struct bytes name, type, value;
    bool binary; // value is decoded bytes; otherwise UTF-8 text
};

/* What is the same for all records of a source. Owned by the source. */
struct record_origin {
    enum record_kind kind;
    const char *arn;      // eventSourceARN
    const char *region;   // awsRegion
    const char *shard;    // of a stream: shard id; NULL for SQS
    const char *identity; // Kinesis: invokeIdentityArn
};

/* A stream record's place among those of its shard that are not handled; the
 * ledger's (poller/ledger.h). */
struct record_place {
    struct record *before, *after;
    struct ledger_text *handled_to; // owned by the ledger
    bool is_end;
};

struct record {
    const struct record_origin *origin; // borrowed from the source
    struct bytes id;                    // message id, or sequence number
    struct bytes data;      // body, decoded data, or DynamoDB's `dynamodb`
                            // object as JSON text
    struct bytes key;       // message group id, partition key, or DynamoDB's
                            // item key as canonical JSON text; may be empty
    int64_t arrived_at_ms;  // wall clock of SQS or Kinesis, ms since 1970
    int64_t received_ms;    // monotonic: when pollard got it
    int64_t visible_ms;     // monotonic: SQS, when its visibility runs out;
                            // CLOCK_NEVER for streams
    uint32_t receive_count; // SQS ApproximateReceiveCount; 1 for streams
    uint32_t event_size;    // upper estimate of its bytes in the event JSON

    // Of an aggregated Kinesis record's sub-record: its place, from 1, and
    // whether it is the last. 0: not aggregated. Behind the bytes of its id
    // there is ":" and its place from 0.
    uint32_t sub;
    bool is_last_sub;

    // By the origin's kind: records are kept small, because a shard has many.
    union {
        struct { // DynamoDB only
            struct bytes event_id, event_name, event_version;
            struct bytes user_identity; // JSON text; empty: none
        };
        struct { // SQS only
            struct bytes receipt_handle, md5_of_body, md5_of_attributes;
            const struct record_attribute *attributes;
            size_t attribute_count;
            const struct record_message_attribute *message_attributes;
            size_t message_attribute_count;
        };
    };

    struct chunk *chunk;
    struct record *next; // of whatever list it is in
    struct record_place place;
};

// The last moment of the year 9999. What a server calls later is no time: it
// would only overflow what is added to it.
#define RECORD_TIME_MOST_MS 253402300799999

/* When it arrived; 0: it does not say. */
static inline int64_t record_arrival_ms(const struct record *record)
{
    int64_t at_ms = record->arrived_at_ms;

    return at_ms > 0 && at_ms <= RECORD_TIME_MOST_MS ? at_ms : 0;
}

struct record_list {
    struct record *first, *last;
    size_t count;
};

/* What tells it from every other record of its source: its id; of a sub-record
 * "ID:N" with N from 0, as KCL and AWS's libraries count sub-sequence numbers.
 */
struct bytes record_full_id(const struct record *record);

void record_list_add(struct record_list *list, struct record *record);
struct record *record_list_take(struct record_list *list);

struct chunk {
    struct buffer body;     // owned: the response
    struct record *records; // owned: an array
    size_t capacity;        // of the array
    void *extra;            // owned: attribute arrays, or texts; free(3)
    size_t extra_size;      // of it; 0: not worth counting
    size_t live;
    struct chunk_spares *spares; // borrowed; where memory goes; NULL: free(3)
    size_t *lent; // borrowed; its footprint is in this sum; NULL: in none
};

/* Its memory; the same as long as it lives. */
size_t chunk_footprint(const struct chunk *chunk);

/* Memory of a source's chunks that have ended, for its next ones: while page
 * after page of a stream is read, fresh memory would cost as much as reading
 * them. Zeroed, it takes nothing in. */
#define CHUNK_SPARES 2
struct chunk_spares {
    bool open; // else memory is freed
    struct chunk_spare {
        struct buffer body;     // owned
        struct record *records; // owned
        size_t capacity;
    } list[CHUNK_SPARES];
};

/* Free all, and take nothing more in. */
void chunk_spares_close(struct chunk_spares *spares);

/* The memory of a body, empty; of an array, with its capacity, or NULL. */
struct buffer chunk_spares_body(struct chunk_spares *spares);
struct record *chunk_spares_records(struct chunk_spares *spares,
                                    size_t *capacity);

/* Takes the body out of `body`. `records` holds `count` zeroed records, each
 * with its chunk set, counted as live. */
struct chunk *chunk_create(struct buffer *body, size_t count);

/* The same around an array that grew while it was parsed: takes `records`
 * (malloc'ed) over as well and sets the chunk of each. */
struct chunk *chunk_adopt(struct buffer *body, struct record *records,
                          size_t count);

/* Free a chunk that was never handed out (a parse that failed). */
void chunk_destroy(struct chunk *chunk);

/* The same stream record in memory of its own, so that it keeps no other's
 * alive. The one that is copied stays the caller's. */
struct record *record_copy(const struct record *record);

/* The record is done with; its chunk goes with the last one. */
void record_release(struct record *record);

#endif
