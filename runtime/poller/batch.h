/*
 * batch: the records of one invocation. Made by window, started by order,
 * judged by settle; the poller carries it to the handler and back.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_BATCH_H
#define POLLARD_BATCH_H

#include <stddef.h>

#include "record/event.h"

struct record;

struct batch {
    struct record **records; // owned; in order
    size_t count;
    size_t event_bytes; // of its event JSON, at the most
    unsigned attempt;   // 0: first; invocations that failed before this one
    unsigned lane;      // a shard's: which of its lanes it is from
    // A tumbling window's, whose last invocation has no records; as that is to
    // see it. Borrowed from the flow, which has one such batch out at a time.
    // NULL: no window.
    const struct event_window *window;
    void *context;      // the poller's own (its invocation)
    struct batch *next; // of whatever list it is in
};

/* Empty, with room for so many records. Caller frees with free(3); the records
 * go with it. */
struct batch *batch_create(size_t room);

/* Its next record; there is room for it. */
void batch_add(struct batch *batch, struct record *record);

/* The first so many records are no longer in it. */
void batch_cut(struct batch *batch, size_t count);

/* The first so many records leave for a batch of their own, of the same lane
 * and attempt. Caller frees. */
struct batch *batch_split(struct batch *batch, size_t count);

#endif
