#include "record/sequence.h"

#include <string.h>

static bool take_number(struct bytes *text, struct bytes *digits)
{
    size_t size = 0;

    while (size < text->size && text->data[size] >= '0' &&
           text->data[size] <= '9')
        size++;
    *digits = (struct bytes){text->data, size};
    *text = (struct bytes){text->data + size, text->size - size};
    return size > 0;
}

static bool parse_subs(struct bytes digits, uint32_t *subs)
{
    uint64_t value = 0;

    for (size_t i = 0; i < digits.size; i++) {
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
        if (value > UINT32_MAX)
            return false;
    }
    *subs = (uint32_t)value;
    return value > 0;
}

bool sequence_parse(struct bytes text, struct sequence *sequence)
{
    struct bytes subs;

    *sequence = (struct sequence){0};
    if (!take_number(&text, &sequence->digits))
        return false;
    if (!text.size)
        return true;
    if (*text.data != ':')
        return false;
    text = (struct bytes){text.data + 1, text.size - 1};
    return take_number(&text, &subs) && !text.size &&
           parse_subs(subs, &sequence->subs);
}

static struct bytes without_zeros(struct bytes digits)
{
    while (digits.size && *digits.data == '0')
        digits = (struct bytes){digits.data + 1, digits.size - 1};
    return digits;
}

static int compare_digits(struct bytes a, struct bytes b)
{
    int order;

    a = without_zeros(a);
    b = without_zeros(b);
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    order = a.size ? memcmp(a.data, b.data, a.size) : 0;
    return (order > 0) - (order < 0);
}

int sequence_compare(const char *a, const char *b)
{
    struct sequence x, y;
    bool has_x = sequence_parse(bytes_of(a), &x);
    bool has_y = sequence_parse(bytes_of(b), &y);
    int order;

    if (!has_x || !has_y)
        return has_x - has_y;
    order = compare_digits(x.digits, y.digits);
    if (order)
        return order;
    x.subs--; // 0, the whole, becomes the largest
    y.subs--;
    return (x.subs > y.subs) - (x.subs < y.subs);
}
