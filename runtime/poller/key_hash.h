/*
 * key_hash: a number for a record's key: where its group is found, which lane
 * it takes. The seed is the process's own, because keys are chosen by others.
 *
 * Threads: a pure function.
 */
#ifndef POLLARD_KEY_HASH_H
#define POLLARD_KEY_HASH_H

#include <stdint.h>

#include "base/bytes.h"

uint64_t key_hash(uint64_t seed, struct bytes key);

#endif
