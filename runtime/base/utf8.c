#include "base/utf8.h"

#include <stdint.h>

// RFC 3629 section 4: what may follow which first byte.
static const struct form {
    uint8_t first, last;   // range of the lead byte
    uint8_t low, high;     // range of the second byte
    uint8_t continuations; // how many bytes follow the lead
} forms[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 1}, {0xe0, 0xe0, 0xa0, 0xbf, 2},
    {0xe1, 0xec, 0x80, 0xbf, 2}, {0xed, 0xed, 0x80, 0x9f, 2},
    {0xee, 0xef, 0x80, 0xbf, 2}, {0xf0, 0xf0, 0x90, 0xbf, 3},
    {0xf1, 0xf3, 0x80, 0xbf, 3}, {0xf4, 0xf4, 0x80, 0x8f, 3},
};

static const struct form *form_of(uint8_t lead)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (lead >= forms[i].first && lead <= forms[i].last)
            return &forms[i];
    return NULL;
}

// How many of the sequence's bytes are as they should be, from the lead on.
static size_t good_bytes(const struct form *form, const uint8_t *at,
                         size_t left)
{
    size_t good = 1;

    if (left > 1 && at[1] >= form->low && at[1] <= form->high)
        good = 2;
    while (good > 1 && good <= form->continuations && good < left &&
           at[good] >= 0x80 && at[good] <= 0xbf)
        good++;
    return good;
}

static size_t ascii_size(const uint8_t *at, size_t size)
{
    size_t i = 0;
    uint64_t word;

    for (; i + sizeof(word) <= size; i += sizeof(word)) {
        memcpy(&word, at + i, sizeof(word));
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < size && at[i] < 0x80)
        i++;
    return i;
}

size_t utf8_valid_size(struct bytes text)
{
    const uint8_t *at = (const uint8_t *)text.data;
    size_t i = 0;

    while (i < text.size) {
        const struct form *form;

        i += ascii_size(at + i, text.size - i);
        if (i == text.size)
            break;
        form = form_of(at[i]);
        if (!form ||
            good_bytes(form, at + i, text.size - i) <= form->continuations)
            break;
        i += form->continuations + 1u;
    }
    return i;
}

size_t utf8_invalid_size(struct bytes text)
{
    const uint8_t *at = (const uint8_t *)text.data;
    const struct form *form = text.size ? form_of(at[0]) : NULL;

    return form ? good_bytes(form, at, text.size) : 1;
}
