/*
 * dynamodb_records: what DynamoDB Streams answers to GetRecords, cut into
 * records: names and numbers are slices of the response; the `dynamodb` object,
 * which is a record's data, is written anew beside it, in the order and the
 * notation of Lambda's events (lambda-esm.md section 2.3), whatever order and
 * white space the server had.
 *
 * A record's key is its item's: the canonical JSON of Keys, attributes by name.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_DYNAMODB_RECORDS_H
#define POLLARD_DYNAMODB_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "source/stream.h"

struct buffer;
struct error;
struct record_origin;

#define DYNAMODB_RECORDS_LIMIT 1000 // of one answer

/*
 * The answer to GetRecords. The body moves into the page's chunk when there are
 * records; its bytes are overwritten in any case. ERROR_TRANSIENT when it is
 * not what GetRecords answers. Caller finishes the page.
 */
bool dynamodb_page_parse(struct buffer *body,
                         const struct record_origin *origin,
                         int64_t received_ms, struct stream_page *page,
                         struct error *err);

#endif
