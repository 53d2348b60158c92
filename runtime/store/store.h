/*
 * store: sessions, leases and checkpoints (leases.md section 4). Every
 * operation is one conditional statement; the answer says whether it took. What
 * is fenced by (owner, epoch) can never be written by a worker that lost its
 * lease.
 *
 * Words: a session is one start of one stream keeper and never comes back once
 * dead; a lease is (application, stream, shard); its epoch grows with each
 * grant and is the fencing token.
 *
 * The one kind of store so far is a SQLite file: for workers of one machine,
 * on a local file system. Network file systems are refused, because their locks
 * cannot be trusted. A worker that is frozen in the middle of a write holds up
 * all others until it goes on or is killed. Beside the file lies a folder,
 * PATH-sessions, with a file for each living session that its process keeps
 * locked: when the lock is free the process is gone, and its leases may be
 * taken at once.
 *
 * Threads: a struct store belongs to one thread at a time (the stream keeper
 * opens its own) and is one session's; any number may be open on one file, in
 * one process or in several.
 */
#ifndef POLLARD_STORE_H
#define POLLARD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct clock;
struct error;
struct store;

enum store_result {
    STORE_OK,       // took
    STORE_FENCED,   // (owner, epoch) or the session is no longer ours: let go
    STORE_CONFLICT, // the condition did not hold: look again
    STORE_UNKNOWN,  // may or may not have taken: look, then try again; err
                    // says why
    STORE_UNAVAILABLE, // did not take: try again (busy, disk full); err says
                       // why
};

enum session_state { SESSION_LIVE, SESSION_DRAINING, SESSION_DEAD };
enum lease_state { LEASE_OPEN, LEASE_ENDED, LEASE_LOST };

struct session_row {
    char *id; // owned
    int64_t beat, asks;
    int64_t ttl_ms; // how long its leases outlive its last beat (D)
    enum session_state state;
    bool is_gone; // its process ended, the store is sure: kill at once
};

struct lease_row {
    char *stream, *shard; // owned
    char *owner;          // owned; session id or NULL
    char *wanted_by;      // owned; or NULL
    int64_t epoch, ver;
    enum lease_state state;
    char *checkpoint; // owned; as record/sequence.h writes it, or
                      // TRIM_HORIZON, LATEST, AT_TIMESTAMP, SHARD_END
    char *window;     // owned; the tumbling window that is open, as it was
                      // written; NULL: none. Of a lease just granted alone: a
                      // listing leaves it out, for it may be large
    int64_t start_timestamp_ms; // what LATEST and AT_TIMESTAMP mean
    char *parents;              // owned; JSON array of shard ids
};

void session_row_finish(struct session_row *row);
void lease_row_finish(struct lease_row *row);

struct lease_rows {
    struct lease_row *list; // owned; ordered by shard
    size_t count;
};
struct session_rows {
    struct session_row *list; // owned; ordered by id
    size_t count;
};
void lease_rows_finish(struct lease_rows *rows);
void session_rows_finish(struct session_rows *rows);

struct lease_new { // a row for store_lease_create
    const char *shard, *checkpoint;
    const char *parents; // JSON array of shard ids; NULL: none
    int64_t start_timestamp_ms;
};

struct lease_claim { // for store_lease_acquire
    const char *shard;
    int64_t seen_ver;
    enum store_result result; // out
    struct lease_row row;     // out, when OK: as granted. Caller finishes
};

struct lease_token { // what an owner writes with
    const char *stream, *shard;
    int64_t epoch;
};

struct checkpoint_write {
    struct lease_token lease;
    const char *sequence;     // as record/sequence.h writes it
    bool sets_window;         // else the stored window stays as it is
    struct bytes window;      // UTF-8 text; empty: none is open
    enum store_result result; // out; CONFLICT: the stored one is later, or this
                              // is no sequence. Then the window stays, too
    bool is_wanted;           // out: somebody asks for this lease
};

#define STORE_WINDOW_LIMIT (1024u * 1024 + 4096) // bytes of a window

struct store_options {
    const char *path;        // SQLite file
    const char *application; // copied; what the leases are kept under
    const char *session;     // copied; never used before. No '/'
    int64_t ttl_ms;          // of the session, D; 0: 10 s
    const struct clock *clock;
};

/* "host:pid:random64", fresh for each call. Caller frees. */
char *store_session_id(void);

/* Create or open. ERROR_INVALID for a file of a newer version, for what is no
 * store at all and for a folder that does not exist; ERROR_TRANSIENT for a full
 * disk or a busy file; ERROR_DENIED for what cannot be written. */
struct store *store_open(const struct store_options *options,
                         struct error *err);

/* Once for a store. CONFLICT: the id was used before. */
enum store_result store_session_join(struct store *store, struct error *err);
/* Bumps the beat. FENCED: our session was killed; drop everything. CONFLICT:
 * `asks` moved; read wanted_by of our leases, then beat again with the new
 * value in row->asks. The row is filled for OK and CONFLICT; caller finishes.
 */
enum store_result store_session_beat(struct store *store, int64_t asks_seen,
                                     struct session_row *row,
                                     struct error *err);
/* All but the dead. */
enum store_result store_sessions_list(struct store *store,
                                      struct session_rows *rows,
                                      struct error *err);
enum store_result store_session_kill(struct store *store, const char *id,
                                     int64_t seen_beat, struct error *err);
/* No more leases from here on; those we have stay ours. */
enum store_result store_session_drain(struct store *store, struct error *err);
/* Dead of our own will; what we still hold is free. */
enum store_result store_session_leave(struct store *store, struct error *err);

/* Rows that exist already are left alone. One transaction. */
enum store_result store_lease_create(struct store *store, const char *stream,
                                     const struct lease_new *leases,
                                     size_t count, struct error *err);
enum store_result store_lease_list(struct store *store, const char *stream,
                                   struct lease_rows *rows, struct error *err);
/* Many leases in one transaction; each result stands in its claim: OK, or
 * CONFLICT for one that is not free, whose parents have not ended, or that
 * changed since seen_ver. The return value is OK when the transaction
 * committed; otherwise no row is filled. */
enum store_result store_lease_acquire(struct store *store, const char *stream,
                                      struct lease_claim *claims, size_t count,
                                      struct error *err);
/* Many checkpoints in one transaction, each with its window; each result stands
 * in its write. The return value is OK when the transaction committed. */
enum store_result store_lease_checkpoint(struct store *store,
                                         struct checkpoint_write *writes,
                                         size_t count, struct error *err);
/* Ask a live owner to hand over. */
enum store_result store_lease_want(struct store *store, const char *stream,
                                   const char *shard, const char *owner,
                                   int64_t owner_epoch, struct error *err);
/* Only D + Y after the want was acknowledged (leases.md 4.4). OK fills the row;
 * caller finishes. */
enum store_result store_lease_take_forced(struct store *store,
                                          const char *stream, const char *shard,
                                          const char *owner,
                                          int64_t owner_epoch,
                                          struct lease_row *row,
                                          struct error *err);
/* Free it. A wanted_by stays, as a hint for whom. */
enum store_result store_lease_release(struct store *store,
                                      const struct lease_token *lease,
                                      struct error *err);
/* The shard's last record is settled: its children's rows first, then the end,
 * in one transaction. */
enum store_result store_lease_end(struct store *store,
                                  const struct lease_token *lease,
                                  const struct lease_new *children,
                                  size_t count, struct error *err);
/* The service no longer knows the shard, and it was not read to its end. */
enum store_result store_lease_lost(struct store *store,
                                   const struct lease_token *lease,
                                   struct error *err);
/* Delete rows that ended so long ago that no listing can bring them back. */
enum store_result store_lease_collect(struct store *store, const char *stream,
                                      int64_t ended_before_wall_ms,
                                      struct error *err);

/* Without store_session_leave it is as if the process died: the session's
 * leases are taken by others. NULL is fine. */
void store_close(struct store *store);

#endif
