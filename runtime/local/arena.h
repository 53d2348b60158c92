/*
 * arena: memory that is freed all at once, when the request it was for is done.
 * Sizes come from request bodies, which are bounded before they get here.
 *
 * Threads: plain data of its owner.
 */
#ifndef POLLARD_LOCAL_ARENA_H
#define POLLARD_LOCAL_ARENA_H

#include <stddef.h>

#include "base/bytes.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; // owned; the newest first
    size_t used;                // of the newest
};

/* A zeroed struct arena is an empty one. */
void arena_finish(struct arena *arena);

/* Forget everything, keep one chunk for the next request. */
void arena_reset(struct arena *arena);

/* Zeroed and aligned; lives until reset or finish. */
void *arena_calloc(struct arena *arena, size_t count, size_t size);

/* A terminated copy. */
char *arena_copy(struct arena *arena, struct bytes bytes);

/* printf into the arena. */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A growing array in an arena; the old copies stay behind until the end. */
struct vector {
    void *items;
    size_t count, capacity;
};

/* A zeroed new last item. */
void *vector_add(struct vector *vector, struct arena *arena, size_t size);

#endif
