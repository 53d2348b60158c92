#include "local/text.h"

#include "base/codec.h"
#include "base/json_write.h"
#include "base/utf8.h"

#define EACH_BYTE(byte) (0x0101010101010101u * (byte))

// The high bit of every byte that is below n (n <= 128; bytes above 127 may
// show too, which the caller asks for anyway).
static inline uint64_t below(uint64_t word, uint64_t n)
{
    return (word - EACH_BYTE(n)) & ~word & EACH_BYTE(0x80);
}

static inline uint64_t equal(uint64_t word, uint64_t byte)
{
    return below(word ^ EACH_BYTE(byte), 1);
}

static inline uint64_t not_plain(uint64_t word)
{
    return (word & EACH_BYTE(0x80)) | below(word, 0x20) | equal(word, '"') |
           equal(word, '\\');
}

bool text_is_plain(struct bytes text)
{
    uint64_t bad = 0, word;
    size_t i = 0;

    for (; i + 8 <= text.size; i += 8) {
        memcpy(&word, text.data + i, 8);
        bad |= not_plain(word);
    }
    word = EACH_BYTE(' ');
    if (i < text.size)
        memcpy(&word, text.data + i, text.size - i);
    return !(bad | not_plain(word));
}

// U+FFFE and U+FFFF, in UTF-8.
static bool is_noncharacter(const unsigned char *at, size_t left)
{
    return left >= 3 && at[0] == 0xef && at[1] == 0xbf && at[2] >= 0xbe;
}

bool text_is_legal(struct bytes text)
{
    const unsigned char *data = (const unsigned char *)text.data;

    if (text_is_plain(text))
        return true;
    for (size_t i = 0; i < text.size; i++) {
        if (data[i] < 0x20 && data[i] != '\t' && data[i] != '\n' &&
            data[i] != '\r')
            return false;
        if (is_noncharacter(data + i, text.size - i))
            return false;
    }
    return utf8_valid_size(text) == text.size;
}

void text_put_json(struct buffer *buffer, struct bytes text)
{
    char *room;

    if (!text_is_plain(text)) {
        json_put_string(buffer, text);
        return;
    }
    room = buffer_reserve(buffer, text.size + 2);
    if (!room)
        return;
    room[0] = '"';
    if (text.size)
        memcpy(room + 1, text.data, text.size);
    room[text.size + 1] = '"';
    buffer->size += text.size + 2;
}

void text_uuid(uint64_t high, uint64_t low, char uuid[TEXT_UUID_SIZE + 1])
{
    static const unsigned char dashes[] = {8, 12, 16, 20};
    uint64_t bits[] = {
        __builtin_bswap64((high & ~UINT64_C(0xf000)) | 0x4000),
        __builtin_bswap64((low & (UINT64_MAX >> 2)) | UINT64_C(1) << 63)};
    char hex[33], *out = uuid;

    codec_hex_encode((struct bytes){(const char *)bits, sizeof(bits)}, hex);
    for (size_t i = 0, dash = 0; i < 32; i++) {
        if (dash < 4 && i == dashes[dash]) {
            *out++ = '-';
            dash++;
        }
        *out++ = hex[i];
    }
    *out = '\0';
}

bool text_to_int(struct bytes text, int64_t *number)
{
    bool negative = text.size && text.data[0] == '-';
    int64_t value = 0;

    if (text.size == negative || text.size > 18)
        return false;
    for (size_t i = negative; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (text.data[i] - '0');
    }
    *number = negative ? -value : value;
    return true;
}

bool text_matches(struct bytes pattern, struct bytes text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;

    while (t < text.size) {
        if (p < pattern.size && pattern.data[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size && pattern.data[p] == text.data[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.data[p] == '*')
        p++;
    return p == pattern.size;
}
