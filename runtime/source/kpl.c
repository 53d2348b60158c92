#include "source/kpl.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/mem.h"
#include "record/event.h"
#include "record/record.h"
#include "source/kpl.pb-c.h"

#define MAGIC BYTES("\xf3\x89\x9a\xc2")
#define BLOCK_SIZE (256u * 1024) // of an arena's first, which is kept
#define PLACE_SIZE 12            // ":4294967294" and its end

// ---- Memory of one reading: taken piece by piece, given back as a whole ----

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char data[];
};

struct arena {
    struct block *blocks; // owned; the newest first
    size_t size;          // of all
    bool is_full;         // something did not fit
};

static bool add_block(struct arena *arena, size_t size)
{
    struct block *block;

    if (size < BLOCK_SIZE)
        size = BLOCK_SIZE;
    if (size < arena->size && arena->size <= KPL_MEMORY_LIMIT / 2)
        size = arena->size; // twice as much in all
    if (size > KPL_MEMORY_LIMIT - arena->size) {
        arena->is_full = true;
        return false;
    }
    block = mem_realloc(NULL, 1, sizeof(*block) + size);
    *block = (struct block){.next = arena->blocks, .size = size};
    arena->blocks = block;
    arena->size += size;
    return true;
}

static void *take(void *of, size_t size)
{
    struct arena *arena = of;
    struct block *block = arena->blocks;
    size_t offset;

    if (size > KPL_MEMORY_LIMIT) {
        arena->is_full = true;
        return NULL;
    }
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if ((!block || size > block->size - block->used) && !add_block(arena, size))
        return NULL;
    block = arena->blocks;
    offset = block->used;
    block->used += size;
    return block->data + offset;
}

static void give_back(void *of, void *memory)
{
    (void)of;
    (void)memory;
}

static void free_blocks(struct arena *arena)
{
    struct block *next;

    for (struct block *block = arena->blocks; block; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (struct arena){0};
}

// The usual record fits into one block, which stays for the next.
static void empty(struct arena *arena)
{
    arena->is_full = false;
    if (arena->size > BLOCK_SIZE)
        free_blocks(arena);
    else if (arena->blocks)
        arena->blocks->used = 0;
}

// ---- Reading ----

struct kpl {
    struct digest *digest; // owned
    struct arena arena;
};

struct kpl *kpl_create(void)
{
    struct kpl *kpl = mem_calloc(1, sizeof(*kpl));

    kpl->digest = digest_create();
    return kpl;
}

void kpl_destroy(struct kpl *kpl)
{
    if (!kpl)
        return;
    digest_destroy(kpl->digest);
    free_blocks(&kpl->arena);
    free(kpl);
}

// Between magic and digest; false: the data claims to be nothing.
static bool find_message(struct bytes data, struct bytes *message)
{
    struct bytes magic = MAGIC;

    if (data.size <= magic.size + DIGEST_MD5_SIZE ||
        memcmp(data.data, magic.data, magic.size) != 0)
        return false;
    *message = (struct bytes){data.data + magic.size,
                              data.size - magic.size - DIGEST_MD5_SIZE};
    return true;
}

// Where there is no MD5 (FIPS mode) the message must do without.
static bool has_digest(struct kpl *kpl, struct bytes message)
{
    uint8_t digest[DIGEST_MD5_SIZE];

    return !digest_md5(kpl->digest, message, digest) ||
           !memcmp(digest, message.data + message.size, sizeof(digest));
}

static bool has_tables(const Kpl__Aggregate *aggregate)
{
    for (size_t i = 0; i < aggregate->n_parts; i++) {
        const Kpl__Part *part = aggregate->parts[i];

        if (part->partition_key_index >= aggregate->n_partition_keys ||
            (part->has_explicit_hash_key_index &&
             part->explicit_hash_key_index >= aggregate->n_explicit_hash_keys))
            return false;
    }
    return true;
}

static const Kpl__Aggregate *read_message(struct kpl *kpl, struct bytes message,
                                          const char **why)
{
    ProtobufCAllocator allocator = {
        .alloc = take, .free = give_back, .allocator_data = &kpl->arena};
    const Kpl__Aggregate *aggregate;

    if (!has_digest(kpl, message)) {
        *why = "its digest is of something else";
        return NULL;
    }
    aggregate = kpl__aggregate__unpack(&allocator, message.size,
                                       (const uint8_t *)message.data);
    if (!aggregate)
        *why = kpl->arena.is_full ? "reading it takes over 64 MiB of memory"
                                  : "its protobuf cannot be read";
    else if (!has_tables(aggregate))
        *why = "it has an index past its table";
    return *why ? NULL : aggregate;
}

// ---- Its records ----

// As record_full_id has it.
static size_t write_place(char text[PLACE_SIZE], uint32_t index)
{
    return (size_t)snprintf(text, PLACE_SIZE, ":%u", index);
}

// Of keys, ids and data, or 0: too much.
static size_t text_size(const struct record *record,
                        const Kpl__Aggregate *aggregate, uint32_t skip)
{
    size_t size = 0;

    if (aggregate->n_parts >= KPL_MEMORY_LIMIT / sizeof(struct record))
        return 0;
    for (size_t i = 0; i < aggregate->n_partition_keys; i++)
        size += aggregate->partition_keys[i].len;
    for (size_t i = skip; i < aggregate->n_parts; i++)
        size += aggregate->parts[i]->data.len + record->id.size + PLACE_SIZE;
    size++; // a buffer wants room for an end
    return size + aggregate->n_parts * sizeof(struct record) <= KPL_MEMORY_LIMIT
               ? size
               : 0;
}

static struct bytes put(struct buffer *body, const void *data, size_t size)
{
    struct bytes slice = {body->data + body->size, size};

    buffer_append(body, data, size);
    return slice;
}

// Each table entry once; the table points there from then on.
static void put_keys(struct buffer *body, const Kpl__Aggregate *aggregate)
{
    for (size_t i = 0; i < aggregate->n_partition_keys; i++) {
        ProtobufCBinaryData *key = &aggregate->partition_keys[i];
        char *to = body->data + body->size;

        buffer_append(body, key->data, key->len);
        key->data = (uint8_t *)to;
    }
}

static void put_record(struct buffer *body, const Kpl__Aggregate *aggregate,
                       uint32_t index, struct record *record)
{
    const Kpl__Part *part = aggregate->parts[index];
    const ProtobufCBinaryData *key =
        &aggregate->partition_keys[part->partition_key_index];
    char place[PLACE_SIZE];

    record->id = put(body, record->id.data, record->id.size);
    (void)put(body, place, write_place(place, index));
    record->data = put(body, part->data.data, part->data.len);
    record->key = (struct bytes){(const char *)key->data, key->len};
    record->sub = index + 1;
    record->is_last_sub = index + 1 == aggregate->n_parts;
}

static struct chunk *make_chunk(const struct record *record,
                                const Kpl__Aggregate *aggregate, uint32_t skip,
                                size_t size)
{
    size_t count = aggregate->n_parts > skip ? aggregate->n_parts - skip : 0;
    size_t origin_size = event_origin_size(record->origin);
    struct record *records = mem_calloc(count ? count : 1, sizeof(*records));
    struct buffer body = {.data = mem_realloc(NULL, size, 1), // it stays put
                          .capacity = size,
                          .limit = size};
    struct chunk *chunk;

    put_keys(&body, aggregate);
    for (size_t i = 0; i < count; i++) {
        records[i] = *record;
        put_record(&body, aggregate, skip + (uint32_t)i, &records[i]);
        records[i].event_size =
            (uint32_t)(origin_size + event_own_size(&records[i]));
    }
    chunk = chunk_adopt(&body, records, count);
    chunk->capacity = count;
    return chunk;
}

struct chunk *kpl_open(struct kpl *kpl, const struct record *record,
                       uint32_t skip, const char **why)
{
    const Kpl__Aggregate *aggregate;
    struct chunk *chunk = NULL;
    struct bytes message;
    size_t size;

    *why = NULL;
    if (!find_message(record->data, &message))
        return NULL;
    aggregate = read_message(kpl, message, why);
    size = aggregate ? text_size(record, aggregate, skip) : 0;
    if (aggregate && !size)
        *why = "its user records take over 64 MiB of memory";
    if (size)
        chunk = make_chunk(record, aggregate, skip, size);
    empty(&kpl->arena);
    return chunk;
}
