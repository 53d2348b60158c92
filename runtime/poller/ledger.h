/*
 * ledger: how far a shard is handled. It knows the records that are inside and
 * not handled, in the order in which they arrived, and the checkpoint: the last
 * record before which, itself included, everything is handled.
 *
 * What is handled out of turn is not kept: of each run of such records only the
 * sequence of the last is remembered, as text, with the unhandled record in
 * front of the run. So a record that is stuck keeps no other's memory, and the
 * ledger is never larger than what is unhandled. Each step takes constant time.
 *
 * Threads: the poller's. Pure.
 */
#ifndef POLLARD_LEDGER_H
#define POLLARD_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct ledger_text;
struct record;

struct ledger {
    struct record *first, *last; // borrowed; unhandled, as they arrived
    size_t count;
    struct ledger_text *checkpoint; // owned; NULL: nothing handled yet
    struct ledger_text *spares;     // owned
    bool moved;                     // the checkpoint, since it was asked for
    bool is_end;                    // it moves no more
};

void ledger_init(struct ledger *ledger);
/* Requires that no record is inside. */
void ledger_finish(struct ledger *ledger);

/* A record arrived behind all others. */
void ledger_enter(struct ledger *ledger, struct record *record);

/* One arrived that needs no handling. */
void ledger_pass(struct ledger *ledger, const struct record *record);

/* A record is handled. It is out of the ledger. */
void ledger_done(struct ledger *ledger, struct record *record);

/* A record leaves unhandled (a stop): what arrived behind it no longer counts.
 */
void ledger_leave(struct ledger *ledger, struct record *record);

/* The checkpoint as record/sequence.h has it; it lives until the ledger changes
 * next. False: it did not move since the last call. */
bool ledger_checkpoint(struct ledger *ledger, struct bytes *sequence);

#endif
