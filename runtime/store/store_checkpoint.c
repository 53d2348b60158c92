#include <ctype.h>

#include "base/error.h"
#include "store/store.h"
#include "store/store_sqlite.h"

static bool is_number(const char *text)
{
    const char *c = text;

    while (isdigit((unsigned char)*c))
        c++;
    return c > text && !*c;
}

static sqlite3_stmt *statement_for(struct store *store,
                                   enum store_statement_id id,
                                   const struct checkpoint_write *write)
{
    sqlite3_stmt *stmt = store_statement(store, id);

    store_bind_text(stmt, ":stream", write->lease.stream);
    store_bind_text(stmt, ":shard", write->lease.shard);
    store_bind_int(stmt, ":epoch", write->lease.epoch);
    store_bind_text(stmt, ":ckpt", write->sequence);
    store_bind_int(stmt, ":sub", 0);
    return stmt;
}

/* Run a statement whose rows are wanted_by. `missing` is the answer when there
 * is none. */
static enum store_result ask(struct store *store, sqlite3_stmt *stmt,
                             struct checkpoint_write *write,
                             enum store_result found, enum store_result missing,
                             struct error *err)
{
    int rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return store_failure(store, "checkpoint", err);
    write->is_wanted =
        rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL;
    (void)sqlite3_reset(stmt);
    return rc == SQLITE_ROW ? found : missing;
}

/* Inside a transaction. UNAVAILABLE ends it. */
static enum store_result write_one(struct store *store,
                                   struct checkpoint_write *write,
                                   struct error *err)
{
    enum store_result result;

    if (!is_number(write->sequence))
        return STORE_CONFLICT;
    result = ask(store, statement_for(store, LEASE_CHECKPOINT, write), write,
                 STORE_OK, STORE_CONFLICT, err);
    if (result != STORE_CONFLICT)
        return result;
    return ask(store, statement_for(store, LEASE_OWNED, write), write,
               STORE_CONFLICT, STORE_FENCED, err);
}

enum store_result store_lease_checkpoint(struct store *store,
                                         struct checkpoint_write *writes,
                                         size_t count, struct error *err)
{
    enum store_result result = store_begin(store, "checkpoint", err);

    for (size_t i = 0; result == STORE_OK && i < count; i++) {
        writes[i].result = write_one(store, &writes[i], err);
        if (writes[i].result == STORE_UNAVAILABLE)
            result = STORE_UNAVAILABLE;
    }
    result = store_end(store, "checkpoint", result, err);
    for (size_t i = 0; result != STORE_OK && i < count; i++)
        writes[i].result = result;
    return result;
}
