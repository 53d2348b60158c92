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
 * A SubscribeToShardEvent is read by the same functions: in place of the next
 * iterator it has the ContinuationSequenceNumber.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_KINESIS_RECORDS_H
#define POLLARD_KINESIS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/stream.h"

struct buffer;
struct error;
struct record_origin;
struct chunk_spares;

#define KINESIS_RECORDS_LIMIT 10000 // of one answer

/*
 * The answer to GetRecords. The body moves into the page's chunk when there are
 * records; its bytes are overwritten in any case. ERROR_TRANSIENT when it is
 * not what GetRecords answers. Caller finishes the page.
 */
bool kinesis_page_parse(struct buffer *body, bool cbor,
                        const struct record_origin *origin, int64_t received_ms,
                        struct stream_page *page, struct error *err);

/* The same in two steps, so that the next page can be asked for before this
 * one's records are read: what servers put before the records, then the rest.
 */
struct kinesis_head {
    char *next_iterator;   // owned by the caller; NULL: not known yet
    int64_t millis_behind; // 0: the tip, or not known yet
    bool has_records;
};
struct kinesis_parse;
struct kinesis_parse_options {
    bool cbor;
    const struct record_origin *origin; // borrowed by the records
    int64_t received_ms;
    struct chunk_spares *spares; // borrowed by the chunk; may be NULL
};

/* Never fails: what is wrong is said in the end. The body stays where it is
 * until then. */
struct kinesis_parse *
kinesis_parse_begin(struct buffer *body,
                    const struct kinesis_parse_options *options,
                    struct kinesis_head *head);

/* Frees the parse in any case. */
bool kinesis_parse_end(struct kinesis_parse *parse, struct stream_page *page,
                       struct error *err);

/* The answer to GetShardIterator. Caller frees; NULL with err on failure. */
char *kinesis_iterator_parse(struct buffer *body, bool cbor, struct error *err);

#endif
