#include "filter/scan.h"

#include <endian.h>
#include <string.h>

#define EACH_BYTE 0x0101010101010101u

static inline uint64_t load(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

// The lowest set bit stands in the first byte that is a quote, a backslash or a
// control character; above it there may be false ones (borrows).
static inline uint64_t special(uint64_t word)
{
    uint64_t quote = word ^ (EACH_BYTE * '"');
    uint64_t escape = word ^ (EACH_BYTE * '\\');

    return (((quote - EACH_BYTE) & ~quote) | ((escape - EACH_BYTE) & ~escape) |
            ((word - EACH_BYTE * 0x20) & ~word)) &
           (EACH_BYTE * 0x80);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

// From the backslash on.
static char *pass_escape(char *at)
{
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 2;
    case 'u':
        for (int i = 2; i < 6; i++)
            if (!is_hex(at[i]))
                return NULL;
        return at + 6;
    default:
        return NULL;
    }
}

char *scan_string(char *at, struct scan_string *found)
{
    for (;;) {
        uint64_t word = load(at), stop = special(word);

        found->high |= word;
        if (!stop) {
            at += 8;
            continue;
        }
        at += __builtin_ctzll(stop) / 8;
        if (*at == '"')
            return at;
        if (*at != '\\')
            return NULL; // a control character, or the end
        found->escaped = true;
        at = pass_escape(at);
        if (!at)
            return NULL;
    }
}

static inline char *pass_digits(char *at)
{
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

char *scan_number(char *at)
{
    char *digits;

    at += *at == '-';
    digits = at;
    at = *at == '0' ? at + 1 : pass_digits(at);
    if (at == digits)
        return NULL;
    if (*at == '.') {
        digits = ++at;
        at = pass_digits(at);
        if (at == digits)
            return NULL;
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        digits = at;
        at = pass_digits(at);
        if (at == digits)
            return NULL;
    }
    return at;
}

char *scan_word(char *at)
{
    if (!strncmp(at, "true", 4) || !strncmp(at, "null", 4))
        return at + 4;
    return strncmp(at, "false", 5) ? NULL : at + 5;
}

// Which brackets are open, a bit each: set for an object.
struct nesting {
    uint64_t bits[(SCAN_DEPTH_LIMIT + 63) / 64];
    unsigned depth, base;
};

static inline bool in_object(const struct nesting *nesting)
{
    unsigned top = nesting->depth - 1;

    return nesting->bits[top / 64] >> top % 64 & 1;
}

static inline bool open_bracket(struct nesting *nesting, bool object)
{
    unsigned top = nesting->depth;
    uint64_t bit = (uint64_t)1 << top % 64;

    if (top == SCAN_DEPTH_LIMIT)
        return false;
    if (object)
        nesting->bits[top / 64] |= bit;
    else
        nesting->bits[top / 64] &= ~bit;
    nesting->depth++;
    return true;
}

// From a member's opening quote to behind its colon.
static char *pass_name(char *at, struct scan_string *found)
{
    if (*at != '"')
        return NULL;
    at = scan_string(at + 1, found);
    if (!at)
        return NULL;
    at = scan_space(at + 1);
    return *at == ':' ? scan_space(at + 1) : NULL;
}

static char *pass_scalar(char *at, struct scan_string *found)
{
    if (*at == '"') {
        at = scan_string(at + 1, found);
        return at ? at + 1 : NULL;
    }
    if (*at == '-' || (*at >= '0' && *at <= '9'))
        return scan_number(at);
    return scan_word(at);
}

// Behind a value: over closing brackets to the next value, or the end of all.
static char *pass_between(char *at, struct nesting *nesting,
                          struct scan_string *found)
{
    while (nesting->depth > nesting->base) {
        bool object = in_object(nesting);

        at = scan_space(at);
        if (*at == ',') {
            at = scan_space(at + 1);
            return object ? pass_name(at, found) : at;
        }
        if (*at != (object ? '}' : ']'))
            return NULL;
        at++;
        nesting->depth--;
    }
    return at;
}

// At an opening bracket: to the first value within, or behind the closing one.
// *is_empty says which.
static char *pass_opening(char *at, struct nesting *nesting, bool *is_empty,
                          struct scan_string *found)
{
    bool object = *at == '{';

    at = scan_space(at + 1);
    *is_empty = *at == (object ? '}' : ']');
    if (*is_empty)
        return nesting->depth < SCAN_DEPTH_LIMIT ? at + 1 : NULL;
    if (!open_bracket(nesting, object))
        return NULL;
    return object ? pass_name(at, found) : at;
}

char *scan_value(char *at, unsigned depth, struct scan_string *found)
{
    struct nesting nesting;

    if (*at != '{' && *at != '[')
        return pass_scalar(at, found);
    nesting.depth = nesting.base = depth;
    do {
        bool is_whole = true;

        if (*at == '{' || *at == '[')
            at = pass_opening(at, &nesting, &is_whole, found);
        else
            at = pass_scalar(at, found);
        if (at && is_whole)
            at = pass_between(at, &nesting, found);
    } while (at && nesting.depth > nesting.base);
    return at;
}

// ---- decoding --------------------------------------------------------------

static uint32_t hex_value(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static uint32_t unit_at(const char *at)
{
    return hex_value(at[0]) << 12 | hex_value(at[1]) << 8 |
           hex_value(at[2]) << 4 | hex_value(at[3]);
}

static char *put_character(char *out, uint32_t c)
{
    unsigned more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};

    *out++ = (char)(leads[more] | c >> 6 * more);
    while (more--)
        *out++ = (char)(0x80 | (c >> 6 * more & 0x3f));
    return out;
}

// At the digits of \uXXXX; *in goes behind them, and behind a second half.
static uint32_t take_unit(const char **in, const char *end)
{
    uint32_t unit = unit_at(*in), low;

    *in += 4;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit > 0xdbff || end - *in < 6 || (*in)[0] != '\\' || (*in)[1] != 'u')
        return 0xfffd;
    low = unit_at(*in + 2);
    if (low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *in += 6;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static char unescaped(char letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter;
    }
}

size_t scan_decode(char *text, size_t size)
{
    const char *in = text, *end = text + size;
    char *out = text;

    while (in < end) {
        if (*in != '\\') {
            *out++ = *in++;
            continue;
        }
        in += 2;
        if (in[-1] == 'u')
            out = put_character(out, take_unit(&in, end));
        else
            *out++ = unescaped(in[-1]);
    }
    return (size_t)(out - text);
}
