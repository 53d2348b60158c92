#include "filter/fold.h"

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <wctype.h>

#include "base/mem.h"

struct form {
    char bytes[4];
    uint8_t size;
};

struct fold_unit {
    struct form lower, upper;
};

// The next character of valid UTF-8.
static uint32_t take_character(const uint8_t **at, const uint8_t *end)
{
    uint32_t c = *(*at)++;
    unsigned more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

    if (more)
        c &= 0x3fu >> more;
    for (; more && *at < end; more--)
        c = c << 6 | (*(*at)++ & 0x3fu);
    return c;
}

static struct form form_of(uint32_t c)
{
    struct form form = {.size = 1};

    if (c < 0x80) {
        form.bytes[0] = (char)c;
        return form;
    }
    form.size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (unsigned i = form.size - 1u; i > 0; i--, c >>= 6)
        form.bytes[i] = (char)(0x80 | (c & 0x3f));
    form.bytes[0] = (char)((0xf00u >> form.size & 0xffu) | c);
    return form;
}

// In a locale of our own: the process runs in "C", which knows no letters
// beyond ASCII. Where there is none (musl calls all of them UTF-8) the process'
// own has to do.
static uint32_t change_case(uint32_t c, bool upper, locale_t locale)
{
    if (!locale)
        return upper ? towupper(c) : towlower(c);
    return upper ? towupper_l(c, locale) : towlower_l(c, locale);
}

void fold_init(struct fold *fold, struct bytes text)
{
    const uint8_t *at = (const uint8_t *)text.data, *end = at + text.size;
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

    *fold = (struct fold){
        .units = mem_calloc(text.size + 1, sizeof(struct fold_unit))};
    while (at < end) {
        uint32_t c = take_character(&at, end);

        fold->units[fold->count++] =
            (struct fold_unit){form_of(change_case(c, false, locale)),
                               form_of(change_case(c, true, locale))};
    }
    if (locale)
        freelocale(locale);
}

void fold_finish(struct fold *fold)
{
    free(fold->units);
    *fold = (struct fold){0};
}

static bool has(struct bytes text, size_t at, const struct form *form)
{
    return text.size - at >= form->size &&
           !memcmp(text.data + at, form->bytes, form->size);
}

// Bytes of the text that it takes up, from the front; SIZE_MAX: it does not.
static size_t size_in_front(const struct fold *fold, struct bytes text)
{
    size_t at = 0;

    for (size_t i = 0; i < fold->count; i++) {
        const struct fold_unit *unit = &fold->units[i];

        if (has(text, at, &unit->lower))
            at += unit->lower.size;
        else if (has(text, at, &unit->upper))
            at += unit->upper.size;
        else
            return SIZE_MAX;
    }
    return at;
}

bool fold_begins(const struct fold *fold, struct bytes text)
{
    return size_in_front(fold, text) != SIZE_MAX;
}

bool fold_equals(const struct fold *fold, struct bytes text)
{
    return size_in_front(fold, text) == text.size;
}

bool fold_ends(const struct fold *fold, struct bytes text)
{
    size_t left = text.size;

    for (size_t i = fold->count; i > 0; i--) {
        const struct fold_unit *unit = &fold->units[i - 1];

        if (left >= unit->lower.size &&
            has(text, left - unit->lower.size, &unit->lower))
            left -= unit->lower.size;
        else if (left >= unit->upper.size &&
                 has(text, left - unit->upper.size, &unit->upper))
            left -= unit->upper.size;
        else
            return false;
    }
    return true;
}
