/*
 * verdict: is it wanted? By the rules of a record's source: what its data is
 * taken for, and which rules that leaves (lambda-esm.md section 5.3).
 *
 * Threads: one thread's.
 */
#ifndef POLLARD_VERDICT_H
#define POLLARD_VERDICT_H

#include "filter/walk.h"

struct record;

struct verdict {
    const struct rule *rule; // the first that holds, or NULL: not wanted
    enum walk_json data;     // what the data is; of no meaning when no pattern
                             // names it
};

/* As fast as can be: data is left alone when the other fields decide. */
bool verdict_is_wanted(struct walk *walk, const struct record *record);

/* Every field that a pattern names is looked at, for who observes. */
struct verdict verdict_of_record(struct walk *walk,
                                 const struct record *record);

/* The same of an event as it is; data is WALK_JSON_OBJECT, or no verdict can
 * be given. */
struct verdict verdict_of_event(struct walk *walk, struct bytes event);

/* Can the rule hold for data of that kind at all? */
bool verdict_is_open_to(const struct rule *rule, enum walk_json data);

#endif
