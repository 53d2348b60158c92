#include "local/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define CHUNK_SIZE 4000

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    max_align_t data[];
};

void arena_finish(struct arena *arena)
{
    struct arena_chunk *next;

    for (struct arena_chunk *chunk = arena->chunks; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *arena = (struct arena){0};
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *keep = arena->chunks;

    if (!keep)
        return;
    if (keep->size > CHUNK_SIZE) {
        arena_finish(arena);
        return;
    }
    arena->chunks = keep->next;
    arena_finish(arena);
    keep->next = NULL;
    arena->chunks = keep;
}

static void add_chunk(struct arena *arena, size_t size)
{
    size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    struct arena_chunk *chunk = mem_realloc(NULL, sizeof(*chunk) + room, 1);

    chunk->size = room;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->used = 0;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
    size_t align = sizeof(max_align_t);
    size_t bytes;
    void *memory;

    assert(!size || count < SIZE_MAX / 2 / size);
    bytes = (count * size + align - 1) / align * align;
    if (!arena->chunks || bytes > arena->chunks->size - arena->used)
        add_chunk(arena, bytes);
    memory = (char *)arena->chunks->data + arena->used;
    arena->used += bytes;
    memset(memory, 0, bytes);
    return memory;
}

char *arena_copy(struct arena *arena, struct bytes bytes)
{
    char *copy = arena_calloc(arena, bytes.size + 1, 1);

    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    char *text;
    int size;

    va_start(args, format);
    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(size >= 0);
    text = arena_calloc(arena, (size_t)size + 1, 1);
    (void)vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}

void *vector_add(struct vector *vector, struct arena *arena, size_t size)
{
    if (vector->count == vector->capacity) {
        size_t capacity = vector->capacity ? vector->capacity * 2 : 10;
        void *items = arena_calloc(arena, capacity, size);

        if (vector->count)
            memcpy(items, vector->items, vector->count * size);
        vector->items = items;
        vector->capacity = capacity;
    }
    return (char *)vector->items + vector->count++ * size;
}
