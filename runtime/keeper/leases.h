/*
 * leases: what this worker holds of one stream, in one place: it keeps our
 * session alive, watches the others, takes, hands over and ends leases, and
 * writes their checkpoints, many in one transaction. The decisions are
 * keeper/plan.h's; this carries them out on the store.
 *
 * It starts no reader and waits for nothing: the caller calls leases_tick when
 * leases_due_ms says so, looks at every held lease afterwards (has it a reader?
 * should it have one?), and tells what its readers did. Time comes from the
 * clock alone, so that the simulation runs it as it is.
 *
 * A held lease is ours until it is released, ended or lost; it stays in the
 * list until its reader is gone too. As long as a reader that lost its lease
 * unwinds, this worker does not take the shard again.
 *
 * Threads: the keeper's, but for acts_until_ms.
 */
#ifndef POLLARD_LEASES_H
#define POLLARD_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keeper/lineage.h"
#include "source/stream_list.h"

struct clock;
struct error;
struct leases;
struct log;

enum lease_end {
    LEASE_END_NONE,
    LEASE_END_STOPPED, // the reader was asked to stop, and did
    LEASE_END_SHARD,   // it read the shard to its end
    LEASE_END_MISSING, // the service does not know the shard
};

struct lease_progress {
    const char *sequence; // up to here all is handled; NULL: as before
    bool sets_window;     // else the open window is as before
    char *window;         // of leases from then on; NULL: none is open
};

struct lease_held {
    // Never changed after the grant.
    char *shard; // owned
    int64_t epoch;

    // Read by the reader's thread: it starts nothing past it. Atomic.
    int64_t acts_until_ms;

    // The caller's.
    void *context;

    // To be read by the caller.
    bool is_ours;
    bool should_read; // false: its reader is to finish and end
    bool has_reader;

    // Of leases alone.
    char *sequence;       // owned; up to here all is handled. NULL: nothing yet
    char *begin;          // owned; what the row said before that
    int64_t timestamp_ms; // of AT_TIMESTAMP; when LATEST was said
    bool was_read;        // by this worker, since it is ours
    unsigned misses;      // readers that were told that there is no such shard
    bool is_dirty;        // sequence or window is not written yet
    char *window;         // owned; the tumbling window that is open, or NULL
    bool window_is_dirty; // it is not written yet
    int64_t asked_ms;     // when we saw that another wants it; 0: nobody does
    bool is_abandoned;    // its reader hangs
    int64_t ended_ms;     // when the reader said that the shard ended
    enum lease_end end;   // how the reader ended
};

struct leases_options {
    const char *path, *application; // of the store; copied
    const char *stream;             // copied; NULL: leases_set_stream says
    const char *name;               // of this process; copied
    struct lineage_start start;
    int64_t duration_ms, heartbeat_ms, flush_ms; // leases.md 4.4
    const struct clock *clock;
    const struct log *log; // copied
    uint64_t seed;
};

struct leases *leases_create(const struct leases_options *options);

/* As if the process died, unless it has left. Requires that no lease has a
 * reader. NULL is fine. */
void leases_destroy(struct leases *leases);

/* Open the store, so that what is wrong with it shows at once. */
bool leases_open(struct leases *leases, struct error *err);

/* Do what is due: join, beat, look, take, write, let go. */
void leases_tick(struct leases *leases);
int64_t leases_due_ms(const struct leases *leases);

/* The held ones, ordered by shard. One that is neither ours nor read any more
 * is shown once more, and forgotten by the next tick. */
size_t leases_count(const struct leases *leases);
struct lease_held *leases_at(const struct leases *leases, size_t index);

/* Where its reader is to start, and the tumbling window that it goes on with,
 * or NULL. Borrowed from held. */
struct stream_start leases_start_of(const struct lease_held *held);
const char *leases_window_of(const struct lease_held *held);

/* Its reader got on; written with the next flush. After large windows that
 * comes later, so that no disk writes more than a few megabytes a second. */
void leases_progress(struct leases *leases, struct lease_held *held,
                     const struct lease_progress *progress);

void leases_reader_started(struct leases *leases, struct lease_held *held);
/* After its last progress. NONE: it failed and will be started again. */
void leases_reader_ended(struct leases *leases, struct lease_held *held,
                         enum lease_end end);

/* Its reader hangs: let others have it. */
void leases_abandon(struct leases *leases, struct lease_held *held);

/* Whose leases to keep from now on. Those of another stream are let go first.
 */
void leases_set_stream(struct leases *leases, const char *stream);

/* A shard ended or is missing, and only a listing shows what follows. */
bool leases_want_listing(const struct leases *leases);
/* False: the store did not take it; list again soon. */
bool leases_listed(struct leases *leases, const struct stream_shards *shards);
/* Both for the one of a source's streams whose turn it is: *chosen. */
bool leases_follow(struct leases *leases, const struct stream_listing *listing,
                   size_t *chosen);
/* The stream whose leases these are. NULL: not known yet. */
const char *leases_stream(const struct leases *leases);

/* Take nothing more, let every reader finish, let go of everything, leave. */
void leases_drain(struct leases *leases);
bool leases_have_left(const struct leases *leases);

/* The last call to the store did not work; it is tried again. */
bool leases_are_stuck(const struct leases *leases);

#endif
