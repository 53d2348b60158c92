#include "filter/verdict.h"

#include "filter/fields.h"
#include "record/record.h"

bool verdict_is_open_to(const struct rule *rule, enum walk_json data)
{
    if (rule->needs_json && data == WALK_JSON_NONE)
        return false;
    return !rule->needs_plain ||
           (data != WALK_JSON_OBJECT && data != WALK_JSON_ARRAY);
}

// What is not JSON is plain text, which patterns of a queue's body may want.
static enum walk_json look_at_data(struct walk *walk,
                                   const struct record *record)
{
    uint32_t node = walk->pattern->data_node;
    enum walk_json data;

    if (!node)
        return WALK_JSON_NONE;
    data = walk_json(walk, node, record->data);
    if (data == WALK_JSON_NONE)
        walk_text(walk, node, record->data);
    return data;
}

static const struct rule *rule_that_holds(struct walk *walk,
                                          enum walk_json data)
{
    for (size_t i = 0; i < walk->pattern->rule_count; i++) {
        const struct rule *rule = &walk->pattern->rules[i];

        if (verdict_is_open_to(rule, data) && walk_holds(walk, rule))
            return rule;
    }
    return NULL;
}

// After all but the data was looked at: may a rule hold yet?
static bool is_open(const struct walk *walk)
{
    for (size_t i = 0; i < walk->pattern->rule_count; i++)
        if (walk_is_open(walk, &walk->pattern->rules[i]))
            return true;
    return false;
}

bool verdict_is_wanted(struct walk *walk, const struct record *record)
{
    enum walk_json data;

    walk_begin(walk);
    if (walk->pattern->names_fields) {
        fields_walk(walk, record);
        if (!is_open(walk))
            return false;
    }
    data = look_at_data(walk, record);
    return rule_that_holds(walk, data) != NULL;
}

struct verdict verdict_of_record(struct walk *walk, const struct record *record)
{
    struct verdict verdict;

    walk_begin(walk);
    fields_walk(walk, record);
    verdict.data = look_at_data(walk, record);
    verdict.rule = rule_that_holds(walk, verdict.data);
    return verdict;
}

struct verdict verdict_of_event(struct walk *walk, struct bytes event)
{
    struct verdict verdict = {0};

    walk_begin(walk);
    verdict.data = walk_json(walk, PATTERN_ROOT, event);
    if (verdict.data == WALK_JSON_OBJECT)
        verdict.rule = rule_that_holds(walk, verdict.data);
    return verdict;
}
