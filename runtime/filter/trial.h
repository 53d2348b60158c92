/*
 * trial: one pattern tried on events, for people: `pollard filter test`.
 *
 * Threads: one thread's.
 */
#ifndef POLLARD_TRIAL_H
#define POLLARD_TRIAL_H

#include "filter/pattern.h"

struct buffer;
struct record;
struct trial;

/* NULL with ERROR_INVALID when the pattern is wrong; *offset is the byte. */
struct trial *trial_create(enum pattern_view view, struct bytes pattern,
                           size_t *offset, struct error *err);

/* NULL is fine. */
void trial_destroy(struct trial *trial);

/* By PATTERN_VIEW_EVENT: does the event match, and why? ERROR_INVALID when it
 * is not a JSON object. */
bool trial_event(struct trial *trial, struct bytes event, bool *matches,
                 struct buffer *why, struct error *err);

/* By the rules of the record's source. */
bool trial_record(struct trial *trial, const struct record *record,
                  struct buffer *why);

#endif
