#include "local/hash_key.h"

bool hash_key_read(struct bytes text, hash_key *key)
{
    hash_key value = 0;

    if (!text.size || text.size >= HASH_KEY_TEXT)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';

        if (digit > 9 || value > (HASH_KEY_LAST - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *key = value;
    return true;
}

void hash_key_write(hash_key key, char text[HASH_KEY_TEXT])
{
    char digits[HASH_KEY_TEXT], *at = digits + sizeof(digits);

    *--at = '\0';
    do
        *--at = (char)('0' + (char)(key % 10));
    while ((key /= 10) > 0);
    memcpy(text, at, (size_t)(digits + sizeof(digits) - at));
}

hash_key hash_key_of_md5(const uint8_t md5[16])
{
    hash_key key = 0;

    for (size_t i = 0; i < 16; i++)
        key = key << 8 | md5[i];
    return key;
}

// 2^128 itself does not fit, so its quotient comes from 2^128 - 1.
hash_key hash_key_uniform(unsigned i, unsigned count)
{
    hash_key size =
        HASH_KEY_LAST / count + (HASH_KEY_LAST % count == count - 1);

    return size * i;
}
