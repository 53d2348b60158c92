/*
 * memory_source: a queue or a shard in memory (memory_queue), and a source over
 * it: whole, with visibility, receive counts, an end, a parked long poll, and
 * failures on demand. It asserts the contract of source.h on its callers. The
 * queue outlives its sources, as queues do.
 *
 * Threads: the poller's once given away; a test looks at it before and after.
 */
#ifndef POLLARD_MEMORY_SOURCE_H
#define POLLARD_MEMORY_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "source/source.h"

struct memory_message {
    char id[24];
    char *data, *key; // owned
    enum { MEMORY_VISIBLE, MEMORY_HIDDEN, MEMORY_DELETED } state;
    int64_t visible_ms;
    uint32_t receive_count;
    uint32_t done, again, returned, extended; // verdicts so far
};

struct memory_queue {
    struct memory_message **messages; // owned; in order
    size_t count;
    int64_t visibility_ms;
};

void memory_queue_init(struct memory_queue *queue, int64_t visibility_ms);
void memory_queue_finish(struct memory_queue *queue);
void memory_queue_push(struct memory_queue *queue, const char *data,
                       const char *key);
struct memory_message *memory_queue_find(const struct memory_queue *queue,
                                         const char *data);
size_t memory_queue_count(const struct memory_queue *queue, int state);

struct memory_source {
    struct source source;       // first
    struct memory_queue *queue; // borrowed
    bool is_shard;
    size_t read_to; // a shard's
    struct record_list arrived;
    size_t out;               // records the poller has
    size_t asked, most_asked; // the latest room, and the largest
    bool stopped, parked;
    int refuses_extends;  // so many more; as a queue that does not answer
    bool shard_is_closed; // it ends behind its last record
    struct error error;
    int fail_after; // calls that still succeed; -1: all
    struct source_counts counts;
    bool *closed; // borrowed; set on close. NULL: nobody asks
};

/* A shard is read from after the first `read_to` records. */
struct memory_source *memory_source_open(struct memory_queue *queue);
struct memory_source *memory_source_open_shard(struct memory_queue *queue,
                                               size_t read_to);

#endif
