/*
 * kinesis_records: what a Kinesis server answers to GetRecords and
 * GetShardIterator, in CBOR or JSON, cut into records in place: a record is a
 * few slices of the response, and base64 is decoded where it stands.
 *
 * The dialects it reads are those seen on servers (wire.md sections 2.4, 2.8
 * and 2.10): AWS's indefinite maps, kinesis-mock's base64 text in CBOR and its
 * explicit nulls, kinesalite's float seconds and its {"type":"Buffer"} for what
 * was put by CBOR.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_KINESIS_RECORDS_H
#define POLLARD_KINESIS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct chunk;
struct error;
struct record_origin;

#define KINESIS_RECORDS_LIMIT 10000 // of one answer

struct kinesis_page {
    struct chunk *chunk;   // owned; NULL when there is no record
    size_t count;          // records in the chunk
    size_t bytes;          // of their data and keys
    char *next_iterator;   // owned; NULL: this was the shard's end
    int64_t millis_behind; // 0: the tip, or unknown
    size_t children;       // shards that follow this one, at its end
};

/*
 * The answer to GetRecords. The body moves into the page's chunk when there are
 * records; its bytes are overwritten in any case. ERROR_TRANSIENT when it is
 * not what GetRecords answers. Caller finishes the page.
 */
bool kinesis_page_parse(struct buffer *body, bool cbor,
                        const struct record_origin *origin, int64_t received_ms,
                        struct kinesis_page *page, struct error *err);
void kinesis_page_finish(struct kinesis_page *page);

/* The answer to GetShardIterator. Caller frees; NULL with err on failure. */
char *kinesis_iterator_parse(struct buffer *body, bool cbor, struct error *err);

#endif
