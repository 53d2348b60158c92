/*
 * leases_inner: what the parts of leases share: leases.c (life, heartbeat,
 * checkpoints), leases_held.c (the list of held ones), leases_look.c (what the
 * others do, and what we do about it), leases_end.c (letting go) and
 * leases_follow.c (which stream). Private to them; the contract is leases.h.
 */
#ifndef POLLARD_LEASES_INNER_H
#define POLLARD_LEASES_INNER_H

#include "base/log.h"
#include "base/random.h"
#include "keeper/leases.h"
#include "store/store.h"

struct membership;
struct plan;

#define LEASES_RETRY_MS 500

struct leases {
    // Never changed after leases_create.
    int64_t duration_ms, look_ms, flush_ms;
    const struct clock *clock;
    struct log log;

    // The keeper's.
    struct lineage_start start;    // of a stream's first listing
    char *stream;                  // owned; NULL: not known yet
    char *next_stream;             // owned; once all of this one are let go
    struct membership *membership; // owned
    struct plan *plan;             // owned; of this session, NULL: not joined
    struct lease_held **held;      // owned, as what it points at; by shard
    size_t count;
    struct random random;
    int64_t look_due_ms, flush_due_ms, retry_ms, collect_due_ms;
    bool is_draining, has_drained, has_left;
};

/* leases.c */
int64_t leases_now(const struct leases *leases);
struct store *leases_store(const struct leases *leases);
/* Every call to the store passes here, a write or a read: true when it
 * answered. */
bool leases_answered(struct leases *leases, enum store_result result,
                     const struct error *err);
bool leases_have_read(struct leases *leases, enum store_result result,
                      const struct error *err);
struct lease_token leases_token(const struct leases *leases,
                                const struct lease_held *held);

/* Nothing is taken any more: all is let go. */
bool leases_let_all_go(const struct leases *leases);

/* leases_held.c. Add one; it may start at once. */
void leases_granted(struct leases *leases, const struct lease_row *row);
/* NULL: neither ours nor read by us. */
struct lease_held *leases_find(const struct leases *leases, const char *shard);
/* It is over for us, whatever its reader still does. */
void leases_let_go(struct leases *leases, struct lease_held *held);
/* The same, not of our own will. */
void leases_lost(struct leases *leases, struct lease_held *held);
/* Forget those that have neither lease nor reader, or all. */
void leases_forget_finished(struct leases *leases);
void leases_forget_all(struct leases *leases);
/* When we must have handed it over. */
int64_t leases_yield_deadline_ms(const struct leases *leases,
                                 const struct lease_held *held);
/* Tell its reader until when it may act: while our session lives, while nobody
 * who asked may force us, and while it is ours at all. */
void leases_set_guard(const struct leases *leases, struct lease_held *held);
void leases_set_guards(struct leases *leases);

/* leases_look.c. Read sessions and leases, and act on them: kill, acquire, ask,
 * force, yield. True when all was seen. */
bool leases_look(struct leases *leases);

/* leases_end.c. Release what is not to be read any more. */
void leases_release_finished(struct leases *leases);

#endif
