/*
 * store_sqlite: the SQLite file below store.h: opening, prepared statements,
 * transactions, and what SQLite's codes mean. Private to the store's own files.
 *
 *     stmt = store_statement(store, LEASE_RELEASE);
 *     store_bind_text(stmt, ":shard", shard);
 *     result = store_write(store, "release", stmt, err);
 */
#ifndef POLLARD_STORE_SQLITE_H
#define POLLARD_STORE_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"
#include "store/store_lock.h"
#include "store/store_statements.h"

struct store {
    // Never changed after store_open.
    sqlite3 *db;        // owned
    char *path;         // owned; absolute, links resolved
    char *application;  // owned
    char *session;      // owned
    char *locks_folder; // owned; PATH-sessions
    int64_t ttl_ms;
    const struct clock *clock;

    // The owner thread's.
    struct store_lock lock; // held from join to leave or close
    sqlite3_stmt *statements[STORE_STATEMENT_COUNT]; // owned; NULL: not yet
};

/* Open or create the file, check whose it is, bring the schema. On failure the
 * caller closes. */
bool store_sqlite_open(struct store *store, struct error *err);
void store_sqlite_close(struct store *store);

/* False once the path names another file than the one that is open, or none. */
bool store_sqlite_is_in_place(const struct store *store);

/* A statement to bind and run: reset, with :app, :me and :clock bound where it
 * has them. NULL when it could not be prepared; every function here takes that
 * and store_failure says why. */
sqlite3_stmt *store_statement(struct store *store, enum store_statement_id id);
void store_bind_text(sqlite3_stmt *stmt, const char *name, const char *text);
void store_bind_bytes(sqlite3_stmt *stmt, const char *name, struct bytes text);
void store_bind_int(sqlite3_stmt *stmt, const char *name, int64_t number);

/* Copy a text column. NULL for NULL. Caller frees. */
char *store_column_text(sqlite3_stmt *stmt, int column);

/* The last call to SQLite failed: UNAVAILABLE, with err filled. */
enum store_result store_failure(struct store *store, const char *what,
                                struct error *err);

/* BEGIN IMMEDIATE; then whatever; then store_end: COMMIT when result is OK,
 * ROLLBACK otherwise. Returns result, or why it could not be committed. */
enum store_result store_begin(struct store *store, const char *what,
                              struct error *err);
enum store_result store_end(struct store *store, const char *what,
                            enum store_result result, struct error *err);

/* Inside a transaction: run stmt, which returns no rows. OK; CONFLICT when it
 * changed nothing; or UNAVAILABLE. */
enum store_result store_change(struct store *store, const char *what,
                               sqlite3_stmt *stmt, struct error *err);

/* One such statement as a whole transaction. */
enum store_result store_write(struct store *store, const char *what,
                              sqlite3_stmt *stmt, struct error *err);

#endif
