#include "filter/pattern.h"

#include <stdlib.h>

#include "base/mem.h"

#define FEW_EDGES 6

enum pattern_view pattern_view_of(enum record_kind kind)
{
    switch (kind) {
    case RECORD_SQS:
        return PATTERN_VIEW_SQS;
    case RECORD_KINESIS:
        return PATTERN_VIEW_KINESIS;
    case RECORD_DYNAMODB:
        return PATTERN_VIEW_DYNAMODB;
    }
    return PATTERN_VIEW_EVENT;
}

struct pattern *pattern_create(enum pattern_view view)
{
    struct pattern *pattern = mem_calloc(1, sizeof(*pattern));

    pattern->view = view;
    pattern->nodes = mem_calloc(1, sizeof(*pattern->nodes));
    pattern->node_count = 1;
    return pattern;
}

void pattern_destroy(struct pattern *pattern)
{
    if (!pattern)
        return;
    for (size_t i = 0; i < pattern->condition_count; i++) {
        criteria_finish(&pattern->conditions[i].criteria);
        free(pattern->conditions[i].path);
    }
    for (size_t i = 0; i < pattern->rule_count; i++)
        free(pattern->rules[i].conditions);
    for (size_t i = 0; pattern->texts && pattern->texts[i]; i++)
        free(pattern->texts[i]);
    free(pattern->texts);
    free(pattern->nodes);
    free(pattern->conditions);
    free(pattern->rules);
    free(pattern->edges);
    free(pattern->slots);
    free(pattern);
}

static uint32_t hash_of(struct bytes key)
{
    uint32_t hash = 2166136261u; // FNV-1a

    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (uint8_t)key.data[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static uint32_t find_step(const struct pattern *pattern,
                          const struct pattern_node *node, struct bytes key)
{
    const struct pattern_edge *edges = pattern->edges + node->edge;

    if (!node->slot_mask) {
        for (uint32_t i = 0; i < node->edge_count; i++)
            if (bytes_equal(edges[i].key, key))
                return edges[i].node;
        return 0;
    }
    for (uint32_t at = hash_of(key);; at++) {
        uint32_t slot = pattern->slots[node->slot + (at & node->slot_mask)];

        if (!slot || bytes_equal(edges[slot - 1].key, key))
            return slot ? edges[slot - 1].node : 0;
    }
}

// By the steps between its dots.
static uint32_t find_dotted(const struct pattern *pattern, uint32_t node,
                            struct bytes key, const char *dot)
{
    while (dot) {
        struct bytes step = {key.data, (size_t)(dot - key.data)};

        node = find_step(pattern, &pattern->nodes[node], step);
        if (!node)
            return 0;
        key.data += step.size + 1;
        key.size -= step.size + 1;
        dot = key.size ? memchr(key.data, '.', key.size) : NULL;
    }
    return find_step(pattern, &pattern->nodes[node], key);
}

uint32_t pattern_find(const struct pattern *pattern, uint32_t node,
                      struct bytes key)
{
    const struct pattern_node *from = &pattern->nodes[node];
    uint32_t found = find_step(pattern, from, key);
    const char *dot;

    if (found || !from->is_parent || !key.size)
        return found; // no step has a dot within
    dot = memchr(key.data, '.', key.size);
    return dot ? find_dotted(pattern, node, key, dot) : 0;
}

// ---- sealing ---------------------------------------------------------------

static void fill_slots(struct pattern *pattern, struct pattern_node *node,
                       size_t *slot_count)
{
    uint32_t size = 16;

    if (node->edge_count <= FEW_EDGES)
        return;
    while (size < 2 * node->edge_count)
        size *= 2;
    pattern->slots = mem_realloc(pattern->slots, *slot_count + size,
                                 sizeof(*pattern->slots));
    memset(pattern->slots + *slot_count, 0, size * sizeof(*pattern->slots));
    node->slot = (uint32_t)*slot_count;
    node->slot_mask = size - 1;
    *slot_count += size;
    for (uint32_t i = 0; i < node->edge_count; i++) {
        uint32_t at = hash_of(pattern->edges[node->edge + i].key);

        while (pattern->slots[node->slot + (at & node->slot_mask)])
            at++;
        pattern->slots[node->slot + (at & node->slot_mask)] = i + 1;
    }
}

static void lay_edges(struct pattern *pattern)
{
    size_t edge = 0, slots = 0;

    pattern->edges = mem_calloc(pattern->node_count, sizeof(*pattern->edges));
    for (size_t i = 0; i < pattern->node_count; i++) {
        struct pattern_node *node = &pattern->nodes[i];

        node->edge = (uint32_t)edge;
        for (uint32_t at = node->first; at; at = pattern->nodes[at].next) {
            pattern->edges[edge++] =
                (struct pattern_edge){pattern->nodes[at].key, at};
            node->is_parent |= pattern->nodes[at].first != 0;
        }
        node->edge_count = (uint32_t)edge - node->edge;
        fill_slots(pattern, node, &slots);
    }
}

struct place { // where a condition was
    const char *path;
    uint32_t number;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = strcmp(x->path, y->path);

    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static int compare_numbers(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void renumber_rules(struct pattern *pattern, const uint32_t *numbers)
{
    for (size_t i = 0; i < pattern->rule_count; i++) {
        struct rule *rule = &pattern->rules[i];

        for (uint32_t j = 0; j < rule->count; j++)
            rule->conditions[j] = numbers[rule->conditions[j]];
        qsort(rule->conditions, rule->count, sizeof(*rule->conditions),
              compare_numbers);
    }
}

// Number the conditions by path: what lies below a node is then a range.
static void order_conditions(struct pattern *pattern)
{
    size_t count = pattern->condition_count;
    AUTO_FREE struct place *places = mem_calloc(count + 1, sizeof(*places));
    AUTO_FREE uint32_t *numbers = mem_calloc(count + 1, sizeof(*numbers));
    struct condition *ordered = mem_calloc(count + 1, sizeof(*ordered));

    for (uint32_t i = 0; i < count; i++)
        places[i] = (struct place){pattern->conditions[i].path, i};
    qsort(places, count, sizeof(*places), compare_places);
    for (uint32_t i = 0; i < count; i++) {
        ordered[i] = pattern->conditions[places[i].number];
        numbers[places[i].number] = i;
    }
    free(pattern->conditions);
    pattern->conditions = ordered;
    renumber_rules(pattern, numbers);
}

static void widen(struct pattern_node *node, uint32_t condition)
{
    if (node->low == node->high)
        node->low = condition;
    node->high = condition + 1;
}

static void place_conditions(struct pattern *pattern)
{
    for (uint32_t i = 0; i < pattern->condition_count; i++) {
        uint32_t at = pattern->conditions[i].node;
        struct pattern_node *node = &pattern->nodes[at];

        if (!node->condition_count++)
            node->condition = i;
        for (; at != PATTERN_ROOT; at = pattern->nodes[at].parent)
            widen(&pattern->nodes[at], i);
        widen(&pattern->nodes[PATTERN_ROOT], i);
    }
}

// Two of a rule's conditions are at a node or below: neighbours in order.
static void mark_bound(struct pattern *pattern, uint32_t a, uint32_t b)
{
    uint32_t at = pattern->conditions[a].node;

    while (at != PATTERN_ROOT && pattern->nodes[at].high <= b)
        at = pattern->nodes[at].parent;
    for (; at != PATTERN_ROOT; at = pattern->nodes[at].parent)
        pattern->nodes[at].binds = true;
    pattern->nodes[PATTERN_ROOT].binds = true;
}

// The conditions on the data, its own and those below, are neighbours.
static void note_data(struct pattern *pattern)
{
    for (uint32_t i = 0; i < pattern->condition_count; i++) {
        uint32_t at = pattern->conditions[i].node;

        while (at && at != pattern->data_node)
            at = pattern->nodes[at].parent;
        if (!at || !pattern->data_node) {
            pattern->names_fields = true;
            continue;
        }
        if (pattern->data_low == pattern->data_high)
            pattern->data_low = i;
        pattern->data_high = i + 1;
    }
}

static void note_needs(const struct pattern *pattern, struct rule *rule)
{
    for (uint32_t i = 0; i < rule->count; i++) {
        uint32_t one = rule->conditions[i];
        bool is_on_data = one >= pattern->data_low && one < pattern->data_high;
        bool is_itself = pattern->conditions[one].node == pattern->data_node;

        rule->needs_json |= is_on_data && !is_itself;
        rule->needs_plain |= is_on_data && is_itself;
    }
}

void pattern_seal(struct pattern *pattern)
{
    order_conditions(pattern);
    place_conditions(pattern);
    lay_edges(pattern);
    note_data(pattern);
    for (size_t i = 0; i < pattern->condition_count; i++)
        criteria_seal(&pattern->conditions[i].criteria);
    for (size_t i = 0; i < pattern->rule_count; i++) {
        struct rule *rule = &pattern->rules[i];

        note_needs(pattern, rule);
        for (uint32_t j = 1; j < rule->count; j++)
            mark_bound(pattern, rule->conditions[j - 1], rule->conditions[j]);
    }
}
