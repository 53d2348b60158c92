/*
 * filter: which records of a trigger are wanted. The patterns of
 * `filter_criteria` are compiled once; a record is wanted when one of them
 * matches it (lambda-esm.md section 5).
 *
 * A pattern looks at the record as Lambda's engine does: the data key (`body`
 * of a queue, `data` of a Kinesis stream, `dynamodb` of a table's stream) is
 * the JSON that the data holds, and the other keys are those of the event
 * (`eventName`, `messageAttributes`, `partitionKey` ...). Nothing of the record
 * is changed, and a handler gets its bytes as they came.
 *
 * Threads: one poller's; matching writes into scratch memory within.
 */
#ifndef POLLARD_FILTER_H
#define POLLARD_FILTER_H

#include <stdbool.h>

#include "record/record.h"

struct buffer;
struct error;
struct filter;
struct filter_config;

/* ERROR_INVALID with the place in the pattern when a pattern is wrong, or asks
 * of this kind of source what cannot be (plain text of a stream). A
 * configuration without filters gives a filter that all records match. */
struct filter *filter_create(const struct filter_config *config,
                             enum record_kind kind, struct error *err);

/* NULL is fine. */
void filter_destroy(struct filter *filter);

/* Is the record wanted? Always yes when filter is NULL. */
bool filter_matches(struct filter *filter, const struct record *record);

/* The same verdict, and why: a line or more for people. It may quote the
 * record. */
bool filter_explain(struct filter *filter, const struct record *record,
                    struct buffer *out);

#endif
