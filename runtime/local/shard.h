/*
 * shard: one shard of a stream: its range, its lineage and its records, which
 * are kept as the CBOR that GetRecords answers with, so that a page of them is
 * a few large copies.
 *
 * A position is a record's ordinal in the shard since it was opened; trimming
 * does not change it. A serial is what makes sequence numbers grow.
 *
 * Threads: the server thread only.
 */
#ifndef POLLARD_LOCAL_SHARD_H
#define POLLARD_LOCAL_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "local/hash_key.h"
#include "local/list.h"

#define SHARD_ID_SIZE 20
#define SHARD_SEQUENCE_SIZE 56
#define SHARD_NONE UINT32_MAX

struct shard_record {
    uint64_t serial;
    int64_t arrived_ms;
    uint64_t payload_end; // payload of the shard up to and with this record
    const char *cbor;     // in a block
    uint32_t size;        // of the CBOR
    uint32_t data_at, data_size;
    uint32_t key_size;
};

struct shard {
    uint32_t index;
    char id[SHARD_ID_SIZE + 1];
    uint32_t parent, adjacent;             // indices, or SHARD_NONE
    hash_key first, last;                  // both inclusive
    int64_t opened_ms, closed_ms;          // closed_ms 0: open
    uint64_t opened_serial, closed_serial; // closed_serial: of the end

    char sequence[SHARD_SEQUENCE_SIZE + 1]; // of serial 0
    struct list blocks;
    struct shard_record *records; // owned; from records[head]
    size_t head, count, capacity;
    uint64_t trimmed; // position of records[head]
    uint64_t payload;
};

struct shard_options {
    uint32_t index, parent, adjacent;
    hash_key first, last;
    int64_t opened_ms, stream_created_ms;
    uint64_t opened_serial;
};

struct shard *shard_create(const struct shard_options *options);
void shard_destroy(struct shard *shard);

void shard_append(struct shard *shard, uint64_t serial, int64_t now_ms,
                  struct bytes key, struct bytes data);

/* Forget records that arrived before. */
void shard_trim(struct shard *shard, int64_t before_ms);

/* Positions: of the oldest record kept, after the newest, of the first one that
 * is not before a serial or a time. */
uint64_t shard_start(const struct shard *shard);
uint64_t shard_end(const struct shard *shard);
uint64_t shard_position_of(const struct shard *shard, uint64_t serial);
uint64_t shard_position_at(const struct shard *shard, int64_t time_ms);

/* The record must be there. */
const struct shard_record *shard_record(const struct shard *shard,
                                        uint64_t position);
struct bytes shard_record_data(const struct shard_record *record);
struct bytes shard_record_key(const struct shard_record *record);
struct bytes shard_record_sequence(const struct shard_record *record);

/* How many records from a position make a page: at most `limit`, and at most
 * `payload` bytes of data and keys, but one at least. */
size_t shard_page(const struct shard *shard, uint64_t position, size_t limit,
                  uint64_t payload);

/* The records one after another, as CBOR maps. */
void shard_put_cbor(const struct shard *shard, uint64_t position, size_t count,
                    struct buffer *out);

/* The sequence number of a serial in this shard, and a terminator. */
void shard_sequence(const struct shard *shard, uint64_t serial,
                    char text[SHARD_SEQUENCE_SIZE + 1]);

/* False: not a sequence number of this shard. */
bool shard_serial(const struct shard *shard, struct bytes sequence,
                  uint64_t *serial);

#endif
