#include "local/shard.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cbor_write.h"
#include "base/mem.h"

#define BLOCK_SIZE (1u << 20)

// "49", the stream's birth in seconds, the serial, the shard's index.
#define SERIAL_AT 12
#define SERIAL_DIGITS 20

// Where the sequence number's text is in a record's CBOR.
#define SEQUENCE_AT 18

struct block {
    struct list link;
    uint64_t end; // position after the last record in it
    size_t used, capacity;
    char data[];
};

struct shard *shard_create(const struct shard_options *options)
{
    struct shard *shard = mem_calloc(1, sizeof(*shard));

    shard->index = options->index;
    shard->parent = options->parent;
    shard->adjacent = options->adjacent;
    shard->first = options->first;
    shard->last = options->last;
    shard->opened_ms = options->opened_ms;
    shard->opened_serial = options->opened_serial;
    list_init(&shard->blocks);
    (void)snprintf(shard->id, sizeof(shard->id), "shardId-%012u",
                   options->index);
    (void)snprintf(
        shard->sequence, sizeof(shard->sequence), "49%010llu%020d%024u",
        (unsigned long long)(options->stream_created_ms / 1000) % 10000000000u,
        0, options->index);
    return shard;
}

static void free_blocks(struct shard *shard, uint64_t until)
{
    struct list *link;

    while ((link = list_first(&shard->blocks))) {
        struct block *block = LIST_ITEM(link, struct block, link);

        if (block->end > until)
            return;
        list_remove(link);
        free(block);
    }
}

void shard_destroy(struct shard *shard)
{
    if (!shard)
        return;
    free_blocks(shard, UINT64_MAX);
    free(shard->records);
    free(shard);
}

void shard_sequence(const struct shard *shard, uint64_t serial,
                    char text[SHARD_SEQUENCE_SIZE + 1])
{
    memcpy(text, shard->sequence, SHARD_SEQUENCE_SIZE + 1);
    for (int i = SERIAL_AT + SERIAL_DIGITS; serial > 0; serial /= 10)
        text[--i] = (char)('0' + serial % 10);
}

bool shard_serial(const struct shard *shard, struct bytes sequence,
                  uint64_t *serial)
{
    size_t tail = SERIAL_AT + SERIAL_DIGITS;
    uint64_t value = 0;

    if (sequence.size != SHARD_SEQUENCE_SIZE ||
        memcmp(sequence.data, shard->sequence, SERIAL_AT) != 0 ||
        memcmp(sequence.data + tail, shard->sequence + tail,
               SHARD_SEQUENCE_SIZE - tail) != 0)
        return false;
    for (size_t i = SERIAL_AT; i < tail; i++) {
        if (sequence.data[i] < '0' || sequence.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(sequence.data[i] - '0');
    }
    *serial = value;
    return true;
}

static struct block *block_for(struct shard *shard, size_t size)
{
    struct list *last = shard->blocks.prev;
    struct block *block = LIST_ITEM(last, struct block, link);
    size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;

    if (last != &shard->blocks && size <= block->capacity - block->used)
        return block;
    block = mem_realloc(NULL, sizeof(*block) + capacity, 1);
    block->capacity = capacity;
    block->used = 0;
    list_push_back(&shard->blocks, &block->link);
    return block;
}

static struct shard_record *add_record(struct shard *shard)
{
    if (shard->head + shard->count == shard->capacity) {
        shard->capacity = shard->capacity ? shard->capacity * 2 : 64;
        shard->records = mem_realloc(shard->records, shard->capacity,
                                     sizeof(struct shard_record));
    }
    return &shard->records[shard->head + shard->count++];
}

static void render(const struct shard *shard, struct shard_record *record,
                   struct bytes key, struct bytes data, struct buffer *out)
{
    char sequence[SHARD_SEQUENCE_SIZE + 1];

    shard_sequence(shard, record->serial, sequence);
    buffer_append(out, "\xbf\x6eSequenceNumber", 16);
    cbor_put_text(out, (struct bytes){sequence, SHARD_SEQUENCE_SIZE});
    buffer_append(out,
                  "\x78\x1b"
                  "ApproximateArrivalTimestamp",
                  29);
    cbor_put_time_ms(out, record->arrived_ms);
    buffer_append(out,
                  "\x64"
                  "Data",
                  5);
    cbor_put_bytes(out, data);
    record->data_at = (uint32_t)(out->size - data.size);
    buffer_append(out, "\x6cPartitionKey", 13);
    cbor_put_text(out, key);
    buffer_append(out, "\xff", 1);
}

void shard_append(struct shard *shard, uint64_t serial, int64_t now_ms,
                  struct bytes key, struct bytes data)
{
    // All but data and key is less than 160 bytes.
    size_t most = key.size + data.size + 160;
    struct block *block = block_for(shard, most);
    struct shard_record *record = add_record(shard);
    struct buffer out = {
        .data = block->data + block->used, .capacity = most + 1, .limit = most};

    shard->payload += key.size + data.size;
    *record = (struct shard_record){.serial = serial,
                                    .arrived_ms = now_ms,
                                    .payload_end = shard->payload,
                                    .cbor = out.data,
                                    .data_size = (uint32_t)data.size,
                                    .key_size = (uint32_t)key.size};
    render(shard, record, key, data, &out);
    record->size = (uint32_t)out.size;
    block->used += out.size;
    block->end = shard_end(shard);
}

void shard_trim(struct shard *shard, int64_t before_ms)
{
    while (shard->count && shard->records[shard->head].arrived_ms < before_ms) {
        shard->head++;
        shard->count--;
        shard->trimmed++;
    }
    free_blocks(shard, shard->trimmed);
    if (shard->head <= shard->count)
        return;
    memmove(shard->records, shard->records + shard->head,
            shard->count * sizeof(struct shard_record));
    shard->head = 0;
}

uint64_t shard_start(const struct shard *shard)
{
    return shard->trimmed;
}

uint64_t shard_end(const struct shard *shard)
{
    return shard->trimmed + shard->count;
}

static bool is_before(const struct shard_record *record, uint64_t serial,
                      int64_t time_ms)
{
    return record->serial < serial || record->arrived_ms < time_ms;
}

// The first record that is before neither.
static uint64_t lower_bound(const struct shard *shard, uint64_t serial,
                            int64_t time_ms)
{
    const struct shard_record *records = shard->records + shard->head;
    size_t low = 0, high = shard->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (is_before(&records[middle], serial, time_ms))
            low = middle + 1;
        else
            high = middle;
    }
    return shard->trimmed + low;
}

uint64_t shard_position_of(const struct shard *shard, uint64_t serial)
{
    return lower_bound(shard, serial, INT64_MIN);
}

uint64_t shard_position_at(const struct shard *shard, int64_t time_ms)
{
    return lower_bound(shard, 0, time_ms);
}

const struct shard_record *shard_record(const struct shard *shard,
                                        uint64_t position)
{
    return &shard->records[shard->head + (position - shard->trimmed)];
}

struct bytes shard_record_data(const struct shard_record *record)
{
    return (struct bytes){record->cbor + record->data_at, record->data_size};
}

// It is the last thing but for the end of the map.
struct bytes shard_record_key(const struct shard_record *record)
{
    return (struct bytes){record->cbor + record->size - 1 - record->key_size,
                          record->key_size};
}

struct bytes shard_record_sequence(const struct shard_record *record)
{
    return (struct bytes){record->cbor + SEQUENCE_AT, SHARD_SEQUENCE_SIZE};
}

static uint64_t payload_before(const struct shard *shard, uint64_t position)
{
    const struct shard_record *record = shard_record(shard, position);

    return record->payload_end - record->data_size - record->key_size;
}

size_t shard_page(const struct shard *shard, uint64_t position, size_t limit,
                  uint64_t payload)
{
    uint64_t left = shard_end(shard) - position, most;
    size_t low = 1, high = left < limit ? (size_t)left : limit;

    if (!high)
        return 0;
    most = payload_before(shard, position) + payload;
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;

        if (shard_record(shard, position + middle - 1)->payload_end <= most)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void shard_put_cbor(const struct shard *shard, uint64_t position, size_t count,
                    struct buffer *out)
{
    const struct shard_record *record =
        count ? shard_record(shard, position) : NULL;

    for (size_t i = 0; i < count;) {
        const char *start = record[i].cbor, *end = start;

        // As far as it lies together in one block.
        while (i < count && record[i].cbor == end)
            end += record[i++].size;
        buffer_append(out, start, (size_t)(end - start));
    }
}
