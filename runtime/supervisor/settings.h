/*
 * settings: the user's whole YAML file as typed structs (docs/triggers.md). A
 * wrong file is refused whole, with every mistake at once.
 *
 * Threads: built by one, then read by all; never changed. A reload builds a new
 * one.
 */
#ifndef POLLARD_SETTINGS_H
#define POLLARD_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "aws/aws_config.h"
#include "config/schema.h"
#include "poller/trigger_config.h"
#include "store/store_config.h"

struct problems;

struct log_config {
    int level;  // enum log_level
    int format; // 0 auto, 1 text, 2 json
    bool payloads;
};

struct settings {
    char *path; // owned; absolute
    int64_t version;
    struct aws_config aws;
    struct store_config store;
    struct log_config log;
    int64_t stop_grace_ms;
    struct trigger_config *triggers; // owned; in the file's order
    size_t trigger_count;
};

/* NULL with at least one problem added. Caller destroys. */
struct settings *settings_load(const char *path, struct problems *problems);

/* NULL is fine. */
void settings_destroy(struct settings *settings);

/* The rows of the whole file, from the top; for docs/triggers.md and the JSON
 * Schema. */
extern const struct field settings_fields[];

#endif
