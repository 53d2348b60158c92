#include "record/record.h"

#include <stdlib.h>

#include "base/mem.h"

struct bytes record_full_id(const struct record *record)
{
    struct bytes id = record->id;

    if (!record->sub)
        return id;
    id.size += 2; // the colon and a digit
    for (uint32_t place = record->sub - 1; place >= 10; place /= 10)
        id.size++;
    return id;
}

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
    chunk->capacity = chunk->live = count;
    return chunk;
}

struct chunk *chunk_create(struct buffer *body, size_t count)
{
    return chunk_adopt(body, mem_calloc(count, sizeof(struct record)), count);
}

static bool spare_body(struct chunk_spares *spares, struct buffer *body)
{
    for (size_t i = 0; i < CHUNK_SPARES; i++)
        if (!spares->list[i].body.data) {
            spares->list[i].body = *body;
            return true;
        }
    return false;
}

static bool spare_records(struct chunk_spares *spares, struct chunk *chunk)
{
    for (size_t i = 0; i < CHUNK_SPARES; i++)
        if (!spares->list[i].records) {
            spares->list[i].records = chunk->records;
            spares->list[i].capacity = chunk->capacity;
            return true;
        }
    return false;
}

struct buffer chunk_spares_body(struct chunk_spares *spares)
{
    struct buffer body = {0};

    for (size_t i = 0; i < CHUNK_SPARES && !body.data; i++) {
        body = spares->list[i].body;
        spares->list[i].body = (struct buffer){0};
    }
    buffer_clear(&body);
    return body;
}

struct record *chunk_spares_records(struct chunk_spares *spares,
                                    size_t *capacity)
{
    for (size_t i = 0; i < CHUNK_SPARES; i++) {
        struct chunk_spare *spare = &spares->list[i];
        struct record *records = spare->records;

        if (!records)
            continue;
        spare->records = NULL;
        *capacity = spare->capacity;
        return records;
    }
    *capacity = 0;
    return NULL;
}

void chunk_spares_close(struct chunk_spares *spares)
{
    for (size_t i = 0; i < CHUNK_SPARES; i++) {
        free(spares->list[i].body.data);
        free(spares->list[i].records);
    }
    *spares = (struct chunk_spares){0};
}

size_t chunk_footprint(const struct chunk *chunk)
{
    return chunk->body.capacity + chunk->capacity * sizeof(struct record) +
           chunk->extra_size;
}

void chunk_destroy(struct chunk *chunk)
{
    bool spares;

    if (!chunk)
        return;
    if (chunk->lent)
        *chunk->lent -= chunk_footprint(chunk);
    spares = chunk->spares && chunk->spares->open;
    if (!spares || !spare_body(chunk->spares, &chunk->body))
        buffer_finish(&chunk->body);
    if (!spares || !spare_records(chunk->spares, chunk))
        free(chunk->records);
    free(chunk->extra);
    free(chunk);
}

static void move_slice(struct buffer *body, struct bytes *slice)
{
    size_t at = body->size;

    buffer_append_bytes(body, *slice);
    slice->data = body->data + at;
}

struct record *record_copy(const struct record *record)
{
    struct bytes id = record_full_id(record);
    bool is_change = record->origin->kind == RECORD_DYNAMODB;
    struct record to = *record;
    struct record *copy;
    struct buffer body;
    size_t size = id.size + to.data.size + to.key.size;

    if (is_change)
        size += to.event_id.size + to.event_name.size + to.event_version.size +
                to.user_identity.size;
    buffer_init(&body, size);
    (void)buffer_reserve(&body, size); // so that it stays where it is
    move_slice(&body, &id);
    to.id.data = id.data;
    move_slice(&body, &to.data);
    move_slice(&body, &to.key);
    if (is_change) {
        move_slice(&body, &to.event_id);
        move_slice(&body, &to.event_name);
        move_slice(&body, &to.event_version);
        move_slice(&body, &to.user_identity);
    }
    copy = chunk_create(&body, 1)->records;
    to.chunk = copy->chunk;
    to.next = NULL;
    *copy = to;
    return copy;
}

void record_release(struct record *record)
{
    if (--record->chunk->live == 0)
        chunk_destroy(record->chunk);
}
