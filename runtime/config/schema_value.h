/*
 * schema_value: what a scalar says, by its row: numbers, durations, sizes,
 * times, choices; and what the row would allow, in words.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SCHEMA_VALUE_H
#define POLLARD_SCHEMA_VALUE_H

#include <stdint.h>

struct buffer;
struct field;
struct yaml_node;

enum schema_verdict {
    SCHEMA_GOOD,
    SCHEMA_OUT_OF_RANGE,
    SCHEMA_MALFORMED,
    SCHEMA_PLANNED, // a choice that is not implemented
};

/* The value of a number, duration, size, time, boolean or choice. */
enum schema_verdict schema_value_number(const struct field *field,
                                        const struct yaml_node *node,
                                        int64_t *number);

/* What a list of choices sums up to. NULL, or the item that is none of them or
 * is there twice; `set` is untouched then. */
const struct yaml_node *schema_value_choices(const struct field *field,
                                             const struct yaml_node *node,
                                             int64_t *set);

/* "a whole number", "a duration with its unit (500ms, 30s, 5m, 2h)". */
const char *schema_value_kind(const struct field *field);

/* "1 to 10000", "1s to 15m", "debug, info, warn or error"; nothing where all is
 * allowed. */
void schema_value_range(const struct field *field, struct buffer *out);

/* What the user wrote: `20000`, `"ten"`, "a list". What came from the
 * environment is not shown. */
void schema_value_found(const struct yaml_node *node, struct buffer *out);

#endif
