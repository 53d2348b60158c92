#include "filter/criterion.h"

#include <stdlib.h>

#include "base/mem.h"

static bool begins(struct bytes text, struct bytes part)
{
    return text.size >= part.size &&
           (!part.size || !memcmp(text.data, part.data, part.size));
}

static bool ends(struct bytes text, struct bytes part)
{
    return text.size >= part.size &&
           (!part.size ||
            !memcmp(text.data + text.size - part.size, part.data, part.size));
}

// The first piece in front, the last at the end, the others between in their
// order, each as early as can be: no need to try again.
static bool matches_wildcard(const struct criterion *criterion,
                             struct bytes text)
{
    const struct bytes *piece = criterion->of.pieces.list;
    size_t last = criterion->of.pieces.count - 1;

    if (!last)
        return bytes_equal(text, piece[0]);
    if (!begins(text, piece[0]))
        return false;
    text.data += piece[0].size;
    text.size -= piece[0].size;
    if (!ends(text, piece[last]))
        return false;
    text.size -= piece[last].size;
    for (size_t i = 1; i < last; i++) {
        const char *found =
            memmem(text.data, text.size, piece[i].data, piece[i].size);

        if (!found)
            return false;
        found += piece[i].size;
        text.size -= (size_t)(found - text.data);
        text.data = found;
    }
    return true;
}

static bool is_within(const struct criterion *criterion, struct bytes text)
{
    const struct criterion_bound *low = &criterion->of.range.low;
    const struct criterion_bound *high = &criterion->of.range.high;
    struct decimal number = decimal_of(text);

    if (low->is_given &&
        decimal_compare(&number, &low->number) < (low->is_open ? 1 : 0))
        return false;
    return !high->is_given ||
           decimal_compare(&number, &high->number) <= (high->is_open ? -1 : 0);
}

static bool equals_number(const struct criterion *criterion, struct bytes text)
{
    struct decimal number = decimal_of(text);

    return !decimal_compare(&number, &criterion->of.number);
}

static bool is_address(const struct criterion *criterion, struct bytes text)
{
    struct address address;

    if (!address_parse(text, &address))
        return false;
    if (criterion->type == CRITERION_BLOCK)
        return address_is_within(&address, &criterion->of.block);
    return address.size == criterion->of.address.size &&
           !memcmp(address.bytes, criterion->of.address.bytes, address.size);
}

static bool matches_text(const struct criterion *criterion, struct bytes text)
{
    switch (criterion->type) {
    case CRITERION_TEXT:
        return bytes_equal(text, criterion->text);
    case CRITERION_PREFIX:
        return begins(text, criterion->text);
    case CRITERION_SUFFIX:
        return ends(text, criterion->text);
    case CRITERION_FOLD:
        return fold_equals(&criterion->of.fold, text);
    case CRITERION_FOLD_PREFIX:
        return fold_begins(&criterion->of.fold, text);
    case CRITERION_FOLD_SUFFIX:
        return fold_ends(&criterion->of.fold, text);
    case CRITERION_WILDCARD:
        return matches_wildcard(criterion, text);
    case CRITERION_ADDRESS:
    case CRITERION_BLOCK:
        return is_address(criterion, text);
    case CRITERION_NUMBER:
    case CRITERION_TRUE:
    case CRITERION_FALSE:
    case CRITERION_NULL:
    case CRITERION_RANGE:
    case CRITERION_EXISTS:
    case CRITERION_ABSENT:
    case CRITERION_NOT:
        break;
    }
    return false;
}

static bool matches(const struct criterion *criterion,
                    const struct criterion_value *value)
{
    if (criterion->type == CRITERION_EXISTS)
        return true;
    if (criterion->type == CRITERION_NOT)
        return !criteria_find(&criterion->of.none, value);
    switch (value->kind) {
    case VALUE_TEXT:
        return matches_text(criterion, value->text);
    case VALUE_NUMBER:
        return criterion->type == CRITERION_NUMBER
                   ? equals_number(criterion, value->text)
                   : criterion->type == CRITERION_RANGE &&
                         is_within(criterion, value->text);
    case VALUE_TRUE:
        return criterion->type == CRITERION_TRUE;
    case VALUE_FALSE:
        return criterion->type == CRITERION_FALSE;
    case VALUE_NULL:
        return criterion->type == CRITERION_NULL;
    }
    return false;
}

static int compare_texts(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return a.size ? memcmp(a.data, b.data, a.size) : 0;
}

static const struct criterion *find_text(const struct criteria *criteria,
                                         struct bytes text)
{
    size_t low = 0, high = criteria->texts;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_texts(text, criteria->list[middle].text);

        if (!order)
            return &criteria->list[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct criterion *criteria_find(const struct criteria *criteria,
                                      const struct criterion_value *value)
{
    if (value->kind == VALUE_TEXT && criteria->texts) {
        const struct criterion *found = find_text(criteria, value->text);

        if (found)
            return found;
    }
    for (size_t i = criteria->texts; i < criteria->count; i++)
        if (matches(&criteria->list[i], value))
            return &criteria->list[i];
    return NULL;
}

struct criterion *criteria_add(struct criteria *criteria)
{
    struct criterion *added;

    if (!(criteria->count & (criteria->count - 1))) // at powers of two
        criteria->list = mem_realloc(criteria->list,
                                     criteria->count ? 2 * criteria->count : 1,
                                     sizeof(*criteria->list));
    added = &criteria->list[criteria->count++];
    *added = (struct criterion){0};
    return added;
}

static int compare_criteria(const void *a, const void *b)
{
    const struct criterion *x = a, *y = b;

    if (x->type == CRITERION_TEXT && y->type == CRITERION_TEXT)
        return compare_texts(x->text, y->text);
    return (x->type != CRITERION_TEXT) - (y->type != CRITERION_TEXT);
}

void criteria_seal(struct criteria *criteria)
{
    for (size_t i = 0; i < criteria->count; i++)
        if (criteria->list[i].type == CRITERION_NOT)
            criteria_seal(&criteria->list[i].of.none);
    qsort(criteria->list, criteria->count, sizeof(*criteria->list),
          compare_criteria);
    while (criteria->texts < criteria->count &&
           criteria->list[criteria->texts].type == CRITERION_TEXT)
        criteria->texts++;
}

void criteria_finish(struct criteria *criteria)
{
    for (size_t i = 0; i < criteria->count; i++) {
        struct criterion *one = &criteria->list[i];

        if (one->type == CRITERION_FOLD || one->type == CRITERION_FOLD_PREFIX ||
            one->type == CRITERION_FOLD_SUFFIX)
            fold_finish(&one->of.fold);
        if (one->type == CRITERION_WILDCARD)
            free(one->of.pieces.list);
        if (one->type == CRITERION_NOT)
            criteria_finish(&one->of.none);
    }
    free(criteria->list);
    *criteria = (struct criteria){0};
}

// The text without its escapes, cut at the stars.
static void cut(struct criterion *criterion, char *text, size_t size)
{
    struct bytes *piece = criterion->of.pieces.list;
    char *out = text;

    *piece = (struct bytes){text, 0};
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '*') {
            *++piece = (struct bytes){out, 0};
            continue;
        }
        i += text[i] == '\\';
        *out++ = text[i];
        piece->size++;
    }
    criterion->of.pieces.count =
        (size_t)(piece - criterion->of.pieces.list) + 1;
}

bool criterion_set_wildcard(struct criterion *criterion, char *text,
                            size_t size, const char **reason)
{
    size_t stars = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\\') {
            *reason = "a backslash stands before * or \\ only";
            if (++i == size || (text[i] != '*' && text[i] != '\\'))
                return false;
        } else if (text[i] == '*') {
            *reason = "two * in a row are no more than one";
            if (i + 1 < size && text[i + 1] == '*')
                return false;
            stars++;
        }
    }
    criterion->of.pieces.list =
        mem_calloc(stars + 1, sizeof(*criterion->of.pieces.list));
    criterion->type = CRITERION_WILDCARD;
    cut(criterion, text, size);
    return true;
}
