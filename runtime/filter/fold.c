#include "filter/fold.h"

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <wctype.h>

#include "base/mem.h"

struct form {
    char bytes[8];
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

// Characters whose upper form is more than one (Unicode's SpecialCasing.txt,
// without conditions).
// clang-format off
static const struct special {
    uint32_t character;
    const char *upper;
} specials[] = {
    {0x00df, "SS"}, {0x0149, "\u02bcN"}, {0x01f0, "J\u030c"},
    {0x0390, "\u0399\u0308\u0301"}, {0x03b0, "\u03a5\u0308\u0301"},
    {0x0587, "\u0535\u0552"}, {0x1e96, "H\u0331"}, {0x1e97, "T\u0308"},
    {0x1e98, "W\u030a"}, {0x1e99, "Y\u030a"}, {0x1e9a, "A\u02be"},
    {0x1f50, "\u03a5\u0313"}, {0x1f52, "\u03a5\u0313\u0300"},
    {0x1f54, "\u03a5\u0313\u0301"}, {0x1f56, "\u03a5\u0313\u0342"},
    {0x1f80, "\u1f08\u0399"}, {0x1f81, "\u1f09\u0399"},
    {0x1f82, "\u1f0a\u0399"}, {0x1f83, "\u1f0b\u0399"},
    {0x1f84, "\u1f0c\u0399"}, {0x1f85, "\u1f0d\u0399"},
    {0x1f86, "\u1f0e\u0399"}, {0x1f87, "\u1f0f\u0399"},
    {0x1f88, "\u1f08\u0399"}, {0x1f89, "\u1f09\u0399"},
    {0x1f8a, "\u1f0a\u0399"}, {0x1f8b, "\u1f0b\u0399"},
    {0x1f8c, "\u1f0c\u0399"}, {0x1f8d, "\u1f0d\u0399"},
    {0x1f8e, "\u1f0e\u0399"}, {0x1f8f, "\u1f0f\u0399"},
    {0x1f90, "\u1f28\u0399"}, {0x1f91, "\u1f29\u0399"},
    {0x1f92, "\u1f2a\u0399"}, {0x1f93, "\u1f2b\u0399"},
    {0x1f94, "\u1f2c\u0399"}, {0x1f95, "\u1f2d\u0399"},
    {0x1f96, "\u1f2e\u0399"}, {0x1f97, "\u1f2f\u0399"},
    {0x1f98, "\u1f28\u0399"}, {0x1f99, "\u1f29\u0399"},
    {0x1f9a, "\u1f2a\u0399"}, {0x1f9b, "\u1f2b\u0399"},
    {0x1f9c, "\u1f2c\u0399"}, {0x1f9d, "\u1f2d\u0399"},
    {0x1f9e, "\u1f2e\u0399"}, {0x1f9f, "\u1f2f\u0399"},
    {0x1fa0, "\u1f68\u0399"}, {0x1fa1, "\u1f69\u0399"},
    {0x1fa2, "\u1f6a\u0399"}, {0x1fa3, "\u1f6b\u0399"},
    {0x1fa4, "\u1f6c\u0399"}, {0x1fa5, "\u1f6d\u0399"},
    {0x1fa6, "\u1f6e\u0399"}, {0x1fa7, "\u1f6f\u0399"},
    {0x1fa8, "\u1f68\u0399"}, {0x1fa9, "\u1f69\u0399"},
    {0x1faa, "\u1f6a\u0399"}, {0x1fab, "\u1f6b\u0399"},
    {0x1fac, "\u1f6c\u0399"}, {0x1fad, "\u1f6d\u0399"},
    {0x1fae, "\u1f6e\u0399"}, {0x1faf, "\u1f6f\u0399"},
    {0x1fb2, "\u1fba\u0399"}, {0x1fb3, "\u0391\u0399"},
    {0x1fb4, "\u0386\u0399"}, {0x1fb6, "\u0391\u0342"},
    {0x1fb7, "\u0391\u0342\u0399"}, {0x1fbc, "\u0391\u0399"},
    {0x1fc2, "\u1fca\u0399"}, {0x1fc3, "\u0397\u0399"},
    {0x1fc4, "\u0389\u0399"}, {0x1fc6, "\u0397\u0342"},
    {0x1fc7, "\u0397\u0342\u0399"}, {0x1fcc, "\u0397\u0399"},
    {0x1fd2, "\u0399\u0308\u0300"}, {0x1fd3, "\u0399\u0308\u0301"},
    {0x1fd6, "\u0399\u0342"}, {0x1fd7, "\u0399\u0308\u0342"},
    {0x1fe2, "\u03a5\u0308\u0300"}, {0x1fe3, "\u03a5\u0308\u0301"},
    {0x1fe4, "\u03a1\u0313"}, {0x1fe6, "\u03a5\u0342"},
    {0x1fe7, "\u03a5\u0308\u0342"}, {0x1ff2, "\u1ffa\u0399"},
    {0x1ff3, "\u03a9\u0399"}, {0x1ff4, "\u038f\u0399"},
    {0x1ff6, "\u03a9\u0342"}, {0x1ff7, "\u03a9\u0342\u0399"},
    {0x1ffc, "\u03a9\u0399"}, {0xfb00, "FF"}, {0xfb01, "FI"}, {0xfb02, "FL"},
    {0xfb03, "FFI"}, {0xfb04, "FFL"}, {0xfb05, "ST"}, {0xfb06, "ST"},
    {0xfb13, "\u0544\u0546"}, {0xfb14, "\u0544\u0535"},
    {0xfb15, "\u0544\u053b"}, {0xfb16, "\u054e\u0546"},
    {0xfb17, "\u0544\u053d"},
};
// clang-format on

#define DOTTED_CAPITAL_I 0x130 // the only one with such a lower form

static const char *special_of(uint32_t c, bool upper)
{
    if (!upper)
        return c == DOTTED_CAPITAL_I ? "i\u0307" : NULL;
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
        if (specials[i].character == c)
            return specials[i].upper;
    return NULL;
}

// In a locale of our own: the process runs in "C", which knows no letters
// beyond ASCII. Where there is none (musl calls all of them UTF-8) the process'
// own has to do.
static struct form change_case(uint32_t c, bool upper, locale_t locale)
{
    const char *special = special_of(c, upper);
    struct form form = {.size = 0};

    if (special) {
        form.size = (uint8_t)strlen(special);
        memcpy(form.bytes, special, form.size);
        return form;
    }
    if (!locale)
        return form_of(upper ? towupper(c) : towlower(c));
    return form_of(upper ? towupper_l(c, locale) : towlower_l(c, locale));
}

void fold_init(struct fold *fold, struct bytes text)
{
    const uint8_t *at = (const uint8_t *)text.data, *end = at + text.size;
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

    *fold = (struct fold){
        .units = mem_calloc(text.size + 1, sizeof(struct fold_unit))};
    while (at < end) {
        uint32_t c = take_character(&at, end);

        fold->units[fold->count++] = (struct fold_unit){
            change_case(c, false, locale), change_case(c, true, locale)};
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
