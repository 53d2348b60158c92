/*
 * membership: our session in the store: opening the file, joining, the
 * heartbeat, and until when it lets us act (leases.md section 4.4).
 *
 * The deadline counts from the moment a beat was sent; others count our age
 * from when they read it. So ours passes first, and nothing is done twice. A
 * session that was killed is never revived: the next one has a new id.
 *
 * Threads: the keeper's.
 */
#ifndef POLLARD_MEMBERSHIP_H
#define POLLARD_MEMBERSHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "store/store.h"

struct membership;

struct membership_options {
    const char *path, *application; // of the store; copied
    const char *name;               // of this process; copied, begins the id
    int64_t duration_ms;            // D
    int64_t heartbeat_ms;           // H
    const struct clock *clock;
    const struct log *log; // borrowed
    uint64_t seed;
};

struct membership *membership_create(const struct membership_options *options);
/* As if the process died. NULL is fine. */
void membership_destroy(struct membership *membership);

/* Open the store, unless it is open. */
bool membership_open(struct membership *membership, struct error *err);

/* Join with a new session. */
enum store_result membership_join(struct membership *membership);

/* One heartbeat, when it is due. CONFLICT: somebody asked for a lease of ours:
 * read them, then tell membership_saw_asks and beat again. FENCED: we were
 * killed. */
enum store_result membership_beat(struct membership *membership);
void membership_saw_asks(struct membership *membership);

/* Announce that we leave; then leave. */
enum store_result membership_drain(struct membership *membership);
enum store_result membership_leave(struct membership *membership);

/* Close the store without a word. */
void membership_close(struct membership *membership);

bool membership_is_joined(const struct membership *membership);
const char *membership_id(const struct membership *membership);
struct store *membership_store(const struct membership *membership);

/* Monotonic: until then our leases are ours. */
int64_t membership_acts_until_ms(const struct membership *membership);
int64_t membership_beat_due_ms(const struct membership *membership);

/* Every answer of the store passes here, of a write or of a read: says once
 * that it fails, and once that it works again, and of one that does both in
 * turn no more than that in a minute. Only a write tells that it works: a full
 * disk is read from all the same. Returns result. */
enum store_result membership_note(struct membership *membership,
                                  enum store_result result,
                                  const struct error *err);
enum store_result membership_note_read(struct membership *membership,
                                       enum store_result result,
                                       const struct error *err);
/* No write worked since one failed. */
bool membership_is_failing(const struct membership *membership);

#endif
