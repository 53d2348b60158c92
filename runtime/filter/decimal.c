#include "filter/decimal.h"

#define POINT_LIMIT 1000000000000000

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// From behind the 'e'.
static int64_t read_exponent(const char *at, const char *end)
{
    bool negative = *at == '-';
    int64_t exponent = 0;

    for (at += negative || *at == '+'; at < end; at++)
        if (exponent < POINT_LIMIT)
            exponent = exponent * 10 + (*at - '0');
    if (exponent > POINT_LIMIT)
        exponent = POINT_LIMIT;
    return negative ? -exponent : exponent;
}

// Where the digits end, and the exponent or nothing begins.
static const char *mantissa_end(const char *at, const char *end)
{
    while (at < end && (is_digit(*at) || *at == '.'))
        at++;
    return at;
}

struct decimal decimal_of(struct bytes text)
{
    const char *at = text.data, *end = text.data + text.size, *mantissa, *dot;
    struct decimal number = {.negative = *at == '-'};

    at += number.negative;
    mantissa = mantissa_end(at, end);
    dot = memchr(at, '.', (size_t)(mantissa - at));
    while (at < mantissa && (*at == '0' || *at == '.'))
        at++;
    number.digits = at;
    number.point = (dot ? dot : mantissa) - at;
    if (dot && dot < at) // the digits begin behind the point
        number.point++;
    if (mantissa < end)
        number.point += read_exponent(mantissa + 1, end);
    while (mantissa > at && (mantissa[-1] == '0' || mantissa[-1] == '.'))
        mantissa--;
    number.end = mantissa;
    if (at == mantissa)
        return (struct decimal){0};
    return number;
}

// The next digit, past a point; 0 behind the last.
static char next_digit(const char **at, const char *end)
{
    if (*at < end && **at == '.')
        ++*at;
    return *at < end ? *(*at)++ : '0';
}

static int compare_size(const struct decimal *a, const struct decimal *b)
{
    const char *x = a->digits, *y = b->digits;

    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    while (x < a->end || y < b->end) {
        char digit = next_digit(&x, a->end), other = next_digit(&y, b->end);

        if (digit != other)
            return digit < other ? -1 : 1;
    }
    return 0;
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
    bool a_is_zero = a->digits == a->end, b_is_zero = b->digits == b->end;

    if (a_is_zero || b_is_zero) {
        int sign_a = a_is_zero ? 0 : a->negative ? -1 : 1;
        int sign_b = b_is_zero ? 0 : b->negative ? -1 : 1;

        return sign_a - sign_b;
    }
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? -compare_size(a, b) : compare_size(a, b);
}
