#include "store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "store/store_sqlite.h"

#define DEFAULT_TTL_MS 10000

void session_row_finish(struct session_row *row)
{
    free(row->id);
    *row = (struct session_row){0};
}

void lease_row_finish(struct lease_row *row)
{
    free(row->stream);
    free(row->shard);
    free(row->owner);
    free(row->wanted_by);
    free(row->checkpoint);
    free(row->window);
    free(row->parents);
    *row = (struct lease_row){0};
}

void session_rows_finish(struct session_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        session_row_finish(&rows->list[i]);
    free(rows->list);
    *rows = (struct session_rows){0};
}

void lease_rows_finish(struct lease_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        lease_row_finish(&rows->list[i]);
    free(rows->list);
    *rows = (struct lease_rows){0};
}

char *store_session_id(void)
{
    char host[64] = "";

    if (gethostname(host, sizeof(host) - 1))
        host[0] = '\0';
    // It names a file.
    for (char *c = host; *c; c++)
        if (*c == '/')
            *c = '_';
    return mem_printf("%s:%ld:%016" PRIx64, *host ? host : "localhost",
                      (long)getpid(), random_seed());
}

struct store *store_open(const struct store_options *options, struct error *err)
{
    struct store *store = mem_calloc(1, sizeof(*store));

    assert(!strchr(options->session, '/'));
    store->path = mem_strdup(options->path);
    store->application = mem_strdup(options->application);
    store->session = mem_strdup(options->session);
    store->ttl_ms = options->ttl_ms ? options->ttl_ms : DEFAULT_TTL_MS;
    store->clock = options->clock;
    if (!store_sqlite_open(store, err)) {
        store_close(store);
        return NULL;
    }
    store->locks_folder = mem_printf("%s-sessions", store->path);
    return store;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store_sqlite_close(store);
    store_lock_drop(&store->lock);
    free(store->locks_folder);
    free(store->session);
    free(store->application);
    free(store->path);
    free(store);
}
