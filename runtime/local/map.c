#include "local/map.h"

#include <stdlib.h>

#include "base/mem.h"

// FNV-1a, with a last mix because buckets use the low bits.
static uint64_t hash_of(struct bytes key)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

void map_finish(struct map *map)
{
    free(map->buckets);
    *map = (struct map){0};
}

struct map_node *map_find(const struct map *map, struct bytes key)
{
    uint64_t hash = hash_of(key);
    struct map_node *node;

    if (!map->size)
        return NULL;
    node = map->buckets[hash & (map->size - 1)];
    while (node && !(node->hash == hash && bytes_equal(node->key, key)))
        node = node->next;
    return node;
}

static void link_node(struct map *map, struct map_node *node)
{
    struct map_node **bucket = &map->buckets[node->hash & (map->size - 1)];

    node->next = *bucket;
    *bucket = node;
}

static void grow(struct map *map)
{
    struct map old = *map;

    map->size = old.size ? old.size * 2 : 16;
    map->buckets = mem_calloc(map->size, sizeof(struct map_node *));
    for (size_t i = 0; i < old.size; i++) {
        struct map_node *next;

        for (struct map_node *node = old.buckets[i]; node; node = next) {
            next = node->next;
            link_node(map, node);
        }
    }
    free(old.buckets);
}

void map_add(struct map *map, struct map_node *node, struct bytes key)
{
    if (map->count >= map->size)
        grow(map);
    node->key = key;
    node->hash = hash_of(key);
    link_node(map, node);
    map->count++;
}

void map_remove(struct map *map, struct map_node *node)
{
    struct map_node **place = &map->buckets[node->hash & (map->size - 1)];

    while (*place != node)
        place = &(*place)->next;
    *place = node->next;
    map->count--;
}
