/*
 * filter_config: `filter_criteria: {filters: [{pattern: ...}]}` of a trigger.
 * A pattern is a mapping in place, or JSON in a string as AWS has it.
 *
 * Threads: plain values.
 */
#ifndef POLLARD_FILTER_CONFIG_H
#define POLLARD_FILTER_CONFIG_H

#include <stddef.h>

#include "config/schema.h"
#include "record/record.h"

/* Lambda allows 5 filters, 10 when asked to; here it is 10 at once. */
#define FILTER_LIMIT 10
#define FILTER_PATTERN_LIMIT 4096 // characters of one pattern, as in Lambda

struct filter_config {
    struct schema_list filters; // of struct filter_config_item
};

struct filter_config_item {
    char *pattern; // owned; JSON text
};

extern const struct field filter_config_fields[];

/* What the rows cannot say: is each pattern one, and does it suit the source?
 * A problem is put where the mistake stands. */
void filter_config_check(const struct filter_config *config,
                         enum record_kind kind, const struct schema_map *map,
                         struct problems *problems);

#endif
