#include "filter/pattern_build.h"

#include <stdlib.h>

#include "base/mem.h"

// Room for one more in an array that grows at powers of two.
static void *grow(void *array, size_t count, size_t size)
{
    if (count & (count - 1))
        return array;
    return mem_realloc(array, count ? 2 * count : 1, size);
}

static uint32_t child(const struct pattern *pattern, uint32_t node,
                      struct bytes key)
{
    uint32_t at = pattern->nodes[node].first;

    while (at && !bytes_equal(pattern->nodes[at].key, key))
        at = pattern->nodes[at].next;
    return at;
}

static uint32_t add_child(struct pattern *pattern, uint32_t node,
                          struct bytes key)
{
    uint32_t added = (uint32_t)pattern->node_count++;

    pattern->nodes = grow(pattern->nodes, added, sizeof(*pattern->nodes));
    pattern->nodes[added] = (struct pattern_node){
        .key = key, .parent = node, .next = pattern->nodes[node].first};
    pattern->nodes[node].first = added;
    return added;
}

uint32_t pattern_build_node(struct pattern *pattern, uint32_t from,
                            struct bytes key)
{
    const char *dot = key.size ? memchr(key.data, '.', key.size) : NULL;
    struct bytes step = {key.data, dot ? (size_t)(dot - key.data) : key.size};
    uint32_t found = child(pattern, from, step);

    if (!found)
        found = add_child(pattern, from, step);
    if (!dot)
        return found;
    return pattern_build_node(
        pattern, found, (struct bytes){dot + 1, key.size - step.size - 1});
}

static void put_path(const struct pattern *pattern, uint32_t node,
                     struct buffer *out)
{
    if (pattern->nodes[node].parent != PATTERN_ROOT) {
        put_path(pattern, pattern->nodes[node].parent, out);
        buffer_append_char(out, '.');
    }
    buffer_append_bytes(out, pattern->nodes[node].key);
}

uint32_t pattern_build_condition(struct pattern *pattern, uint32_t node)
{
    uint32_t added = (uint32_t)pattern->condition_count++;
    struct buffer path;

    buffer_init(&path, (size_t)64 * 1024);
    put_path(pattern, node, &path);
    pattern->conditions =
        grow(pattern->conditions, added, sizeof(*pattern->conditions));
    pattern->conditions[added] =
        (struct condition){.node = node, .path = buffer_detach(&path)};
    return added;
}

static bool has_field(const struct pattern *pattern, const struct draft *draft,
                      uint32_t node)
{
    for (uint32_t i = 0; i < draft->count; i++)
        if (pattern->conditions[draft->conditions[i]].node == node)
            return true;
    return false;
}

bool pattern_build_require(struct pattern *pattern, struct drafts *drafts,
                           uint32_t condition)
{
    uint32_t node = pattern->conditions[condition].node;

    if (!drafts->count)
        *drafts = pattern_build_copy(drafts);
    for (size_t i = 0; i < drafts->count; i++) {
        struct draft *draft = &drafts->list[i];

        if (has_field(pattern, draft, node))
            return false;
        draft->conditions =
            grow(draft->conditions, draft->count, sizeof(*draft->conditions));
        draft->conditions[draft->count++] = condition;
    }
    return true;
}

struct drafts pattern_build_copy(const struct drafts *from)
{
    struct drafts copy = {.count = from->count ? from->count : 1};

    copy.list = mem_calloc(copy.count, sizeof(*copy.list));
    for (size_t i = 0; i < from->count; i++) {
        const struct draft *draft = &from->list[i];

        for (uint32_t j = 0; j < draft->count; j++) {
            copy.list[i].conditions =
                grow(copy.list[i].conditions, j, sizeof(*draft->conditions));
            copy.list[i].conditions[j] = draft->conditions[j];
        }
        copy.list[i].count = draft->count;
    }
    return copy;
}

bool pattern_build_join(struct drafts *to, struct drafts *from)
{
    size_t count = to->count + from->count;

    if (count > PATTERN_RULE_LIMIT)
        return false;
    to->list = mem_realloc(to->list, count, sizeof(*to->list));
    memcpy(to->list + to->count, from->list, from->count * sizeof(*to->list));
    to->count = count;
    free(from->list);
    *from = (struct drafts){0};
    return true;
}

void pattern_build_drop(struct drafts *drafts)
{
    for (size_t i = 0; i < drafts->count; i++)
        free(drafts->list[i].conditions);
    free(drafts->list);
    *drafts = (struct drafts){0};
}

void pattern_build_rules(struct pattern *pattern, struct drafts *drafts)
{
    pattern->rules =
        mem_realloc(pattern->rules, pattern->rule_count + drafts->count,
                    sizeof(*pattern->rules));
    for (size_t i = 0; i < drafts->count; i++)
        pattern->rules[pattern->rule_count++] =
            (struct rule){.conditions = drafts->list[i].conditions,
                          .count = drafts->list[i].count,
                          .filter = (uint32_t)pattern->filter_count};
    free(drafts->list);
    *drafts = (struct drafts){0};
}
