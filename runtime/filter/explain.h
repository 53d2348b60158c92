/*
 * explain: a verdict in words: which field, which value, which operator.
 *
 * Threads: one thread's.
 */
#ifndef POLLARD_EXPLAIN_H
#define POLLARD_EXPLAIN_H

#include "filter/verdict.h"

struct buffer;

/* Give the verdict on a record, and the lines that say why. */
bool explain_record(struct walk *walk, const struct record *record,
                    struct buffer *out);

/* The same for an event as it is; *is_json says whether it is an object. */
bool explain_event(struct walk *walk, struct bytes event, bool *is_json,
                   struct buffer *out);

#endif
