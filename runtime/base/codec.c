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

// 0..63, or 64 and above for what is no base64 digit.
static uint32_t digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26u;
    if (c >= '0' && c <= '9')
        return c - '0' + 52u;
    return c == '+' ? 62u : c == '/' ? 63u : 64u;
}

bool codec_base64_decode(struct bytes text, char *out, size_t *size)
{
    const unsigned char *in = (const unsigned char *)text.data;
    size_t digits = text.size, made = 0;

    if (text.size % 4)
        return false;
    while (digits && text.size - digits < 2 && in[digits - 1] == '=')
        digits--;
    for (size_t i = 0; i < digits; i += 4) {
        size_t have = digits - i < 4 ? digits - i : 4;
        uint32_t group = 0;

        for (size_t j = 0; j < 4; j++) {
            uint32_t value = j < have ? digit(in[i + j]) : 0;

            if (value > 63)
                return false;
            group = group << 6 | value;
        }
        // Bits that padding leaves over must be zero.
        if ((have == 2 && (group & 0xffff)) || (have == 3 && (group & 0xff)) ||
            have == 1)
            return false;
        out[made++] = (char)(group >> 16);
        if (have > 2)
            out[made++] = (char)(group >> 8);
        if (have > 3)
            out[made++] = (char)group;
    }
    *size = made;
    return true;
}

void codec_hex_encode(struct bytes data, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < data.size; i++) {
        *out++ = digits[(unsigned char)data.data[i] >> 4];
        *out++ = digits[(unsigned char)data.data[i] & 15];
    }
    *out = '\0';
}
