/*
 * filter_judge: who tells which events match: a pattern by itself, or all
 * filters of a trigger. What is wrong is said on stderr, with its place.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_FILTER_JUDGE_H
#define POLLARD_FILTER_JUDGE_H

#include "cli/filter_text.h"
#include "filter/pattern.h"

struct filter_judge;
struct trigger_config;

enum filter_answer { FILTER_MATCH, FILTER_NO_MATCH, FILTER_BAD };

/* By a pattern, which must outlive the judge. Without a view, a record's
 * eventSource says whose rules hold, and what has none is an event as it is.
 * NULL: the pattern is wrong. */
struct filter_judge *filter_judge_create(const struct filter_text *pattern,
                                         const enum pattern_view *view);

/* By a trigger's filters. */
struct filter_judge *
filter_judge_create_of(const struct trigger_config *trigger);

/* NULL is fine. */
void filter_judge_destroy(struct filter_judge *judge);

/* Is it an event of Lambda's, of which each record is judged by itself? Then
 * the elements of its `Records` are in *records. */
bool filter_judge_has_records(const struct filter_judge *judge,
                              struct bytes event, struct bytes *records);

/* A record, or an event as it is; a slice of `text`. */
enum filter_answer filter_judge_event(struct filter_judge *judge,
                                      const struct filter_text *text,
                                      struct bytes event, struct buffer *why);

/* What a record holds, without the record around it. */
enum filter_answer filter_judge_data(struct filter_judge *judge,
                                     const struct filter_text *text,
                                     struct bytes data, struct buffer *why);

#endif
