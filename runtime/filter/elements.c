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
        (struct finding){.type = type & 3u, .what = what & 0x1fffffffu};
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

// Steps of work; false when there were too many.
static bool work(struct elements *elements, size_t steps)
{
    if (elements->effort < steps) {
        elements->effort = 0;
        elements->gave_up = true;
        return false;
    }
    elements->effort -= (uint32_t)steps;
    return true;
}

static size_t size_of(const struct part *part)
{
    return part->high - part->low;
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

    memset(somewhere + part->low, STANDING_UNSEEN, size_of(part));
    for (size_t i = from; i < to && work(part->elements, 1); i++)
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

// From which place on the element that `standing` is of holds all: what lies
// before is absent from it. part->high + 1: it does not.
static uint32_t holds_from(const struct part *part)
{
    const uint8_t *standing = part->elements->standing;
    uint32_t from = part->high;

    for (uint32_t i = part->low; i < part->high; i++) {
        if (from > i && standing[i] == STANDING_HIT)
            from = i;
        if (standing[i] == STANDING_SEEN ||
            (standing[i] == STANDING_UNSEEN && !is_optional(part, i)))
            return part->high + 1;
    }
    return from;
}

// Up to `from`, nothing may be in the array at all but what is given.
static bool absent_before(const struct part *part, uint32_t from)
{
    for (uint32_t i = part->low; i < from; i++)
        if (part->elements->standing[i] < STANDING_GIVEN &&
            part->elements->somewhere[i] != STANDING_UNSEEN)
            return false;
    return true;
}

// Behind a finding, and all within it.
static size_t next_of(const struct finding *list, size_t i)
{
    return list[i].type <= FINDING_ELEMENT ? list[i].end : i + 1;
}

static void judge_within(const struct part *part, size_t from, size_t to);

// An element, or none at all (from == to), beside what is found outside.
static uint32_t judge_element(const struct part *part, const uint8_t *outside,
                              size_t from, size_t to)
{
    uint8_t *standing = part->elements->standing;

    if (!work(part->elements, size_of(part)))
        return part->high + 1;
    for (uint32_t i = part->low; i < part->high; i++)
        standing[i] = outside[i - part->low] == STANDING_HIT
                          ? STANDING_GIVEN
                          : outside[i - part->low];
    judge_within(part, from, to);
    return holds_from(part);
}

// The element that holds from the earliest place on, or part->high + 1. Leaves
// its standing in `chosen`.
static uint32_t judge_elements(const struct part *part, const uint8_t *outside,
                               uint8_t *chosen, size_t from, size_t to)
{
    const struct finding *list = part->elements->list;
    uint32_t best = judge_element(part, outside, from, from);

    for (size_t i = from; i < to && best > part->low; i = next_of(list, i)) {
        uint32_t held;

        if (list[i].type != FINDING_ELEMENT)
            continue;
        held = judge_element(part, outside, i + 1, list[i].end);
        if (held >= best)
            continue;
        best = held;
        memcpy(chosen, part->elements->standing + part->low, size_of(part));
    }
    return best;
}

// Adds what an element holds to the standing; false when none holds anything.
static bool judge_array(const struct part *part, size_t from, size_t to)
{
    uint8_t *standing = part->elements->standing + part->low;
    size_t size = size_of(part);
    AUTO_FREE uint8_t *outside = mem_calloc(size, 2);
    uint8_t *chosen = outside + size;
    uint32_t best;

    memcpy(outside, standing, size);
    best = judge_elements(part, outside, chosen, from, to);
    memcpy(standing, outside, size);
    look_everywhere(part, from, to);
    if (best >= part->high || !absent_before(part, best))
        return false;
    for (size_t i = 0; i < size; i++)
        raise(&standing[i], chosen[i]);
    return true;
}

// The part of a rule that lies at an array's node or below, if the array was
// not found to hold it.
static bool is_open(const struct part *part, const struct finding *array,
                    struct part *below)
{
    if (array->type != FINDING_ARRAY || array->holds ||
        !work(part->elements, size_of(part)))
        return false;
    *below = part_below(part, array->what);
    return below->low < below->high;
}

static bool judge_arrays(const struct part *part, size_t from, size_t to)
{
    struct finding *list = part->elements->list;
    bool gained = false;
    struct part below;

    for (size_t i = from; i < to && work(part->elements, 1);
         i = next_of(list, i))
        if (is_open(part, &list[i], &below)) {
            list[i].holds = judge_array(&below, i + 1, list[i].end);
            gained |= list[i].holds;
        }
    return gained;
}

// Of arrays that hold nothing, what is in them is not absent.
static void note_rest(const struct part *part, size_t from, size_t to)
{
    const struct finding *list = part->elements->list;
    struct part below;

    for (size_t i = from; i < to && work(part->elements, 1);
         i = next_of(list, i)) {
        if (!is_open(part, &list[i], &below))
            continue;
        look_everywhere(&below, i + 1, list[i].end);
        for (uint32_t place = below.low; place < below.high; place++)
            if (part->elements->somewhere[place] != STANDING_UNSEEN)
                raise(&part->elements->standing[place], STANDING_SEEN);
    }
}

// Findings right within an array belong to what the array is in.
static void apply_values(const struct part *part, size_t from, size_t to)
{
    struct finding *list = part->elements->list;

    for (size_t i = from; i < to && work(part->elements, 1);
         i = next_of(list, i)) {
        if (list[i].type == FINDING_ARRAY) {
            list[i].holds = false;
            apply_values(part, i + 1, list[i].end);
        } else if (list[i].type >= FINDING_HIT) {
            apply(part, &list[i], part->elements->standing);
        }
    }
}

// Is there another array for some of its part?
static bool is_contested(const struct part *part, size_t array, size_t from,
                         size_t to)
{
    const struct finding *list = part->elements->list;
    struct part below, other;

    if (!is_open(part, &list[array], &below))
        return false;
    for (size_t i = from; i < to && work(part->elements, 1);
         i = next_of(list, i))
        if (i != array && is_open(part, &list[i], &other) &&
            below.low < other.high && other.low < below.high)
            return true;
    return false;
}

// Which elements of several arrays go together is not tried out: whatever is in
// them counts, for losing a record would be worse.
static void pool_arrays(const struct part *part, size_t from, size_t to)
{
    struct elements *elements = part->elements;

    for (size_t i = from; i < to && work(elements, 1);
         i = next_of(elements->list, i)) {
        if (!is_contested(part, i, from, to))
            continue;
        look_everywhere(part, i + 1, elements->list[i].end);
        for (uint32_t place = part->low; place < part->high; place++)
            if (elements->somewhere[place] == STANDING_HIT)
                raise(&elements->standing[place], STANDING_HIT);
    }
}

// When an event has a key twice, or once with dots and once without, each of
// several arrays may hold a part: as long as one more does.
static void judge_within(const struct part *part, size_t from, size_t to)
{
    apply_values(part, from, to);
    while (judge_arrays(part, from, to))
        ;
    if (holds_from(part) > part->high)
        pool_arrays(part, from, to);
    note_rest(part, from, to);
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
