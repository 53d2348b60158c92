/*
 * key_hash: a number for a record's key, or id: where its group is found, which
 * lane it takes. For keys the seed is the process's own, because they are
 * chosen by others.
 *
 * Threads: a pure function.
 */
#ifndef POLLARD_KEY_HASH_H
#define POLLARD_KEY_HASH_H

#include <stdint.h>

#include "base/bytes.h"

uint64_t key_hash(uint64_t seed, struct bytes key);

#endif
