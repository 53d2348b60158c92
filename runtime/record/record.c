#include "record/record.h"

#include <stdlib.h>

#include "base/mem.h"

void record_list_add(struct record_list *list, struct record *record)
{
    record->next = NULL;
    if (list->last)
        list->last->next = record;
    else
        list->first = record;
    list->last = record;
    list->count++;
}

struct record *record_list_take(struct record_list *list)
{
    struct record *record = list->first;

    if (!record)
        return NULL;
    list->first = record->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    record->next = NULL;
    return record;
}

struct chunk *chunk_adopt(struct buffer *body, struct record *records,
                          size_t count)
{
    struct chunk *chunk = mem_calloc(1, sizeof(*chunk));

    chunk->body = *body;
    buffer_init(body, body->limit);
    chunk->records = records;
    for (size_t i = 0; i < count; i++)
        chunk->records[i].chunk = chunk;
    chunk->live = count;
    return chunk;
}

struct chunk *chunk_create(struct buffer *body, size_t count)
{
    return chunk_adopt(body, mem_calloc(count, sizeof(struct record)), count);
}

void chunk_destroy(struct chunk *chunk)
{
    if (!chunk)
        return;
    buffer_finish(&chunk->body);
    free(chunk->records);
    free(chunk->extra);
    free(chunk);
}

void record_release(struct record *record)
{
    if (--record->chunk->live == 0)
        chunk_destroy(record->chunk);
}
