/*
 * hash_key: Kinesis' 128-bit hash keys: decimal text, and ranges of equal size.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_LOCAL_HASH_KEY_H
#define POLLARD_LOCAL_HASH_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

__extension__ typedef unsigned __int128 hash_key;

#define HASH_KEY_LAST (~(hash_key)0)
#define HASH_KEY_TEXT 40 // digits of the largest, and a terminator

/* False unless it is a decimal number below 2^128. */
bool hash_key_read(struct bytes text, hash_key *key);

void hash_key_write(hash_key key, char text[HASH_KEY_TEXT]);

/* A partition key's hash: its MD5 as a big-endian number. */
hash_key hash_key_of_md5(const uint8_t md5[16]);

/* Where range `i` of `count` begins. */
hash_key hash_key_uniform(unsigned i, unsigned count);

#endif
