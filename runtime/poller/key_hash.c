#include "poller/key_hash.h"

/* FNV-1a. */
uint64_t key_hash(uint64_t seed, struct bytes key)
{
    uint64_t hash = 0xcbf29ce484222325u ^ seed;

    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 0x100000001b3u;
    return hash ^ (hash >> 32);
}
