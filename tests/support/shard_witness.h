/*
 * shard_witness: watches one poller of one shard from outside, through all that
 * it does to others (reads, calls, reports, checkpoints, verdicts), and fails
 * the test when it does what it must not (lambda-esm.md sections 1.2, 2.4, 3.3,
 * 4 and 7):
 *
 *   order       a lane's batch is the front of what waits in it; one at a time
 *   checkpoint  as far as all is accounted for, and no further
 *   attempts    no more errors for a record than its retries and one, but for
 *               those of a batch that was split; getting on begins anew
 *   age         nothing starts with a record that is too old, and nothing
 *               younger is given up for its age
 *   reports     what is given up was accepted, or there is no destination
 *   windows     calls belong to the window that is open and are shown the state
 *               that the last one left, over crashes too; the next window opens
 *               when the final call has succeeded
 *   gate        no faster than the rate, nothing while the breaker is open
 *   progress    a lane with work and no reason to wait works
 *   memory      no more waits than the lanes may read ahead
 *
 * It knows the rules by themselves, not how the core goes about them.
 */
#ifndef POLLARD_SHARD_WITNESS_H
#define POLLARD_SHARD_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller/trigger_config.h"
#include "record/record.h"
#include "source/source.h"
#include "stream_model.h"

struct discard;
struct invocation;
struct poller_checkpoint;

#define WITNESS_LANES 10
// What one read may bring.
#define WITNESS_PAGE_BYTES (10u << 20)

enum seat_state {
    SEAT_UNREAD,
    SEAT_WAITING,
    SEAT_RUNNING,
    SEAT_GIVEN_UP, // on its way out
    SEAT_OVER,
};

struct seat { // of a record
    enum seat_state state;
    enum model_fate fate; // once over; FATE_NONE: it was left
    unsigned lane;
    unsigned errors; // since its batch was formed, or last got on
};

struct witness_lane {
    bool is_busy;      // a call runs, or a report is out
    int64_t failed_ms; // its last call failed, or never ran
    bool has_failed;
};

/* An open tumbling window, by the rules. */
struct witness_window {
    bool is_open, is_outdated, is_too_large;
    bool is_settled; // something of it is over: it must be stored
    int64_t start_ms, end_ms;
    char state[64];
};

struct shard_witness {
    struct model_stream *stream;          // borrowed
    struct model_shard *shard;            // borrowed
    const struct trigger_config *trigger; // borrowed
    bool has_destination;
    uint64_t seed;

    struct record_origin origins[MODEL_SHARD_RECORDS]; // what a record points
                                                       // back with
    struct seat seats[MODEL_SHARD_RECORDS];
    size_t first; // record that it began with
    size_t over;  // so many of the shard's records are accounted for
    size_t told;  // as the checkpoint says
    size_t inside, waiting;
    uint64_t waiting_bytes;
    struct witness_lane lanes[WITNESS_LANES];
    size_t lane_count;
    bool is_stopping;
    bool last_was_unhandled[WITNESS_LANES];

    struct witness_window window;
    bool is_final_out, shard_ended;
    int64_t came_ms, seen_at_ms; // as the rules of idle windows count
    char *told_window;           // owned; NULL: none

    int64_t began_ms;
    uint64_t dispatched;
    uint64_t failures; // batches in a row
    bool is_broken;    // the breaker is open
    int64_t mends_ms;
    const struct invocation *tried;
};

void witness_init(struct shard_witness *witness, int64_t now_ms);
void witness_finish(struct shard_witness *witness);

/* The record's index in its shard. */
size_t witness_index(const struct shard_witness *witness,
                     const struct record *record);

/* So many more are asked for. */
void witness_asked(const struct shard_witness *witness, size_t room);

/* The next record was read, or is trimmed. */
void witness_read(struct shard_witness *witness, size_t index, int64_t now_ms);
void witness_trimmed(struct shard_witness *witness, size_t index);

void witness_started(struct shard_witness *witness,
                     const struct invocation *invocation, int64_t now_ms,
                     int64_t wall_ms);

/* How a call ends, before the poller hears of it. */
struct witness_ending {
    bool is_unstarted;
    bool is_unhandled; // an error or a timeout
    bool all_failed;   // that, or a report that breaks the rules
    size_t done;       // records from the front
    const char *state; // that it left; NULL: none
    bool is_too_large; // the state is, whatever `state` says
};
void witness_ended(struct shard_witness *witness,
                   const struct invocation *invocation,
                   const struct witness_ending *ending, int64_t now_ms);

/* A discard comes out; it is over; it could not be. */
void witness_gave_up(struct shard_witness *witness,
                     const struct discard *discard);
void witness_discarded(struct shard_witness *witness,
                       const struct discard *discard, bool is_reported);
void witness_not_discarded(struct shard_witness *witness,
                           const struct discard *discard);

void witness_told(struct shard_witness *witness,
                  const struct poller_checkpoint *checkpoint);
void witness_settled(struct shard_witness *witness, const struct record *record,
                     enum source_verdict verdict);

/* A round is over. may_start: the lease allows it. */
void witness_round(struct shard_witness *witness, bool may_start,
                   int64_t now_ms);

/* The store has taken what was told. */
void witness_committed(struct shard_witness *witness);

#endif
