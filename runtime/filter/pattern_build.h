/*
 * pattern_build: what pattern_read puts together: nodes, conditions and drafts
 * of rules. Private to this room.
 *
 * Threads: one thread's.
 */
#ifndef POLLARD_PATTERN_BUILD_H
#define POLLARD_PATTERN_BUILD_H

#include "filter/pattern.h"

/* Rules in the making, all of which go on with what comes next. */
struct drafts {
    struct draft {
        uint32_t *conditions; // owned
        uint32_t count;
    } * list; // owned
    size_t count;
};

/* The node that the steps of the key lead to; made when it is new. */
uint32_t pattern_build_node(struct pattern *pattern, uint32_t from,
                            struct bytes key);

/* A condition without criteria yet; its number until the pattern is sealed. */
uint32_t pattern_build_condition(struct pattern *pattern, uint32_t node);

/* Must hold in each draft; false when one of them has that field already. */
bool pattern_build_require(struct pattern *pattern, struct drafts *drafts,
                           uint32_t condition);

/* Copies of `from` (of one empty draft, when it is empty). */
struct drafts pattern_build_copy(const struct drafts *from);

/* Moves all over. False when there would be more than PATTERN_RULE_LIMIT. */
bool pattern_build_join(struct drafts *to, struct drafts *from);

void pattern_build_drop(struct drafts *drafts);

/* The drafts become rules. */
void pattern_build_rules(struct pattern *pattern, struct drafts *drafts);

#endif
