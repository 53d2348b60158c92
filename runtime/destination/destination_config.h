/*
 * destination_config: `destination_config: {on_success: {destination: ARN}}`.
 */
#ifndef POLLARD_DESTINATION_CONFIG_H
#define POLLARD_DESTINATION_CONFIG_H

#include "config/schema.h"

struct destination_config {
    struct {
        char *destination; // as destination_check takes it; NULL: none
    } on_success;
    struct {
        char *destination; // as on_failure_check takes it; NULL: none
        bool include_payload;
    } on_failure;
};

extern const struct field destination_config_fields[];

/* What the rows cannot say: is it a destination, and is its folder safe? */
void destination_config_check(const struct destination_config *config,
                              const struct schema_map *map,
                              struct problems *problems);

/* The same of another key whose value on_failure_check takes. */
void destination_config_check_report(const char *key, const char *destination,
                                     const struct schema_map *map,
                                     struct problems *problems);

#endif
