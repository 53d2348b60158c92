#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "store/store.h"
#include "store/store_sqlite.h"

#define PURGE_AFTER_MS (60 * 60 * 1000)

static bool is_live(void *context, const char *session)
{
    struct store *store = context;
    sqlite3_stmt *stmt = store_statement(store, SESSION_IS_LIVE);
    int rc;

    store_bind_text(stmt, ":session", session);
    rc = sqlite3_step(stmt);
    (void)sqlite3_reset(stmt);
    return rc != SQLITE_DONE; // in doubt, keep
}

static enum store_result insert(struct store *store, struct error *err)
{
    enum store_result result = store_begin(store, "join", err);
    sqlite3_stmt *stmt;

    if (result != STORE_OK)
        return result;
    stmt = store_statement(store, SESSION_PURGE);
    store_bind_int(stmt, ":before",
                   clock_wall_ms(store->clock) - PURGE_AFTER_MS);
    result = store_change(store, "join", stmt, err);
    if (result != STORE_UNAVAILABLE) {
        stmt = store_statement(store, SESSION_JOIN);
        store_bind_int(stmt, ":ttl", store->ttl_ms);
        result = store_change(store, "join", stmt, err);
    }
    return store_end(store, "join", result, err);
}

/* The lock first: a row whose file is not there yet would be judged by its age
 * alone. */
enum store_result store_session_join(struct store *store, struct error *err)
{
    enum store_result result;

    assert(!store->lock.path);
    if (!store_lock_take(&store->lock, store->locks_folder, store->session,
                         err)) {
        error_wrap(err, "store %s: join", store->path);
        return err->code == ERROR_LOST ? STORE_CONFLICT : STORE_UNAVAILABLE;
    }
    result = insert(store, err);
    if (result == STORE_OK)
        store_lock_sweep(store->locks_folder, is_live, store);
    else
        store_lock_remove(&store->lock);
    return result;
}

static void read_row(sqlite3_stmt *stmt, struct session_row *row)
{
    *row = (struct session_row){
        .id = store_column_text(stmt, 0),
        .beat = sqlite3_column_int64(stmt, 1),
        .asks = sqlite3_column_int64(stmt, 2),
        .ttl_ms = sqlite3_column_int64(stmt, 3),
        .state = (enum session_state)sqlite3_column_int(stmt, 4),
    };
}

/* Our own row. FENCED when it is dead or gone. */
static enum store_result show(struct store *store, struct session_row *row,
                              struct error *err)
{
    sqlite3_stmt *stmt = store_statement(store, SESSION_SHOW);
    int rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return store_failure(store, "beat", err);
    if (rc == SQLITE_ROW)
        read_row(stmt, row);
    (void)sqlite3_reset(stmt);
    if (rc == SQLITE_ROW && row->state != SESSION_DEAD)
        return STORE_OK;
    if (rc == SQLITE_ROW)
        session_row_finish(row);
    return STORE_FENCED;
}

enum store_result store_session_beat(struct store *store, int64_t asks_seen,
                                     struct session_row *row, struct error *err)
{
    sqlite3_stmt *stmt;
    enum store_result result, shown;

    // Others would open another file, and know nothing of us.
    if (!store_sqlite_is_in_place(store)) {
        error_set(err, ERROR_INVALID,
                  "store %s: beat: the file was moved or removed while in use",
                  store->path);
        return STORE_UNAVAILABLE;
    }
    stmt = store_statement(store, SESSION_BEAT);
    store_bind_int(stmt, ":asks", asks_seen);
    result = store_write(store, "beat", stmt, err);
    if (result != STORE_OK && result != STORE_CONFLICT)
        return result;
    shown = show(store, row, err);
    return shown == STORE_OK ? result : shown;
}

// Whoever is not us and whose lock is free has no process any more.
static void look_for_the_gone(const struct store *store,
                              struct session_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct session_row *row = &rows->list[i];

        row->is_gone = strcmp(row->id, store->session) != 0 &&
                       store_lock_is_free(store->locks_folder, row->id);
    }
}

enum store_result store_sessions_list(struct store *store,
                                      struct session_rows *rows,
                                      struct error *err)
{
    sqlite3_stmt *stmt = store_statement(store, SESSION_LIST);
    struct session_rows found = {0};
    int rc;

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        found.list =
            mem_realloc(found.list, found.count + 1, sizeof(*found.list));
        read_row(stmt, &found.list[found.count++]);
    }
    if (rc != SQLITE_DONE) {
        session_rows_finish(&found);
        return store_failure(store, "list sessions", err);
    }
    (void)sqlite3_reset(stmt);
    look_for_the_gone(store, &found);
    *rows = found;
    return STORE_OK;
}

enum store_result store_session_kill(struct store *store, const char *id,
                                     int64_t seen_beat, struct error *err)
{
    sqlite3_stmt *stmt = store_statement(store, SESSION_KILL);
    enum store_result result;

    store_bind_text(stmt, ":session", id);
    store_bind_int(stmt, ":beat", seen_beat);
    result = store_write(store, "kill", stmt, err);
    if (result == STORE_OK && store_lock_is_free(store->locks_folder, id))
        store_lock_forget(store->locks_folder, id);
    return result;
}

enum store_result store_session_drain(struct store *store, struct error *err)
{
    enum store_result result =
        store_write(store, "drain", store_statement(store, SESSION_DRAIN), err);

    return result == STORE_CONFLICT ? STORE_FENCED : result;
}

enum store_result store_session_leave(struct store *store, struct error *err)
{
    enum store_result result =
        store_write(store, "leave", store_statement(store, SESSION_LEAVE), err);

    if (result == STORE_OK || result == STORE_CONFLICT)
        store_lock_remove(&store->lock);
    return result == STORE_CONFLICT ? STORE_FENCED : result;
}
