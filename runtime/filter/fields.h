/*
 * fields: what a record of each source has beside its data: the keys of its
 * event JSON (lambda-esm.md section 2), for patterns that name them.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_FIELDS_H
#define POLLARD_FIELDS_H

#include "filter/pattern.h"

struct record;
struct walk;

/* "body", "data" or "dynamodb"; NULL of a view that has none. */
const char *fields_data_key(enum pattern_view view);

/* The names at the top of a pattern; NULL ends them. NULL: any. */
const char *const *fields_of(enum pattern_view view);

/* Show the walk each field that its pattern asks for, but the data. */
void fields_walk(struct walk *walk, const struct record *record);

#endif
