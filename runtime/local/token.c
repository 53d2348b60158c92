#include "local/token.h"

#include <assert.h>

#include "base/codec.h"

#define CHECK_SIZE 6

// Kind, data, check, and up to two bytes that make base64 end evenly.
#define PACKED_LIMIT (1 + TOKEN_DATA_LIMIT + CHECK_SIZE + 2)

static uint64_t mix(uint64_t hash)
{
    hash = (hash ^ hash >> 31) * 0x7fb5d329728ea185u;
    hash = (hash ^ hash >> 27) * 0x81dadef4bc2dd44du;
    return hash ^ hash >> 33;
}

static uint64_t check_of(uint64_t key, struct bytes data)
{
    uint64_t hash = mix(key ^ data.size), word;

    for (size_t i = 0; i < data.size; i += 8) {
        size_t left = data.size - i;

        word = 0;
        memcpy(&word, data.data + i, left < 8 ? left : 8);
        hash = mix(hash ^ word);
    }
    return hash;
}

size_t token_write(uint64_t key, enum token_kind kind, struct bytes data,
                   char text[TOKEN_TEXT_LIMIT])
{
    char packed[PACKED_LIMIT] = {(char)kind};
    size_t size = 1 + data.size;
    uint64_t check;

    assert(data.size <= TOKEN_DATA_LIMIT);
    memcpy(packed + 1, data.data, data.size);
    check = check_of(key, (struct bytes){packed, size});
    memcpy(packed + size, &check, CHECK_SIZE);
    return codec_base64_encode((struct bytes){packed, size + CHECK_SIZE}, text);
}

bool token_read(uint64_t key, enum token_kind kind, struct bytes text,
                char data[TOKEN_DATA_LIMIT], size_t *size)
{
    char packed[PACKED_LIMIT + 3];
    size_t packed_size, head;
    uint64_t check;

    if (text.size / 4 * 3 > sizeof(packed) ||
        !codec_base64_decode(text, packed, &packed_size) ||
        packed_size < 1 + CHECK_SIZE || packed[0] != (char)kind)
        return false;
    head = packed_size - CHECK_SIZE;
    check = check_of(key, (struct bytes){packed, head});
    if (memcmp(&check, packed + head, CHECK_SIZE) != 0 ||
        head - 1 > TOKEN_DATA_LIMIT)
        return false;
    *size = head - 1;
    memcpy(data, packed + 1, head - 1);
    return true;
}
