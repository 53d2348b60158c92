/*
 * schema_name: the keys of a table: both spellings, and what a stranger's key
 * may have meant.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SCHEMA_NAME_H
#define POLLARD_SCHEMA_NAME_H

#include <stdbool.h>

struct buffer;
struct field;

/* AWS's spelling: the row's alias, or "batch_size" to "BatchSize". Caller
 * frees. */
char *schema_name_alias(const struct field *field);

/* The same without the row's alias, which is accepted beside it. */
char *schema_name_by_rule(const struct field *field);

/* Is `key` the AWS spelling of `name`, by rule? */
bool schema_name_is_alias(const char *name, const char *key);

/* Does the key mean this row, in any spelling? */
bool schema_name_is(const struct field *field, const char *key);

/* The row whose name is at most two typing mistakes away, or NULL. */
const struct field *schema_name_nearest(const struct field *fields,
                                        const char *key);

/* Where the key has its place further down, "source.arn" of EventSourceArn; or
 * NULL. The first place counts. Caller frees. */
char *schema_name_below(const struct field *fields, const char *key);

/* "sqs, kinesis, arn": what is allowed (and implemented). */
void schema_name_list(const struct field *fields, struct buffer *out);

#endif
