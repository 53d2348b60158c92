#include "store/store_config.h"

#include <string.h>

#define GUARD_MS 1000 // leases.md section 4.4, G

static const struct field sqlite_fields[] = {
    {"path", FIELD_PATH(struct store_config, sqlite.path),
     .fallback = "${STATE_DIRECTORY:-.}/pollard.db",
     .help = "The file, on a local disk; it is created. Workers on one machine "
             "may share it and then share the shards."},
    {0},
};

const struct field store_config_fields[] = {
    {"sqlite", FIELD_SECTION(sqlite_fields), .alias = "SQLite",
     .help = "Leases and checkpoints in a SQLite file."},
    {"application", FIELD_STRING(struct store_config, application),
     .fallback = "pollard",
     .help = "The name under which leases and checkpoints are kept; workers "
             "with the same name share them."},
    {"lease_duration", FIELD_MS(struct store_config, lease_duration_ms),
     .fallback = "10s", .min = 3000, .max = 5 * 60 * 1000,
     .help = "After so long without a sign of life a worker's shards go to "
             "others."},
    {"heartbeat", FIELD_MS(struct store_config, heartbeat_ms), .fallback = "3s",
     .min = 100, .max = 60 * 1000,
     .help = "How often a worker gives a sign of life: at most a third of "
             "`lease_duration` less a second."},
    {"checkpoint_interval",
     FIELD_MS(struct store_config, checkpoint_interval_ms), .fallback = "1s",
     .min = 10, .max = 60 * 1000,
     .help = "How often moved checkpoints are written, those of all shards of "
             "a stream at once."},
    {"postgres", FIELD_PLANNED,
     .help = "Leases and checkpoints in PostgreSQL."},
    {"dynamodb", FIELD_PLANNED, .alias = "DynamoDB",
     .help = "Leases and checkpoints in DynamoDB."},
    {0},
};

static void check_heartbeat(const struct store_config *config,
                            const struct schema_map *map,
                            struct problems *problems)
{
    int64_t most = (config->lease_duration_ms - GUARD_MS) / 3;
    char beat[SCHEMA_DURATION_SIZE], lease[SCHEMA_DURATION_SIZE],
        allowed[SCHEMA_DURATION_SIZE];

    if (config->heartbeat_ms <= most)
        return;
    schema_format_duration(config->heartbeat_ms, beat);
    schema_format_duration(config->lease_duration_ms, lease);
    schema_format_duration(most, allowed);
    schema_complain(
        map, schema_find(map, "heartbeat") ? "heartbeat" : "lease_duration",
        problems,
        "a heartbeat of %s is too slow for a lease_duration of "
        "%s: at most %s",
        beat, lease, allowed);
}

void store_config_check(const struct store_config *config,
                        const struct schema_map *map, struct problems *problems)
{
    const char *name = config->application;

    // 0: refused already.
    if (config->lease_duration_ms && config->heartbeat_ms)
        check_heartbeat(config, map, problems);
    if (name &&
        (strlen(name) > 128 || name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                 "abcdefghijklmnopqrstuvwxyz"
                                                 "0123456789-_.")]))
        schema_complain(map, "application", problems,
                        "\"%.60s\" is not allowed: 1 to 128 letters, digits, "
                        "-, _ and .",
                        name);
}
