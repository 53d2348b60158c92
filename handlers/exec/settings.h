/*
 * settings: what the user wrote under `settings:` of an exec handler.
 *
 *     settings:
 *       command: [/usr/local/bin/import, --quiet]  # or a line for /bin/sh:
 *       # command: "jq -c .Records[] >> orders.jsonl"
 *       per: batch      # one command a batch (the default), or record
 *       timeout: 10s    # of one command; the batch's own deadline holds anyway
 */
#ifndef EXEC_SETTINGS_H
#define EXEC_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
    char **argv; // owned; ends with NULL
    bool per_record;
    int64_t timeout_ms; // INT64_MAX: none
};

/* False with a sentence in reason when they are wrong, or when there is no such
 * command. Release them in any case. */
bool settings_read(struct settings *settings, const char *json, char *reason,
                   size_t reason_size);
void settings_release(struct settings *settings);

#endif
