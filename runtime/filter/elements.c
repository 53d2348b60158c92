#include "filter/elements.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "filter/pattern.h"

#define KEPT_CAPACITY 4096 // findings whose memory is kept between records

void elements_init(struct elements *elements, const struct pattern *pattern)
{
    size_t count = pattern->condition_count + 1;

    *elements = (struct elements){.pattern = pattern};
    elements->positions = mem_calloc(count, sizeof(*elements->positions));
    elements->standing = mem_calloc(count, 1);
    elements->somewhere = mem_calloc(count, 1);
}

void elements_finish(struct elements *elements)
{
    free(elements->list);
    free(elements->positions);
    free(elements->standing);
    free(elements->somewhere);
    *elements = (struct elements){0};
}

void elements_clear(struct elements *elements)
{
    if (elements->capacity > KEPT_CAPACITY) {
        free(elements->list);
        elements->list = NULL;
        elements->capacity = 0;
    }
    elements->count = 0;
    elements->gave_up = false;
    elements->effort = ELEMENTS_EFFORT;
}

static void put(struct elements *elements, enum finding_type type,
                uint32_t what)
{
    if (elements->count == ELEMENTS_LIMIT) {
        elements->gave_up = true;
        return;
    }
    if (elements->count == elements->capacity) {
        elements->capacity = elements->capacity ? 2 * elements->capacity : 64;
        elements->list = mem_realloc(elements->list, elements->capacity,
                                     sizeof(*elements->list));
    }
    elements->list[elements->count++] =
        (struct finding){.type = type & 3u, .what = what & 0x3fffffffu};
}

size_t elements_open(struct elements *elements, enum finding_type type,
                     uint32_t node)
{
    put(elements, type, node);
    return elements->count - 1;
}

void elements_close(struct elements *elements, size_t opened)
{
    elements->list[opened].end = (uint32_t)elements->count;
}

void elements_add(struct elements *elements, enum finding_type type,
                  uint32_t condition)
{
    put(elements, type, condition);
}

// ---- judging ---------------------------------------------------------------

// A rule, or that part of it that lies below one array: places low to high.
struct part {
    struct elements *elements;
    const struct rule *rule;
    uint32_t low, high;
};

static bool is_optional(const struct part *part, uint32_t place)
{
    const struct pattern *pattern = part->elements->pattern;

    return pattern->conditions[part->rule->conditions[place]].may_be_absent;
}

// One step of work; false when there were too many.
static bool work(struct elements *elements)
{
    if (!elements->effort) {
        elements->gave_up = true;
        return false;
    }
    elements->effort--;
    return true;
}

static void raise(uint8_t *standing, enum standing to)
{
    if (*standing < to)
        *standing = (uint8_t)to;
}

static void apply(const struct part *part, const struct finding *finding,
                  uint8_t *standing)
{
    uint32_t place = part->elements->positions[finding->what];

    if (place > part->low && place <= part->high)
        raise(&standing[place - 1],
              finding->type == FINDING_HIT ? STANDING_HIT : STANDING_SEEN);
}

// What is found anywhere between two findings, whichever element it is in.
static void look_everywhere(const struct part *part, size_t from, size_t to)
{
    uint8_t *somewhere = part->elements->somewhere;

    memset(somewhere + part->low, STANDING_UNSEEN, part->high - part->low);
    for (size_t i = from; i < to && work(part->elements); i++)
        if (part->elements->list[i].type >= FINDING_HIT)
            apply(part, &part->elements->list[i], somewhere);
}

// The places of the rule that lie below a node.
static struct part part_below(const struct part *part, uint32_t node)
{
    const struct pattern_node *at = &part->elements->pattern->nodes[node];
    struct part below = *part;

    while (below.low < below.high &&
           part->rule->conditions[below.low] < at->low)
        below.low++;
    while (below.high > below.low &&
           part->rule->conditions[below.high - 1] >= at->high)
        below.high--;
    return below;
}

static void judge_scope(const struct part *part, size_t from, size_t to);

// From which place on the element that `standing` is of holds all: what lies
// before is absent from it. part->high + 1: it does not.
static uint32_t holds_from(const struct part *part)
{
    const uint8_t *standing = part->elements->standing;
    uint32_t from = part->high;

    for (uint32_t i = part->low; i < part->high; i++) {
        if (standing[i] == STANDING_HIT) {
            if (from > i)
                from = i;
        } else if (standing[i] == STANDING_SEEN || !is_optional(part, i)) {
            return part->high + 1;
        }
    }
    return from;
}

// Up to `from`, nothing may be in the array at all.
static bool absent_before(const struct part *part, uint32_t from)
{
    for (uint32_t i = part->low; i < from; i++)
        if (part->elements->somewhere[i] != STANDING_UNSEEN)
            return false;
    return true;
}

// The element that holds from the earliest place on, or part->high + 1.
static uint32_t judge_elements(const struct part *part, size_t from, size_t to)
{
    const struct finding *list = part->elements->list;
    uint32_t best;

    judge_scope(part, from, from); // as if in no element
    best = holds_from(part);
    for (size_t i = from; i < to && best > part->low;
         i = list[i].type <= FINDING_ELEMENT ? list[i].end : i + 1) {
        uint32_t held;

        if (list[i].type != FINDING_ELEMENT)
            continue;
        judge_scope(part, i + 1, list[i].end);
        held = holds_from(part);
        if (held < best)
            best = held;
    }
    return best;
}

// Leaves the standing of the array as a whole.
static void judge_array(const struct part *part, size_t from, size_t to)
{
    uint8_t *standing = part->elements->standing;
    uint32_t best = judge_elements(part, from, to);

    look_everywhere(part, from, to);
    if (best > part->high || !absent_before(part, best))
        best = part->high + 1;
    for (uint32_t i = part->low; i < part->high; i++)
        standing[i] = best > part->high ? STANDING_SEEN
                      : i < best        ? STANDING_UNSEEN
                                        : STANDING_HIT;
}

// Findings right within an array belong to what the array is in.
static void apply_direct(const struct part *part, size_t from, size_t to)
{
    const struct finding *list = part->elements->list;

    for (size_t i = from; i < to;
         i = list[i].type <= FINDING_ELEMENT ? list[i].end : i + 1)
        if (list[i].type >= FINDING_HIT)
            apply(part, &list[i], part->elements->standing);
}

static void judge_within(const struct part *part, size_t from, size_t to)
{
    const struct finding *list = part->elements->list;

    for (size_t i = from; i < to && work(part->elements);) {
        if (list[i].type == FINDING_ARRAY) {
            struct part below = part_below(part, list[i].what);

            // The same key twice: one array that holds is enough.
            if (below.low < below.high && holds_from(&below) >= below.high)
                judge_array(&below, i + 1, list[i].end);
            apply_direct(part, i + 1, list[i].end);
            i = list[i].end;
        } else {
            apply(part, &list[i++], part->elements->standing);
        }
    }
}

static void judge_scope(const struct part *part, size_t from, size_t to)
{
    memset(part->elements->standing + part->low, STANDING_UNSEEN,
           part->high - part->low);
    judge_within(part, from, to);
}

static bool has_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

static void start(const struct part *part, const uint64_t *hit,
                  const uint64_t *seen)
{
    for (uint32_t i = 0; i < part->rule->count; i++) {
        uint32_t one = part->rule->conditions[i];

        part->elements->positions[one] = i + 1;
        part->elements->standing[i] = has_bit(hit, one)    ? STANDING_HIT
                                      : has_bit(seen, one) ? STANDING_SEEN
                                                           : STANDING_UNSEEN;
    }
}

bool elements_judge(struct elements *elements, const struct rule *rule,
                    const uint64_t *hit, const uint64_t *seen)
{
    const struct part whole = {elements, rule, 0, rule->count};
    bool holds;

    if (elements->gave_up)
        return true;
    start(&whole, hit, seen);
    judge_within(&whole, 0, elements->count);
    holds = holds_from(&whole) <= rule->count;
    for (uint32_t i = 0; i < rule->count; i++)
        elements->positions[rule->conditions[i]] = 0;
    return holds || elements->gave_up;
}
