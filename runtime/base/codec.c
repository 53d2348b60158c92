#include "base/codec.h"

#include <stdint.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t codec_base64_encode(struct bytes data, char *out)
{
    const unsigned char *in = (const unsigned char *)data.data;
    char *start = out;
    size_t i = 0;

    for (; i + 3 <= data.size; i += 3, out += 4) {
        uint32_t group =
            (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];

        out[0] = alphabet[group >> 18];
        out[1] = alphabet[group >> 12 & 63];
        out[2] = alphabet[group >> 6 & 63];
        out[3] = alphabet[group & 63];
    }
    if (i < data.size) {
        bool two = i + 1 < data.size;
        uint32_t group =
            (uint32_t)in[i] << 16 | (two ? (uint32_t)in[i + 1] << 8 : 0);

        out[0] = alphabet[group >> 18];
        out[1] = alphabet[group >> 12 & 63];
        out[2] = two ? alphabet[group >> 6 & 63] : '=';
        out[3] = '=';
        out += 4;
    }
    *out = '\0';
    return (size_t)(out - start);
}

// One more than the value of each base64 digit; 0 for what is none.
static const uint8_t digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,
    ['G'] = 7,  ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12,
    ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
    ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

// The four digits at `in` as 24 bits; false when one of them is none, which
// wraps around to far above 63.
static inline bool decode_group(const unsigned char *in, uint32_t *group)
{
    uint32_t a = digits[in[0]] - 1u, b = digits[in[1]] - 1u,
             c = digits[in[2]] - 1u, d = digits[in[3]] - 1u;

    *group = a << 18 | b << 12 | c << 6 | d;
    return (a | b | c | d) < 64;
}

// The last group, of which padding leaves two or three digits. What they leave
// over must be zero.
static bool decode_tail(const unsigned char *in, size_t have, char *out)
{
    unsigned char full[4] = {in[0], in[1], have == 3 ? in[2] : 'A', 'A'};
    uint32_t group;

    if (!decode_group(full, &group) || (group & (have == 3 ? 0xff : 0xffff)))
        return false;
    out[0] = (char)(group >> 16);
    if (have == 3)
        out[1] = (char)(group >> 8);
    return true;
}

bool codec_base64_decode(struct bytes text, char *out, size_t *size)
{
    const unsigned char *in = (const unsigned char *)text.data;
    size_t count = text.size, tail;
    char *at = out;

    if (count % 4)
        return false;
    if (count && in[count - 1] == '=')
        count -= in[count - 2] == '=' ? 2 : 1;
    tail = count % 4;
    for (const unsigned char *end = in + (count - tail); in < end; in += 4) {
        uint32_t group;

        if (!decode_group(in, &group))
            return false;
        *at++ = (char)(group >> 16);
        *at++ = (char)(group >> 8);
        *at++ = (char)group;
    }
    if (tail && !decode_tail(in, tail, at))
        return false;
    *size = (size_t)(at - out) + (tail ? tail - 1 : 0);
    return true;
}

void codec_hex_encode(struct bytes data, char *out)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < data.size; i++) {
        *out++ = hex[(unsigned char)data.data[i] >> 4];
        *out++ = hex[(unsigned char)data.data[i] & 15];
    }
    *out = '\0';
}
