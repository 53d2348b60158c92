/*
 * walk: one pass over a record, which shows each value that a pattern asks for
 * to its conditions. JSON is checked whole on the way, because what is not JSON
 * matches nothing that looks into it.
 *
 * Threads: one thread's; its memory is used again from record to record.
 */
#ifndef POLLARD_WALK_H
#define POLLARD_WALK_H

#include "filter/elements.h"
#include "filter/pattern.h"
#include "filter/scan.h"

/* Each value that a condition was asked about; `found` is the criterion that
 * matches it, or NULL. */
typedef void (*walk_observe_fn)(void *context, uint32_t condition,
                                const struct criterion_value *value,
                                const struct criterion *found);

enum walk_json {
    WALK_JSON_NONE,   // it is not
    WALK_JSON_SCALAR, // a value by itself
    WALK_JSON_OBJECT,
    WALK_JSON_ARRAY,
};

struct walk {
    const struct pattern *pattern; // borrowed
    uint64_t *hit;                 // owned: by condition: it holds ...
    uint64_t *seen;                // ... its field is there ...
    uint64_t *anywhere; // ... it holds, within arrays that bind as well
    uint64_t *saved;    // owned: of all three, for when JSON turns out bad
    size_t words;       // of each
    struct elements elements;
    unsigned bound; // elements of binding arrays that we are in
    unsigned depth;
    struct scan_string strings;
    char *copy; // owned: of the JSON that is walked
    size_t capacity;
    walk_observe_fn observe; // or NULL
    void *context;
};

void walk_init(struct walk *walk, const struct pattern *pattern);
void walk_finish(struct walk *walk);

/* Before a record. */
void walk_begin(struct walk *walk);

/* A value of the field that the node stands for. */
void walk_value(struct walk *walk, uint32_t node,
                const struct criterion_value *value);
void walk_text(struct walk *walk, uint32_t node, struct bytes text);

/* JSON, whose root is the field that the node stands for. Of text that is not
 * JSON nothing counts, and an observer is shown nothing. */
enum walk_json walk_json(struct walk *walk, uint32_t node, struct bytes text);

/* Before the data was walked: may the rule hold yet, whatever the data is? */
bool walk_is_open(const struct walk *walk, const struct rule *rule);

/* Does the rule hold? */
bool walk_holds(struct walk *walk, const struct rule *rule);

#endif
