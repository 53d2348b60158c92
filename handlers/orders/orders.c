/*
 * orders: writes the orders that arrive on a queue into a SQLite table, each
 * once, however often it is delivered. docs/handlers.md walks through it.
 *
 *     handler:
 *       library: /usr/local/lib/pollard/handlers/orders.so
 *       settings: {database: /var/lib/shop/orders.db}
 *
 * An order: {"id": "A-17", "customer": "Ann", "cents": 1999}
 */
#include <pollard/handler.h>

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct shop {
    const struct pollard_host *host;
    sqlite3 *database;
    sqlite3_stmt *insert;
};

struct order {
    json_t *json; // owned; the texts below are its own
    const char *id, *customer;
    json_int_t cents;
};

static bool open_database(struct shop *shop, const char *path)
{
    static const char table[] =
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY,"
        " customer TEXT NOT NULL, cents INTEGER NOT NULL) WITHOUT ROWID";
    static const char insert[] = "INSERT INTO orders (id, customer, cents)"
                                 " VALUES (?, ?, ?) ON CONFLICT DO NOTHING";

    if (sqlite3_open(path, &shop->database) != SQLITE_OK)
        return false;
    sqlite3_busy_timeout(shop->database, 1000); // other instances write too
    return sqlite3_exec(shop->database, table, NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(shop->database, insert, -1, &shop->insert,
                              NULL) == SQLITE_OK;
}

static void destroy(void *instance)
{
    struct shop *shop = instance;

    sqlite3_finalize(shop->insert);
    sqlite3_close(shop->database);
    free(shop);
}

static void *create(const struct pollard_host *host, const char *settings_json,
                    char *reason, size_t reason_size)
{
    json_auto_t *settings = json_loads(settings_json, 0, NULL);
    const char *path = NULL;
    struct shop *shop;

    if (json_unpack(settings, "{s:s}", "database", &path)) {
        snprintf(reason, reason_size, "settings need `database`: a path");
        return NULL;
    }
    shop = calloc(1, sizeof(*shop));
    if (!shop)
        return NULL;
    shop->host = host;
    if (open_database(shop, path))
        return shop;
    snprintf(reason, reason_size, "%s: %s", path,
             sqlite3_errmsg(shop->database));
    destroy(shop);
    return NULL;
}

static bool parse(const struct pollard_record *record, struct order *order)
{
    order->json = json_loadb(record->data, record->data_size, 0, NULL);
    return json_unpack(order->json, "{s:s, s:s, s:I}", "id", &order->id,
                       "customer", &order->customer, "cents",
                       &order->cents) == 0;
}

static bool store(const struct shop *shop, const struct order *order)
{
    int result;

    sqlite3_bind_text(shop->insert, 1, order->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(shop->insert, 2, order->customer, -1, SQLITE_STATIC);
    sqlite3_bind_int64(shop->insert, 3, order->cents);
    result = sqlite3_step(shop->insert);
    sqlite3_reset(shop->insert);
    return result == SQLITE_DONE;
}

static bool store_record(const struct shop *shop,
                         const struct pollard_batch *batch, size_t index)
{
    struct order order = {0};
    bool stored = true;

    if (parse(batch->records[index], &order))
        stored = store(shop, &order);
    else
        shop->host->fail_record(batch, index); // this one, not the others
    json_decref(order.json);
    return stored;
}

static bool store_batch(const struct shop *shop,
                        const struct pollard_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (!store_record(shop, batch, i))
            return false;
    return true;
}

static int handle(void *instance, const struct pollard_batch *batch)
{
    const struct shop *shop = instance;
    sqlite3 *database = shop->database;

    // One transaction: either all of the batch's good orders are in, or none.
    if (sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL) ==
            SQLITE_OK &&
        store_batch(shop, batch) &&
        sqlite3_exec(database, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    shop->host->fail_reason(batch, sqlite3_errmsg(database));
    sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "orders",
        .create = create,
        .handle = handle,
        .destroy = destroy,
    };

    (void)host;
    return &handler;
}
