/*
 * failure_read: a stored failure report taken apart, for `pollard failed`. What
 * is in a folder may have been put there by anybody: nothing is believed but
 * its shape.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_FAILURE_READ_H
#define POLLARD_FAILURE_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct error;

struct failure_read {
    struct buffer text, raw; // owned; what the members are slices of
    // Of a report; of the bare event of records that no filter matched only
    // condition ("Filtered") and payload are there.
    struct bytes condition, function_arn, timestamp;
    struct bytes shard, first, last, stream_arn;
    int64_t invoke_count, batch_size;
    struct bytes payload; // the event; empty: it has none
};

/* Takes the text over, in any case. ERROR_INVALID says what is wrong with it.
 * The caller finishes it in any case. */
bool failure_read(struct failure_read *read, struct buffer *text,
                  struct error *err);
void failure_read_finish(struct failure_read *read);

#endif
