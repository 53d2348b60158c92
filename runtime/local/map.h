/*
 * map: a hash map whose nodes live in its values. Keys are borrowed from the
 * values. The hash is not keyed: this server listens to its own machine only.
 *
 * Threads: plain data of its owner.
 */
#ifndef POLLARD_LOCAL_MAP_H
#define POLLARD_LOCAL_MAP_H

#include <stdint.h>

#include "base/bytes.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
    struct bytes key; // borrowed from the value that holds the node
};

/* A zeroed struct map is an empty one. */
struct map {
    struct map_node **buckets; // owned
    size_t size, count;        // size: buckets, a power of two
};

/* Frees the buckets; the values are their owner's. */
void map_finish(struct map *map);

struct map_node *map_find(const struct map *map, struct bytes key);

/* The key must not be there yet. */
void map_add(struct map *map, struct map_node *node, struct bytes key);

/* The node must be there. */
void map_remove(struct map *map, struct map_node *node);

#endif
