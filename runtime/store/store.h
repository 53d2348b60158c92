/*
 * store: sessions, leases and checkpoints (leases.md section 4). Every
 * operation is one conditional statement; the answer says whether it took, and
 * brings the row as it is now. What is fenced by (owner, epoch) can never be
 * written by a worker that lost its lease.
 *
 * Words: a session is one process incarnation and never comes back once dead; a
 * lease is (application, stream, shard); its epoch grows with each grant and is
 * the fencing token.
 *
 * Threads: a struct store belongs to one thread (the stream keeper opens its
 * own); several may be open on the same file.
 */
#ifndef POLLARD_STORE_H
#define POLLARD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct error;
struct store;

enum store_result {
    STORE_OK,          // took; the row is as written
    STORE_FENCED,      // (owner, epoch) is no longer ours: let go now
    STORE_CONFLICT,    // the condition did not hold; the row shows why
    STORE_UNKNOWN,     // may or may not have taken: re-read
    STORE_UNAVAILABLE, // did not take; try again (busy, disk full). err says
                       // why
};

enum session_state { SESSION_LIVE, SESSION_DRAINING, SESSION_DEAD };
enum lease_state { LEASE_OPEN, LEASE_ENDED, LEASE_LOST };

struct session_row {
    char *id; // owned
    int64_t beat, asks;
    enum session_state state;
    bool is_gone; // the store knows that its process ended (SQLite: its lock
                  // file is free, or it is from another boot): kill at once
};

struct lease_row {
    char *stream, *shard; // owned
    char *owner;          // owned; session id or NULL
    char *wanted_by;      // owned; or NULL
    int64_t epoch, ver;
    enum lease_state state;
    char *checkpoint; // owned; sequence number or TRIM_HORIZON, LATEST,
                      // AT_TIMESTAMP, SHARD_END
    int64_t start_timestamp_ms; // what LATEST and AT_TIMESTAMP mean
    char *parents;              // owned; JSON array of shard ids
};

void session_row_finish(struct session_row *row);
void lease_row_finish(struct lease_row *row);

struct lease_rows {
    struct lease_row *list; // owned
    size_t count;
};
struct session_rows {
    struct session_row *list; // owned
    size_t count;
};
void lease_rows_finish(struct lease_rows *rows);
void session_rows_finish(struct session_rows *rows);

struct lease_new { // a row for lease_create
    const char *shard, *checkpoint, *parents;
    int64_t start_timestamp_ms;
};

struct lease_token { // what an owner writes with
    const char *stream, *shard;
    int64_t epoch;
};

struct checkpoint_write {
    struct lease_token lease;
    const char *sequence;     // digits
    enum store_result result; // out
    bool is_wanted;           // out: somebody asks for this lease
};

struct store_options {
    const char *path;        // SQLite file
    const char *application; // copied
    const char *session;     // id of this process: host:pid:random. Copied
    const struct clock *clock;
};

/* "host:pid:random64", fresh for each start. Caller frees. */
char *store_session_id(void);

/* Create or open; ERROR_INVALID for a file of a newer version or no store at
 * all, ERROR_TRANSIENT for a full disk or a busy file, ERROR_DENIED for a
 * folder or file that cannot be written. */
struct store *store_open(const struct store_options *options,
                         struct error *err);

enum store_result store_session_join(struct store *store, struct error *err);
/* Bumps the beat. FENCED: our session was killed; drop everything. CONFLICT:
 * `asks` moved; read wanted_by of our leases, then beat again with the new
 * value in row->asks. */
enum store_result store_session_beat(struct store *store, int64_t asks_seen,
                                     struct session_row *row,
                                     struct error *err);
enum store_result store_sessions_list(struct store *store,
                                      struct session_rows *rows,
                                      struct error *err);
enum store_result store_session_kill(struct store *store, const char *id,
                                     int64_t seen_beat, struct error *err);
enum store_result store_session_drain(struct store *store, struct error *err);
enum store_result store_session_leave(struct store *store, struct error *err);

/* Rows that exist already are left alone. One transaction. */
enum store_result store_lease_create(struct store *store, const char *stream,
                                     const struct lease_new *leases,
                                     size_t count, struct error *err);
enum store_result store_lease_list(struct store *store, const char *stream,
                                   struct lease_rows *rows, struct error *err);
/* OK fills *row with the granted lease: its epoch, and the checkpoint to resume
 * from. CONFLICT: not free, parents not ended, or changed since seen_ver. */
enum store_result store_lease_acquire(struct store *store, const char *stream,
                                      const char *shard, int64_t seen_ver,
                                      struct lease_row *row, struct error *err);
/* Many checkpoints in one transaction; each result stands in its write. The
 * return value is OK when the transaction committed. */
enum store_result store_lease_checkpoint(struct store *store,
                                         struct checkpoint_write *writes,
                                         size_t count, struct error *err);
/* Ask a live owner to hand over. */
enum store_result store_lease_want(struct store *store, const char *stream,
                                   const char *shard, const char *owner,
                                   int64_t owner_epoch, struct error *err);
/* Only D + Y after the want was acknowledged (leases.md 4.4). */
enum store_result store_lease_take_forced(struct store *store,
                                          const char *stream, const char *shard,
                                          const char *owner,
                                          int64_t owner_epoch,
                                          struct lease_row *row,
                                          struct error *err);
enum store_result store_lease_release(struct store *store,
                                      const struct lease_token *lease,
                                      struct error *err);
/* The shard's last record is settled: its children's rows first, then the end,
 * in one transaction. */
enum store_result store_lease_end(struct store *store,
                                  const struct lease_token *lease,
                                  const struct lease_new *children,
                                  size_t count, struct error *err);
enum store_result store_lease_lost(struct store *store,
                                   const struct lease_token *lease,
                                   struct error *err);
enum store_result store_lease_collect(struct store *store, const char *stream,
                                      int64_t ended_before_wall_ms,
                                      struct error *err);

/* NULL is fine. */
void store_close(struct store *store);

#endif
