#include "filter/walk.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

#define KEPT_CAPACITY ((size_t)64 * 1024) // of the copy, between records

void walk_init(struct walk *walk, const struct pattern *pattern)
{
    *walk = (struct walk){.pattern = pattern,
                          .words = pattern->condition_count / 64 + 1};
    walk->hit = mem_calloc(walk->words, 3 * sizeof(*walk->hit));
    walk->seen = walk->hit + walk->words;
    walk->anywhere = walk->seen + walk->words;
    walk->saved = mem_calloc(walk->words, 3 * sizeof(*walk->saved));
    elements_init(&walk->elements, pattern);
}

void walk_finish(struct walk *walk)
{
    elements_finish(&walk->elements);
    free(walk->hit);
    free(walk->saved);
    free(walk->copy);
    *walk = (struct walk){0};
}

void walk_begin(struct walk *walk)
{
    memset(walk->hit, 0, walk->words * 3 * sizeof(*walk->hit));
    elements_clear(&walk->elements);
    walk->bound = 0;
}

// ---- values ----------------------------------------------------------------

static inline bool has_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

static inline void set_bit(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= (uint64_t)1 << i % 64;
}

static void note(struct walk *walk, uint32_t condition, bool holds)
{
    if (holds)
        set_bit(walk->anywhere, condition);
    if (walk->bound) {
        if (holds)
            elements_add(&walk->elements, FINDING_HIT, condition);
        else if (walk->pattern->conditions[condition].may_be_absent)
            elements_add(&walk->elements, FINDING_SEEN, condition);
        return;
    }
    set_bit(walk->seen, condition);
    if (holds)
        set_bit(walk->hit, condition);
}

void walk_value(struct walk *walk, uint32_t node,
                const struct criterion_value *value)
{
    const struct pattern_node *at = &walk->pattern->nodes[node];

    for (uint32_t i = 0; i < at->condition_count; i++) {
        uint32_t one = at->condition + i;
        const struct criterion *found;

        if (!walk->bound && !walk->observe && has_bit(walk->hit, one))
            continue;
        found = criteria_find(&walk->pattern->conditions[one].criteria, value);
        note(walk, one, found != NULL);
        if (walk->observe)
            walk->observe(walk->context, one, value, found);
    }
}

void walk_text(struct walk *walk, uint32_t node, struct bytes text)
{
    walk_value(walk, node, &(struct criterion_value){VALUE_TEXT, text});
}

// ---- JSON ------------------------------------------------------------------

static char *walk_any(struct walk *walk, uint32_t node, char *at);

// From behind the opening quote. The text is decoded where it stands, once it
// was passed over.
static char *take_string(struct walk *walk, char *at, struct bytes *text)
{
    char *end;

    walk->strings.escaped = false;
    end = scan_string(at, &walk->strings);
    if (!end)
        return NULL;
    *text = (struct bytes){at, (size_t)(end - at)};
    if (walk->strings.escaped)
        text->size = scan_decode(at, text->size);
    return end + 1;
}

static char *walk_scalar(struct walk *walk, uint32_t node, char *at)
{
    bool is_asked = walk->pattern->nodes[node].condition_count > 0;
    struct criterion_value value = {.kind = VALUE_NUMBER};
    char *end;

    if (!is_asked)
        return scan_value(at, walk->depth, &walk->strings);
    if (*at == '"') {
        value.kind = VALUE_TEXT;
        end = take_string(walk, at + 1, &value.text);
    } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
        end = scan_number(at);
    } else {
        value.kind = *at == 't'   ? VALUE_TRUE
                     : *at == 'f' ? VALUE_FALSE
                                  : VALUE_NULL;
        end = scan_word(at);
    }
    if (!end)
        return NULL;
    if (value.kind != VALUE_TEXT)
        value.text = (struct bytes){at, (size_t)(end - at)};
    walk_value(walk, node, &value);
    return end;
}

// From the opening quote of a name to behind its value.
static char *walk_member(struct walk *walk, uint32_t node, char *at)
{
    struct bytes name;
    uint32_t child;

    if (*at != '"')
        return NULL;
    at = take_string(walk, at + 1, &name);
    if (!at)
        return NULL;
    at = scan_space(at);
    if (*at != ':')
        return NULL;
    at = scan_space(at + 1);
    child = pattern_find(walk->pattern, node, name);
    return child ? walk_any(walk, child, at)
                 : scan_value(at, walk->depth, &walk->strings);
}

static char *walk_object(struct walk *walk, uint32_t node, char *at)
{
    at = scan_space(at + 1);
    if (*at == '}')
        return at + 1;
    for (;;) {
        at = walk_member(walk, node, at);
        if (!at)
            return NULL;
        at = scan_space(at);
        if (*at == '}')
            return at + 1;
        if (*at != ',')
            return NULL;
        at = scan_space(at + 1);
    }
}

// A value by itself is not within the element: EventBridge binds only what has
// fields.
static char *walk_element(struct walk *walk, uint32_t node, char *at,
                          bool binds)
{
    size_t opened;

    if (!binds || (*at != '{' && *at != '['))
        return walk_any(walk, node, at);
    opened = elements_open(&walk->elements, FINDING_ELEMENT, node);
    walk->bound++;
    at = walk_any(walk, node, at);
    walk->bound--;
    elements_close(&walk->elements, opened);
    return at;
}

static char *walk_elements(struct walk *walk, uint32_t node, char *at,
                           bool binds)
{
    at = scan_space(at + 1);
    if (*at == ']')
        return at + 1;
    for (;;) {
        at = walk_element(walk, node, at, binds);
        if (!at)
            return NULL;
        at = scan_space(at);
        if (*at == ']')
            return at + 1;
        if (*at != ',')
            return NULL;
        at = scan_space(at + 1);
    }
}

static char *walk_array(struct walk *walk, uint32_t node, char *at)
{
    size_t opened;

    if (!walk->pattern->nodes[node].binds)
        return walk_elements(walk, node, at, false);
    opened = elements_open(&walk->elements, FINDING_ARRAY, node);
    at = walk_elements(walk, node, at, true);
    elements_close(&walk->elements, opened);
    return at;
}

static char *walk_any(struct walk *walk, uint32_t node, char *at)
{
    if (*at != '{' && *at != '[')
        return walk_scalar(walk, node, at);
    if (walk->depth == SCAN_DEPTH_LIMIT)
        return NULL;
    walk->depth++;
    at = *at == '{' ? walk_object(walk, node, at) : walk_array(walk, node, at);
    walk->depth--;
    return at;
}

static char *copy_of(struct walk *walk, struct bytes text)
{
    size_t needed = text.size + SCAN_PAD;

    if (walk->capacity < needed || walk->capacity > KEPT_CAPACITY) {
        free(walk->copy);
        walk->capacity = needed < 4096 ? 4096 : needed;
        walk->copy = mem_calloc(walk->capacity, 1);
    }
    if (text.size)
        memcpy(walk->copy, text.data, text.size);
    memset(walk->copy + text.size, 0, SCAN_PAD);
    return walk->copy;
}

static enum walk_json type_of(char first)
{
    if (first == '{')
        return WALK_JSON_OBJECT;
    return first == '[' ? WALK_JSON_ARRAY : WALK_JSON_SCALAR;
}

static bool is_whole(const struct walk *walk, const char *end,
                     struct bytes text)
{
    return end == walk->copy + text.size &&
           (!(walk->strings.high & 0x8080808080808080u) ||
            utf8_valid_size(text) == text.size);
}

// For who observes, who would otherwise see values of what is not JSON in the
// end.
static bool is_json(struct walk *walk, struct bytes text)
{
    char *at = scan_space(copy_of(walk, text));

    walk->strings = (struct scan_string){0};
    at = scan_value(at, 0, &walk->strings);
    return at && is_whole(walk, scan_space(at), text);
}

static enum walk_json walk_whole(struct walk *walk, uint32_t node,
                                 struct bytes text)
{
    size_t bits = walk->words * 3 * sizeof(*walk->hit);
    size_t findings = walk->elements.count;
    char *start = scan_space(copy_of(walk, text)), *at;
    enum walk_json type = type_of(*start);

    memcpy(walk->saved, walk->hit, bits);
    walk->strings = (struct scan_string){0};
    walk->depth = 0;
    at = walk_any(walk, node, start);
    if (at && is_whole(walk, scan_space(at), text))
        return type;
    memcpy(walk->hit, walk->saved, bits);
    walk->elements.count = findings;
    walk->elements.gave_up = false;
    walk->bound = 0;
    return WALK_JSON_NONE;
}

enum walk_json walk_json(struct walk *walk, uint32_t node, struct bytes text)
{
    if (walk->observe && !is_json(walk, text))
        return WALK_JSON_NONE;
    return walk_whole(walk, node, text);
}

// ---- verdicts --------------------------------------------------------------

static bool condition_holds(const struct walk *walk, uint32_t condition)
{
    return has_bit(walk->hit, condition) ||
           (walk->pattern->conditions[condition].may_be_absent &&
            !has_bit(walk->seen, condition));
}

bool walk_is_open(const struct walk *walk, const struct rule *rule)
{
    const struct pattern *pattern = walk->pattern;

    for (uint32_t i = 0; i < rule->count; i++) {
        uint32_t one = rule->conditions[i];

        if ((one < pattern->data_low || one >= pattern->data_high) &&
            !has_bit(walk->anywhere, one) && !condition_holds(walk, one))
            return false;
    }
    return true;
}

static bool holds_plainly(const struct walk *walk, const struct rule *rule)
{
    for (uint32_t i = 0; i < rule->count; i++)
        if (!condition_holds(walk, rule->conditions[i]))
            return false;
    return true;
}

// What has to hold somewhere if the rule is to hold.
static bool might_hold(const struct walk *walk, const struct rule *rule)
{
    for (uint32_t i = 0; i < rule->count; i++) {
        uint32_t one = rule->conditions[i];

        if (!has_bit(walk->anywhere, one) &&
            !walk->pattern->conditions[one].may_be_absent)
            return false;
    }
    return true;
}

bool walk_holds(struct walk *walk, const struct rule *rule)
{
    if (!walk->elements.count)
        return holds_plainly(walk, rule);
    return might_hold(walk, rule) &&
           elements_judge(&walk->elements, rule, walk->hit, walk->seen);
}
