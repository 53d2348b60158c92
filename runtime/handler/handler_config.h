/*
 * handler_config: one entry of `handlers:`, or the same mapping in place.
 */
#ifndef POLLARD_HANDLER_CONFIG_H
#define POLLARD_HANDLER_CONFIG_H

#include <stdint.h>

#include "config/schema.h"

struct json_t;

enum handler_isolation { HANDLER_ISOLATION_THREAD };

struct handler_config {
    char *library;           // absolute
    struct json_t *settings; // an object, or NULL
    int isolation;           // enum handler_isolation
    int64_t timeout_ms;      // Lambda's function timeout
};

extern const struct field handler_config_fields[];

#endif
