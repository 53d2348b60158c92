#include "base/json_read.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define DEPTH_LIMIT 128

static const char ends_early[] = "the document ends early";

static bool fail(struct json_read *in, const char *reason)
{
    if (!in->error)
        in->error = reason;
    return false;
}

void json_read_init(struct json_read *in, char *data, size_t size)
{
    *in = (struct json_read){.start = data,
                             .at = data,
                             .end = size ? data + size : data,
                             .first = true};
}

// False at the end.
static bool skip_space(struct json_read *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' ||
                                *in->at == '\r' || *in->at == '\t'))
        in->at++;
    return in->at < in->end;
}

enum json_read_type json_read_peek(struct json_read *in)
{
    if (in->error || !skip_space(in))
        return JSON_READ_NOTHING;
    switch (*in->at) {
    case '{':
        return JSON_READ_OBJECT;
    case '[':
        return JSON_READ_ARRAY;
    case '"':
        return JSON_READ_STRING;
    case 't':
        return JSON_READ_TRUE;
    case 'f':
        return JSON_READ_FALSE;
    case 'n':
        return JSON_READ_NULL;
    default:
        return *in->at == '-' || (*in->at >= '0' && *in->at <= '9')
                   ? JSON_READ_NUMBER
                   : JSON_READ_NOTHING;
    }
}

// The value that comes is not what the caller asked for.
static bool fail_expected(struct json_read *in, const char *reason)
{
    return fail(in, in->at < in->end ? reason : ends_early);
}

static bool take_word(struct json_read *in, const char *word, size_t size)
{
    if ((size_t)(in->end - in->at) < size)
        return fail(in, ends_early);
    if (memcmp(in->at, word, size) != 0)
        return fail(in, "an unknown word");
    in->at += size;
    in->first = false;
    return true;
}

static bool take_null(struct json_read *in)
{
    return json_read_peek(in) == JSON_READ_NULL && take_word(in, "null", 4);
}

static bool enter(struct json_read *in, enum json_read_type type,
                  const char *reason)
{
    if (take_null(in))
        return false;
    if (json_read_peek(in) != type)
        return fail_expected(in, reason);
    if (in->depth == DEPTH_LIMIT)
        return fail(in, "nested deeper than 128");
    in->at++;
    in->depth++;
    in->first = true;
    return true;
}

bool json_read_object(struct json_read *in)
{
    return enter(in, JSON_READ_OBJECT, "not an object");
}

bool json_read_array(struct json_read *in)
{
    return enter(in, JSON_READ_ARRAY, "not an array");
}

// Pass the comma before what follows, or the closing bracket, which is false.
static bool next(struct json_read *in, char close)
{
    if (in->error)
        return false;
    assert(in->depth > 0);
    if (!skip_space(in))
        return fail(in, ends_early);
    if (*in->at == close) {
        in->at++;
        in->depth--;
        in->first = false;
        return false;
    }
    if (!in->first) {
        if (*in->at != ',')
            return fail(in, "a comma or a closing bracket is missing");
        in->at++;
        if (skip_space(in) && *in->at == close)
            return fail(in, "a comma before a closing bracket");
    }
    in->first = false;
    return true;
}

bool json_read_element(struct json_read *in)
{
    return next(in, ']');
}

#define EACH_BYTE 0x0101010101010101u

static inline uint64_t load_word(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

// The lowest set bit stands in the first byte that is a quote, a backslash or a
// control character; above it there may be false ones (borrows).
static inline uint64_t special_bytes(uint64_t word)
{
    uint64_t quote = word ^ (EACH_BYTE * '"');
    uint64_t escape = word ^ (EACH_BYTE * '\\');

    return (((quote - EACH_BYTE) & ~quote) | ((escape - EACH_BYTE) & ~escape) |
            ((word - EACH_BYTE * 0x20) & ~word)) &
           (EACH_BYTE * 0x80);
}

static inline bool is_special(char c)
{
    return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

// The first byte from `at` on that is not a plain character, or the end.
static char *plain_end(char *at, const char *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t special = special_bytes(load_word(at));

        if (special)
            return at + __builtin_ctzll(special) / 8;
    }
    while (at < end && !is_special(*at))
        at++;
    return at;
}

// Move plain characters from in->at down to `out`. A word is stored only when
// all of it was taken, so that nothing unread is overwritten.
static char *move_plain(struct json_read *in, char *out)
{
    char *at = in->at;

    for (; in->end - at >= 8; at += 8, out += 8) {
        uint64_t special = special_bytes(load_word(at));

        if (special) {
            for (int n = __builtin_ctzll(special) / 8; n > 0; n--)
                *out++ = *at++;
            in->at = at;
            return out;
        }
        memmove(out, at, 8);
    }
    while (at < in->end && !is_special(*at))
        *out++ = *at++;
    in->at = at;
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

// Four hex digits at `at`, or -1.
static int32_t hex_unit(const char *at, const char *end)
{
    int32_t unit = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);

        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static char *put_utf8(char *out, int32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 63));
        *out++ = (char)(0x80 | (c & 63));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 63));
        *out++ = (char)(0x80 | (c >> 6 & 63));
        *out++ = (char)(0x80 | (c & 63));
    }
    return out;
}

// in->at stands behind `\u`. Half a surrogate pair becomes U+FFFD: the grammar
// allows it, and one odd message must not take its whole response with it.
static char *undo_unicode(struct json_read *in, char *out)
{
    int32_t c = hex_unit(in->at, in->end), low = -1;

    if (c < 0) {
        fail(in,
             in->end - in->at < 4 ? ends_early : "\\u without four hex digits");
        return out;
    }
    in->at += 4;
    if (c >= 0xd800 && c < 0xdc00 && in->end - in->at >= 2 &&
        in->at[0] == '\\' && in->at[1] == 'u')
        low = hex_unit(in->at + 2, in->end);
    if (low >= 0xdc00 && low < 0xe000) {
        in->at += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xd800 && c < 0xe000) {
        c = 0xfffd;
    }
    return put_utf8(out, c);
}

// What the letter behind a backslash stands for; zeros are no escapes.
static const char escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

// in->at stands on a backslash.
static char *undo_escape(struct json_read *in, char *out)
{
    char letter;

    if (in->end - in->at < 2) {
        fail(in, ends_early);
        return out;
    }
    letter = in->at[1];
    if (letter != 'u' && !escapes[(unsigned char)letter]) {
        fail(in, "an unknown escape in a string");
        return out;
    }
    in->at += 2;
    if (letter == 'u')
        return undo_unicode(in, out);
    *out = escapes[(unsigned char)letter];
    return out + 1;
}

// in->at stands on a backslash: past the escape and what follows it.
static char *keep_escape(struct json_read *in)
{
    char undone[4];

    (void)undo_escape(in, undone);
    if (!in->error)
        in->at = plain_end(in->at, in->end);
    return in->at;
}

// in->at stands on the opening quote.
static bool take_string(struct json_read *in, struct bytes *text)
{
    char *start = in->at + 1, *out;

    out = in->at = plain_end(start, in->end);
    while (in->at < in->end && *in->at == '\\') {
        out = in->keeps ? keep_escape(in) : undo_escape(in, out);
        if (in->error)
            return false;
        if (!in->keeps)
            out = move_plain(in, out);
    }
    if (in->at == in->end)
        return fail(in, ends_early);
    if (*in->at != '"')
        return fail(in, "a control character in a string");
    in->at++;
    in->first = false;
    *text = (struct bytes){start, (size_t)(out - start)};
    return true;
}

bool json_read_member(struct json_read *in, struct bytes *name)
{
    *name = (struct bytes){0};
    if (!next(in, '}'))
        return false;
    if (json_read_peek(in) != JSON_READ_STRING)
        return fail_expected(in, "a member without a name");
    if (!take_string(in, name))
        return false;
    if (!skip_space(in) || *in->at != ':')
        return fail_expected(in, "a name without a colon");
    in->at++;
    return true;
}

bool json_read_string(struct json_read *in, struct bytes *text)
{
    *text = (struct bytes){0};
    if (take_null(in))
        return true;
    if (json_read_peek(in) != JSON_READ_STRING)
        return fail_expected(in, "not a string");
    return take_string(in, text);
}

static bool take_digits(struct json_read *in)
{
    const char *start = in->at;

    while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
        in->at++;
    return in->at > start || fail_expected(in, "a number without digits");
}

static bool take_char(struct json_read *in, char a, char b)
{
    if (in->at == in->end || (*in->at != a && *in->at != b))
        return false;
    in->at++;
    return true;
}

bool json_read_number(struct json_read *in, struct bytes *text)
{
    char *start;

    *text = (struct bytes){0};
    if (take_null(in))
        return true;
    if (json_read_peek(in) != JSON_READ_NUMBER)
        return fail_expected(in, "not a number");
    start = in->at;
    take_char(in, '-', '-');
    if (!take_char(in, '0', '0') && !take_digits(in))
        return false;
    if (take_char(in, '.', '.') && !take_digits(in))
        return false;
    if (take_char(in, 'e', 'E')) {
        take_char(in, '+', '-');
        if (!take_digits(in))
            return false;
    }
    in->first = false;
    *text = (struct bytes){start, (size_t)(in->at - start)};
    return true;
}

// A number taken apart: 0.DIGITS * 10^point, where the digits may hold a '.'.
struct decimal {
    const char *at, *end; // behind the sign, before the exponent
    int point;
    bool negative;
};

#define PLACES_LIMIT 100000000 // of an exponent; far beyond any int64_t

// From behind the 'e'.
static int read_exponent(const char *at, const char *end)
{
    bool negative = *at == '-';
    int exponent = 0;

    for (at += negative || *at == '+'; at < end; at++)
        if (exponent < PLACES_LIMIT)
            exponent = exponent * 10 + (*at - '0');
    return negative ? -exponent : exponent;
}

static struct decimal split_number(struct bytes text)
{
    struct decimal number = {.at = text.data, .end = text.data + text.size};
    const char *c;

    if (*number.at == '-') {
        number.negative = true;
        number.at++;
    }
    for (c = number.at; c < number.end && *c >= '0' && *c <= '9'; c++)
        if (number.point < PLACES_LIMIT)
            number.point++;
    while (c < number.end && *c != 'e' && *c != 'E')
        c++;
    if (c < number.end)
        number.point += read_exponent(c + 1, number.end);
    number.end = c;
    return number;
}

// The number times 10^shift as an integer, cut off or rounded; in decimal, so
// that nothing is lost on the way through a double.
static bool scale_number(struct bytes text, int shift, bool round,
                         int64_t *result)
{
    struct decimal number = split_number(text);
    const char *at = number.at;
    int64_t value = 0;
    int places = number.point + shift;

    for (; places > 0 && (at < number.end || value); places--) {
        int digit = 0;

        if (at < number.end && *at == '.')
            at++;
        if (at < number.end)
            digit = *at++ - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    if (at < number.end && *at == '.')
        at++;
    if (round && places == 0 && at < number.end && *at >= '5' &&
        __builtin_add_overflow(value, 1, &value))
        return false;
    *result = number.negative ? -value : value;
    return true;
}

static bool read_scaled(struct json_read *in, int shift, bool round,
                        int64_t *number)
{
    struct bytes text;

    *number = 0;
    if (!json_read_number(in, &text))
        return false;
    return !text.size || scale_number(text, shift, round, number) ||
           fail(in, "a number out of range");
}

bool json_read_int(struct json_read *in, int64_t *number)
{
    return read_scaled(in, 0, false, number);
}

bool json_read_seconds_as_ms(struct json_read *in, int64_t *ms)
{
    return read_scaled(in, 3, true, ms);
}

bool json_read_bool(struct json_read *in, bool *value)
{
    enum json_read_type type = json_read_peek(in);

    *value = false;
    if (type == JSON_READ_FALSE)
        return take_word(in, "false", 5);
    if (type == JSON_READ_NULL)
        return take_word(in, "null", 4);
    if (type != JSON_READ_TRUE)
        return fail_expected(in, "not true or false");
    *value = take_word(in, "true", 4);
    return *value;
}

bool json_read_skip(struct json_read *in)
{
    struct bytes text;
    bool value;

    switch (json_read_peek(in)) {
    case JSON_READ_OBJECT:
        if (json_read_object(in))
            while (json_read_member(in, &text))
                json_read_skip(in);
        return !in->error;
    case JSON_READ_ARRAY:
        if (json_read_array(in))
            while (json_read_element(in))
                json_read_skip(in);
        return !in->error;
    case JSON_READ_STRING:
        return take_string(in, &text);
    case JSON_READ_NUMBER:
        return json_read_number(in, &text);
    case JSON_READ_TRUE:
    case JSON_READ_FALSE:
        return json_read_bool(in, &value);
    case JSON_READ_NULL:
        return take_null(in);
    case JSON_READ_NOTHING:
        break;
    }
    return fail_expected(in, "not a value");
}

bool json_read_raw(struct json_read *in, struct bytes *text)
{
    bool ok;
    char *start;

    *text = (struct bytes){0};
    if (json_read_peek(in) == JSON_READ_NOTHING)
        return fail_expected(in, "not a value");
    start = in->at;
    in->keeps = true;
    ok = json_read_skip(in);
    in->keeps = false;
    if (ok)
        *text = (struct bytes){start, (size_t)(in->at - start)};
    return ok;
}

bool json_read_end(struct json_read *in)
{
    if (in->error)
        return false;
    if (skip_space(in))
        return fail(in, in->depth ? "not read to its end"
                                  : "something follows the document");
    return (!in->depth && !in->first) || fail(in, ends_early);
}

size_t json_read_offset(const struct json_read *in)
{
    return (size_t)(in->at - in->start);
}
