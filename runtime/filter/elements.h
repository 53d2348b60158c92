/*
 * elements: do the conditions of a rule hold within one element? A pattern
 * {"items": {"sku": ["a"], "count": [2]}} wants one item that is both, not one
 * item for each (EventBridge's array consistency). What the walk finds in
 * arrays that bind so is written down here and judged when the event is over.
 *
 * A field that must be absent is judged as EventBridge does: by the element
 * that fields earlier in order of paths were found in, else by all of the
 * array.
 *
 * Bounded: so many findings and so many steps of judging for each record;
 * beyond that the record counts as wanted, because losing it would be worse.
 *
 * Threads: one thread's.
 */
#ifndef POLLARD_ELEMENTS_H
#define POLLARD_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pattern;
struct rule;

#define ELEMENTS_LIMIT ((size_t)1 << 20) // findings of one record
#define ELEMENTS_EFFORT (16u << 20)      // steps of judging them

enum finding_type {
    FINDING_ARRAY,   // of a node; up to `end`
    FINDING_ELEMENT, // up to `end`
    FINDING_HIT,     // a condition holds for a value here
    FINDING_SEEN,    // it does not, but its field is here
};

struct finding {
    uint32_t type : 2, what : 29; // enum finding_type; condition or node
    uint32_t holds : 1;           // an array: one of its elements was chosen
    uint32_t end;
};

/* How a rule's condition stands in the place that is judged. */
enum standing {
    STANDING_UNSEEN, // its field is not there
    STANDING_SEEN,   // it is, but does not hold
    STANDING_GIVEN,  // holds outside of the array that is judged
    STANDING_HIT,
};

struct elements {
    const struct pattern *pattern; // borrowed
    struct finding *list;          // owned
    size_t count, capacity;
    bool gave_up;        // over a limit
    uint32_t effort;     // left
    uint32_t *positions; // owned: by condition: its place in the rule, from 1
    uint8_t *standing;   // owned: by place in the rule
    uint8_t *somewhere;  // owned: by place; scratch
};

void elements_init(struct elements *elements, const struct pattern *pattern);
void elements_finish(struct elements *elements);

/* Before an event. */
void elements_clear(struct elements *elements);

/* Write down; the first returns what elements_close takes. */
size_t elements_open(struct elements *elements, enum finding_type type,
                     uint32_t node);
void elements_close(struct elements *elements, size_t opened);
void elements_add(struct elements *elements, enum finding_type type,
                  uint32_t condition);

/* Does the rule hold? hit and seen are bits, by condition, of what was found
 * outside of the arrays that are written down. */
bool elements_judge(struct elements *elements, const struct rule *rule,
                    const uint64_t *hit, const uint64_t *seen);

#endif
