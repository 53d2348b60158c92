/*
 * store_config: the `store:` section.
 */
#ifndef POLLARD_STORE_CONFIG_H
#define POLLARD_STORE_CONFIG_H

#include <stdint.h>

#include "config/schema.h"

struct store_config {
    struct {
        char *path; // absolute
    } sqlite;
    char *application;                       // the name leases are kept under
    int64_t lease_duration_ms, heartbeat_ms; // leases.md section 4.4, D and H
    int64_t checkpoint_interval_ms;
};

extern const struct field store_config_fields[];

/* What the rows cannot say: that three heartbeats fit into a lease. */
void store_config_check(const struct store_config *config,
                        const struct schema_map *map,
                        struct problems *problems);

#endif
