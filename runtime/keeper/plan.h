/*
 * plan: the decisions of a stream keeper about other workers (leases.md
 * sections 4.3, 4.4 and 4.6): who is dead, what everybody's share of the shards
 * is, and what to do about it now. No leader: every worker computes the same
 * plan from the same rows; where their views differ the store's conditions
 * decide, and the next look agrees.
 *
 * The plan is sticky: who holds a shard keeps it up to its quota, and only what
 * is free or too much is placed, by rendezvous hashing. A live owner is asked,
 * never robbed.
 *
 * Pure: rows and the time of their receipt in, moves out. It remembers when it
 * first saw things, because nobody's clock but our own is trusted.
 *
 * Threads: the keeper's.
 */
#ifndef POLLARD_PLAN_H
#define POLLARD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct plan;

struct plan_options {
    const char *me;    // session id; copied
    int64_t stable_ms; // nobody came or went for so long before shards move
    int64_t hold_ms;   // a shard stays so long where it was granted
    int64_t orphan_ms; // free for so long: taken by whoever sees it
};

enum plan_move {
    PLAN_NOTHING,
    PLAN_ACQUIRE,    // free, or its owner is dead
    PLAN_ASK,        // our share of a live owner's surplus
    PLAN_FORCE,      // asked so long ago that its owner must have let go
    PLAN_YIELD_SOON, // ours; somebody asks, but it came only just now
    PLAN_YIELD,      // ours; somebody asks: finish and hand over
};

/* How long an owner may take to hand over what it was asked for, and how long
 * the asker waits before it forces: ttl_ms is the owner's. */
int64_t plan_yield_grace_ms(int64_t ttl_ms);
int64_t plan_force_after_ms(int64_t ttl_ms);

struct plan *plan_create(const struct plan_options *options);
/* NULL is fine. */
void plan_destroy(struct plan *plan);

/* All sessions but the dead, received at now_ms. kill[i] says whether that
 * session is to be killed, at the beat it shows; look again when one was. */
void plan_see_sessions(struct plan *plan, const struct session_rows *rows,
                       int64_t now_ms, bool *kill);

/* All leases, received at now_ms after the sessions: one move for each.
 * blocked[i]: we could not read that shard now, whoever owns it. */
void plan_see_leases(struct plan *plan, const struct lease_rows *rows,
                     const bool *blocked, int64_t now_ms,
                     enum plan_move *moves);

#endif
