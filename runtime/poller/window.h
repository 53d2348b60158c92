/*
 * window: which records form a batch. Records wait in line; the front of the
 * line, cut by batch size and payload, is the next batch. It may go when it is
 * full or when its window has passed, whichever comes first (Lambda's rule).
 *
 * A window opens when the previous invocation finished, and an empty one is
 * followed by another; the first of all opens with its first record. A queue
 * runs several batches at once: an invocation that finishes while records wait
 * does not open their window anew, and what a batch leaves behind began with
 * its first record. No window is held so long that the first record's
 * visibility would not last for the invocation.
 *
 * Threads: the poller's. Pure: time is an argument.
 */
#ifndef POLLARD_WINDOW_H
#define POLLARD_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/record.h"

struct batch;

struct window_options {
    size_t batch_size;
    size_t payload_limit; // bytes of a batch's event
    int64_t length_ms;    // 0: go at once with what is there
    int64_t needs_ms;     // visibility that a record must have left to start
    bool reopens;         // a shard's: with what waits, too
};

struct window {
    struct window_options options;
    struct record_list waiting; // owned
    size_t bytes;               // of all that waits, as event
    int64_t opened_ms;          // of what waits
    bool has_reopened;          // an invocation finished
    int64_t reopened_ms;        // when

    // The front of the line: what the next batch would take.
    size_t front_count, front_bytes;
    struct record *front_last;
    bool front_is_full;
};

void window_init(struct window *window, const struct window_options *options);

/* A record joins the end of the line. */
void window_add(struct window *window, struct record *record, int64_t now_ms);

/* Records that had left the line come back to its front, in their order; `list`
 * is empty afterwards. */
void window_put_back(struct window *window, struct record_list *list);

/* An invocation finished: the next window opens. */
void window_reopen(struct window *window, int64_t now_ms);

/* The front may go: it is full, or its window has passed. */
bool window_is_due(const struct window *window, int64_t now_ms);

/* When it will be due by time alone. CLOCK_NEVER: nothing waits. */
int64_t window_closes_ms(const struct window *window);

/* Would the first in line still fit into this batch? False when none waits. */
bool window_fits(const struct window *window, const struct batch *batch);

/* The first in line leaves it. NULL when none waits. */
struct record *window_take(struct window *window);

/* The record waited until its visibility no longer lasts for an invocation: it
 * is better given back. One just received is not stale whatever it has left,
 * because it would not come back with more. */
bool window_is_stale(const struct window *window, const struct record *record,
                     int64_t now_ms);

/* When the first in line becomes stale. CLOCK_NEVER: never. */
int64_t window_stale_ms(const struct window *window);

#endif
