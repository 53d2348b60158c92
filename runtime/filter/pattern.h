/*
 * pattern: event patterns compiled into what one pass over a record can decide:
 * a tree of keys that leads to conditions, and rules that each name the
 * conditions that must hold together. A pattern is one rule, or with `$or` one
 * for each combination; a record is wanted when any rule holds.
 *
 * The grammar is EventBridge's (lambda-esm.md section 5.1). Keys are flattened:
 * "a.b" is the same as b within a. A key that is given twice holds both times,
 * but one and the same field cannot be listed twice.
 *
 * Threads: immutable once sealed.
 */
#ifndef POLLARD_PATTERN_H
#define POLLARD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/criterion.h"
#include "record/record.h"

struct error;

/* Whose rules hold: of the event as it is, or of a source's records. */
enum pattern_view {
    PATTERN_VIEW_EVENT,
    PATTERN_VIEW_SQS,
    PATTERN_VIEW_KINESIS,
    PATTERN_VIEW_DYNAMODB,
};

#define PATTERN_RULE_LIMIT 1000 // combinations of one pattern, as EventBridge
#define PATTERN_ROOT 0

struct pattern_edge {
    struct bytes key; // borrowed
    uint32_t node;
};

/* A key on the way to conditions. */
struct pattern_node {
    struct bytes key;                    // borrowed; one step
    uint32_t parent, first, next;        // 0: none
    uint32_t edge, edge_count;           // children, in `edges`
    uint32_t slot, slot_mask;            // their hash table; 0: too few for one
    uint32_t condition, condition_count; // that ask for this very value
    uint32_t low, high; // conditions on it and below: numbers, without `high`
    bool is_parent;     // some child has children: keys with dots lead there
    bool binds;         // a rule has two of these conditions: one element of
                        // an array has to hold both
};

/* What one field is asked for; its number is its place in order of paths. */
struct condition {
    struct criteria criteria;
    uint32_t node;
    bool may_be_absent;
    char *path;          // owned; "body.type", for order and for people
    struct bytes wanted; // borrowed: the list as it stands in the pattern
};

struct rule {
    uint32_t *conditions; // owned; in order of paths
    uint32_t count;
    uint32_t filter;  // of which pattern, from 0
    bool needs_json;  // looks into the data
    bool needs_plain; // takes the data as text
};

struct pattern {
    enum pattern_view view;
    struct pattern_node *nodes; // owned; the root first
    size_t node_count;
    struct condition *conditions; // owned
    size_t condition_count;
    struct rule *rules; // owned
    size_t rule_count;
    struct pattern_edge *edges;   // owned
    uint32_t *slots;              // owned: edges by hash, from 1; 0: free
    uint32_t data_node;           // of the data key; 0: no pattern names it
    uint32_t data_low, data_high; // conditions on the data
    bool names_fields;            // some condition is on something else
    size_t filter_count;
    char **texts; // owned: two copies of each pattern, decoded and as it was
};

enum pattern_view pattern_view_of(enum record_kind kind);

struct pattern *pattern_create(enum pattern_view view);

/* One pattern more. On failure the message begins with the place in the
 * pattern ("body.type[0]: ..."), *offset is its byte, and the whole can only be
 * destroyed. */
bool pattern_add(struct pattern *pattern, struct bytes text, size_t *offset,
                 struct error *err);

/* After the last pattern, before the first match. */
void pattern_seal(struct pattern *pattern);

/* NULL is fine. */
void pattern_destroy(struct pattern *pattern);

/* The child that a key of an event leads to, through its dots; 0: nothing is
 * asked below it. Of a sealed pattern. */
uint32_t pattern_find(const struct pattern *pattern, uint32_t node,
                      struct bytes key);

#endif
