/*
 * event_read: the records of a shard back from the event that was made of them,
 * for what was stored beside a failure report. The opposite of event_write, for
 * Kinesis and DynamoDB Streams.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_EVENT_READ_H
#define POLLARD_EVENT_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "record/event.h"
#include "record/record.h"

struct error;

struct event_read {
    struct record_origin origin; // of all records
    struct record **records;     // owned; in order
    size_t count;
    bool has_window;
    struct event_window window; // of this origin

    char *arn, *region, *shard, *identity; // owned; the origin's
    struct buffer text, raw;               // owned; what records are slices of
    struct chunk *chunk;                   // owned; theirs
};

/* Takes the text over, in any case. `shard` is for events that do not name
 * theirs. ERROR_INVALID says what is wrong, and where. The caller finishes it
 * in any case; records are not to be released. */
bool event_read(struct event_read *event, struct buffer *text,
                const char *shard, struct error *err);
void event_read_finish(struct event_read *event);

#endif
