/*
 * standings: a handler of the demo (config/quickstart.yaml). It reads race
 * results from a stream and keeps the table of each league in SQLite. A race
 * counts once, however often its result is delivered: the same transaction that
 * counts it writes down that it was counted.
 *
 *     settings: {database: /tmp/standings.db}
 *
 *     sqlite3 standings.db 'SELECT * FROM standings ORDER BY points DESC'
 */
#include <pollard/handler.h>

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE IF NOT EXISTS races (race TEXT PRIMARY KEY);"
    "CREATE TABLE IF NOT EXISTS standings (league TEXT, hamster TEXT,"
    " races INTEGER NOT NULL, wins INTEGER NOT NULL, points INTEGER NOT NULL,"
    " PRIMARY KEY (league, hamster))";

static const char count_race[] =
    "INSERT INTO races (race) VALUES (?) ON CONFLICT DO NOTHING";

static const char count_hamster[] =
    "INSERT INTO standings VALUES (?1, ?2, 1, ?3, ?4)"
    " ON CONFLICT (league, hamster) DO UPDATE SET races = races + 1,"
    " wins = wins + ?3, points = points + ?4";

struct table {
    const struct pollard_host *host;
    sqlite3 *database;
    sqlite3_stmt *race, *hamster;
};

static bool run(const struct table *table, const char *sql)
{
    return sqlite3_exec(table->database, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool step(sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);

    sqlite3_reset(statement);
    return result == SQLITE_DONE;
}

static bool count_place(const struct table *table, const char *league,
                        size_t place, json_t *result)
{
    static const int points[] = {10, 6, 4, 3, 2, 1};
    const char *hamster = json_string_value(json_object_get(result, "hamster"));

    if (!hamster)
        return true;
    sqlite3_bind_text(table->hamster, 1, league, -1, SQLITE_STATIC);
    sqlite3_bind_text(table->hamster, 2, hamster, -1, SQLITE_STATIC);
    sqlite3_bind_int(table->hamster, 3, place == 0);
    sqlite3_bind_int(table->hamster, 4, place < 6 ? points[place] : 0);
    return step(table->hamster);
}

static bool count_result(const struct table *table,
                         const struct pollard_record *record)
{
    json_auto_t *json = json_loadb(record->data, record->data_size, 0, NULL);
    const char *race, *league;
    json_t *results, *result;
    size_t place;

    // A result that nobody can read would block its shard for ever.
    if (json_unpack(json, "{s:s, s:s, s:o}", "race", &race, "league", &league,
                    "results", &results)) {
        table->host->log(POLLARD_LOG_WARN, "not a race result; skipped");
        return true;
    }
    sqlite3_bind_text(table->race, 1, race, -1, SQLITE_STATIC);
    if (!step(table->race))
        return false;
    if (sqlite3_changes(table->database) == 0)
        return true; // counted before
    json_array_foreach(results, place, result)
    {
        if (!count_place(table, league, place, result))
            return false;
    }
    return true;
}

static bool count_batch(const struct table *table,
                        const struct pollard_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (!count_result(table, batch->records[i]))
            return false;
    return true;
}

static int handle(void *instance, const struct pollard_batch *batch)
{
    const struct table *table = instance;

    if (run(table, "BEGIN IMMEDIATE") && count_batch(table, batch) &&
        run(table, "COMMIT"))
        return 0;
    table->host->fail_reason(batch, sqlite3_errmsg(table->database));
    (void)run(table, "ROLLBACK");
    return -1;
}

static bool open_table(struct table *table, const char *path)
{
    if (sqlite3_open(path, &table->database) != SQLITE_OK)
        return false;
    sqlite3_busy_timeout(table->database, 1000);
    return run(table, schema) &&
           sqlite3_prepare_v2(table->database, count_race, -1, &table->race,
                              NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(table->database, count_hamster, -1,
                              &table->hamster, NULL) == SQLITE_OK;
}

static void destroy(void *instance)
{
    struct table *table = instance;

    sqlite3_finalize(table->race);
    sqlite3_finalize(table->hamster);
    sqlite3_close(table->database);
    free(table);
}

static void *create(const struct pollard_host *host, const char *settings_json,
                    char *reason, size_t reason_size)
{
    json_auto_t *settings = json_loads(settings_json, 0, NULL);
    const char *path = NULL;
    struct table *table;

    if (json_unpack(settings, "{s:s}", "database", &path)) {
        (void)snprintf(reason, reason_size, "settings need `database`: a path");
        return NULL;
    }
    table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->host = host;
    if (open_table(table, path))
        return table;
    (void)snprintf(reason, reason_size, "%s: %s", path,
                   sqlite3_errmsg(table->database));
    destroy(table);
    return NULL;
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "standings",
        .create = create,
        .handle = handle,
        .destroy = destroy,
    };

    (void)host;
    return &handler;
}
