#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "store/store.h"
#include "store/store_sqlite.h"

static sqlite3_stmt *lease_statement(struct store *store,
                                     enum store_statement_id id,
                                     const char *stream, const char *shard)
{
    sqlite3_stmt *stmt = store_statement(store, id);

    store_bind_text(stmt, ":stream", stream);
    store_bind_text(stmt, ":shard", shard);
    return stmt;
}

static sqlite3_stmt *token_statement(struct store *store,
                                     enum store_statement_id id,
                                     const struct lease_token *lease)
{
    sqlite3_stmt *stmt =
        lease_statement(store, id, lease->stream, lease->shard);

    store_bind_int(stmt, ":epoch", lease->epoch);
    return stmt;
}

static void read_row(sqlite3_stmt *stmt, struct lease_row *row)
{
    *row = (struct lease_row){
        .stream = store_column_text(stmt, 0),
        .shard = store_column_text(stmt, 1),
        .owner = store_column_text(stmt, 2),
        .wanted_by = store_column_text(stmt, 3),
        .epoch = sqlite3_column_int64(stmt, 4),
        .ver = sqlite3_column_int64(stmt, 5),
        .state = (enum lease_state)sqlite3_column_int(stmt, 6),
        .checkpoint = store_column_text(stmt, 7),
        .start_timestamp_ms = sqlite3_column_int64(stmt, 8),
        .parents = store_column_text(stmt, 9),
    };
}

/* Inside a transaction that was granted the row: the window that is open. */
static enum store_result read_window(struct store *store, struct lease_row *row,
                                     struct error *err)
{
    sqlite3_stmt *stmt =
        lease_statement(store, LEASE_WINDOW_GET, row->stream, row->shard);
    int rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return store_failure(store, "read window", err);
    if (rc == SQLITE_ROW)
        row->window = store_column_text(stmt, 0);
    (void)sqlite3_reset(stmt);
    return STORE_OK;
}

/* A statement that grants a lease and returns its row. OK fills row. */
static enum store_result grant(struct store *store, const char *what,
                               sqlite3_stmt *stmt, struct lease_row *row,
                               struct error *err)
{
    int rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return store_failure(store, what, err);
    if (rc == SQLITE_ROW)
        read_row(stmt, row);
    (void)sqlite3_reset(stmt);
    return rc == SQLITE_ROW ? read_window(store, row, err) : STORE_CONFLICT;
}

/* Inside a transaction. */
static enum store_result insert(struct store *store, const char *stream,
                                const struct lease_new *leases, size_t count,
                                struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct lease_new *lease = &leases[i];
        sqlite3_stmt *stmt =
            lease_statement(store, LEASE_CREATE, stream, lease->shard);

        store_bind_text(stmt, ":ckpt", lease->checkpoint);
        store_bind_int(stmt, ":start", lease->start_timestamp_ms);
        store_bind_text(stmt, ":parents",
                        lease->parents ? lease->parents : "[]");
        if (store_change(store, "create lease", stmt, err) == STORE_UNAVAILABLE)
            return STORE_UNAVAILABLE;
    }
    return STORE_OK;
}

enum store_result store_lease_create(struct store *store, const char *stream,
                                     const struct lease_new *leases,
                                     size_t count, struct error *err)
{
    enum store_result result = store_begin(store, "create lease", err);

    if (result != STORE_OK)
        return result;
    result = insert(store, stream, leases, count, err);
    return store_end(store, "create lease", result, err);
}

enum store_result store_lease_list(struct store *store, const char *stream,
                                   struct lease_rows *rows, struct error *err)
{
    sqlite3_stmt *stmt = lease_statement(store, LEASE_LIST, stream, NULL);
    struct lease_rows found = {0};
    size_t capacity = 0;
    int rc;

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (found.count == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            found.list = mem_realloc(found.list, capacity, sizeof(*found.list));
        }
        read_row(stmt, &found.list[found.count++]);
    }
    if (rc != SQLITE_DONE) {
        lease_rows_finish(&found);
        return store_failure(store, "list leases", err);
    }
    (void)sqlite3_reset(stmt);
    *rows = found;
    return STORE_OK;
}

/* Inside a transaction. */
static enum store_result acquire_each(struct store *store, const char *stream,
                                      struct lease_claim *claims, size_t count,
                                      struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct lease_claim *claim = &claims[i];
        sqlite3_stmt *stmt =
            lease_statement(store, LEASE_ACQUIRE, stream, claim->shard);

        store_bind_int(stmt, ":ver", claim->seen_ver);
        claim->result = grant(store, "acquire", stmt, &claim->row, err);
        if (claim->result == STORE_UNAVAILABLE)
            return STORE_UNAVAILABLE;
    }
    return STORE_OK;
}

enum store_result store_lease_acquire(struct store *store, const char *stream,
                                      struct lease_claim *claims, size_t count,
                                      struct error *err)
{
    enum store_result result = store_begin(store, "acquire", err);

    for (size_t i = 0; i < count; i++) {
        claims[i].row = (struct lease_row){0};
        claims[i].result = STORE_UNAVAILABLE;
    }
    if (result != STORE_OK)
        return result;
    result = acquire_each(store, stream, claims, count, err);
    result = store_end(store, "acquire", result, err);
    for (size_t i = 0; result != STORE_OK && i < count; i++) {
        lease_row_finish(&claims[i].row);
        claims[i].result = result;
    }
    return result;
}

enum store_result store_lease_want(struct store *store, const char *stream,
                                   const char *shard, const char *owner,
                                   int64_t owner_epoch, struct error *err)
{
    enum store_result result = store_begin(store, "want", err);
    sqlite3_stmt *stmt;

    if (result != STORE_OK)
        return result;
    stmt = lease_statement(store, LEASE_WANT, stream, shard);
    store_bind_text(stmt, ":owner", owner);
    store_bind_int(stmt, ":epoch", owner_epoch);
    result = store_change(store, "want", stmt, err);
    if (result == STORE_OK) {
        stmt = store_statement(store, SESSION_ASK);
        store_bind_text(stmt, ":owner", owner);
        result = store_change(store, "want", stmt, err);
    }
    return store_end(store, "want", result, err);
}

enum store_result store_lease_take_forced(struct store *store,
                                          const char *stream, const char *shard,
                                          const char *owner,
                                          int64_t owner_epoch,
                                          struct lease_row *row,
                                          struct error *err)
{
    enum store_result result = store_begin(store, "take", err);
    struct lease_row taken = {0};
    sqlite3_stmt *stmt;

    if (result != STORE_OK)
        return result;
    stmt = lease_statement(store, LEASE_TAKE_FORCED, stream, shard);
    store_bind_text(stmt, ":owner", owner);
    store_bind_int(stmt, ":epoch", owner_epoch);
    result = grant(store, "take", stmt, &taken, err);
    result = store_end(store, "take", result, err);
    if (result == STORE_OK)
        *row = taken;
    else
        lease_row_finish(&taken);
    return result;
}

static enum store_result fenced(enum store_result result)
{
    return result == STORE_CONFLICT ? STORE_FENCED : result;
}

enum store_result store_lease_release(struct store *store,
                                      const struct lease_token *lease,
                                      struct error *err)
{
    return fenced(store_write(
        store, "release", token_statement(store, LEASE_RELEASE, lease), err));
}

/* Inside a transaction: the shard's last state, and no window stays open. */
static enum store_result close_lease(struct store *store, const char *what,
                                     enum store_statement_id id,
                                     const struct lease_token *lease,
                                     struct error *err)
{
    enum store_result result =
        store_change(store, what, token_statement(store, id, lease), err);

    if (result != STORE_OK)
        return fenced(result);
    result = store_change(
        store, what,
        lease_statement(store, LEASE_WINDOW_DROP, lease->stream, lease->shard),
        err);
    return result == STORE_CONFLICT ? STORE_OK : result;
}

enum store_result store_lease_lost(struct store *store,
                                   const struct lease_token *lease,
                                   struct error *err)
{
    enum store_result result = store_begin(store, "lost", err);

    if (result != STORE_OK)
        return result;
    result = close_lease(store, "lost", LEASE_SET_LOST, lease, err);
    return store_end(store, "lost", result, err);
}

enum store_result store_lease_end(struct store *store,
                                  const struct lease_token *lease,
                                  const struct lease_new *children,
                                  size_t count, struct error *err)
{
    enum store_result result = store_begin(store, "end", err);

    if (result != STORE_OK)
        return result;
    result = insert(store, lease->stream, children, count, err);
    if (result == STORE_OK)
        result = close_lease(store, "end", LEASE_END, lease, err);
    return store_end(store, "end", result, err);
}

enum store_result store_lease_collect(struct store *store, const char *stream,
                                      int64_t ended_before_wall_ms,
                                      struct error *err)
{
    sqlite3_stmt *stmt = lease_statement(store, LEASE_COLLECT, stream, NULL);
    enum store_result result;

    store_bind_int(stmt, ":before", ended_before_wall_ms);
    result = store_write(store, "collect", stmt, err);
    return result == STORE_CONFLICT ? STORE_OK : result;
}
