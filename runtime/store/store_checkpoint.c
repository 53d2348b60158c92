#include <assert.h>

#include "base/error.h"
#include "record/sequence.h"
#include "store/store.h"
#include "store/store_sqlite.h"

/* What a statement has no use for is not bound. */
static sqlite3_stmt *statement_for(struct store *store,
                                   enum store_statement_id id,
                                   const struct checkpoint_write *write,
                                   const struct sequence *sequence)
{
    sqlite3_stmt *stmt = store_statement(store, id);

    store_bind_text(stmt, ":stream", write->lease.stream);
    store_bind_text(stmt, ":shard", write->lease.shard);
    store_bind_int(stmt, ":epoch", write->lease.epoch);
    store_bind_bytes(stmt, ":ckpt", sequence->digits);
    store_bind_int(stmt, ":sub", sequence->subs);
    store_bind_bytes(stmt, ":window", write->window);
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

static enum store_result write_window(struct store *store,
                                      const struct checkpoint_write *write,
                                      const struct sequence *sequence,
                                      struct error *err)
{
    enum store_statement_id id =
        write->window.size ? LEASE_WINDOW_PUT : LEASE_WINDOW_DROP;
    enum store_result result;

    assert(write->window.size <= STORE_WINDOW_LIMIT);
    result = store_change(store, "write window",
                          statement_for(store, id, write, sequence), err);
    return result == STORE_CONFLICT ? STORE_OK : result;
}

/* Inside a transaction. UNAVAILABLE ends it. */
static enum store_result write_one(struct store *store,
                                   struct checkpoint_write *write,
                                   struct error *err)
{
    struct sequence sequence;
    enum store_result result;

    if (!sequence_parse(bytes_of(write->sequence), &sequence))
        return STORE_CONFLICT;
    result =
        ask(store, statement_for(store, LEASE_CHECKPOINT, write, &sequence),
            write, STORE_OK, STORE_CONFLICT, err);
    if (result == STORE_OK && write->sets_window)
        return write_window(store, write, &sequence, err);
    if (result != STORE_CONFLICT)
        return result;
    return ask(store, statement_for(store, LEASE_OWNED, write, &sequence),
               write, STORE_CONFLICT, STORE_FENCED, err);
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
