/*
 * event: the Lambda event JSON of a batch, byte-faithful to what AWS sends
 * (lambda-esm.md section 2), straight into a buffer.
 *
 * Lambda hands out aggregated Kinesis records whole. What pollard split has two
 * things more, so that its parts can be told apart: `subSequenceNumber` beside
 * their `sequenceNumber`, which is the whole's, by the name that AWS's own
 * de-aggregation libraries gave it; and the same at the end of `eventID`.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_EVENT_H
#define POLLARD_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct record;
struct record_origin;

/* {"Records":[...]}. */
void event_write(struct buffer *out, const struct record *const *records,
                 size_t count);

/* Seconds as AWS writes them: 1545084650.987, 1545084650.5, 1607497475.0. */
void event_put_seconds(struct buffer *out, int64_t ms);

/* A tumbling window (lambda-esm.md section 2.4), as one invocation sees it. */
struct event_window {
    const struct record_origin *origin; // borrowed; of the shard
    int64_t start_ms, end_ms;           // since 1970; whole seconds
    struct bytes state;                 // a JSON object; borrowed
    bool is_final;                      // isFinalInvokeForWindow
    bool is_terminated_early;           // isWindowTerminatedEarly
};

/* {"Records":[...],"window":...}, with the fields that a tumbling window adds.
 * The state is passed on as it is. */
void event_write_window(struct buffer *out, const struct record *const *records,
                        size_t count, const struct event_window *window);

/* Upper estimate of what those add, the state aside. */
size_t event_window_size(const struct event_window *window);

/* Upper estimate of one record's part, for the 6 MB cut; sources store it as
 * record->event_size. */
size_t event_record_size(const struct record *record);

/* Its two terms, for a source that reads many records at once: what all of an
 * origin have in common, and the record's own. */
size_t event_origin_size(const struct record_origin *origin);
size_t event_own_size(const struct record *record);

#define EVENT_LIMIT (6u * 1024 * 1024)   // Lambda's synchronous payload cap
#define EVENT_STATE_LIMIT (1024u * 1024) // of a window that goes on
#define EVENT_FRAME 16u                  // {"Records":[]} and some

#endif
