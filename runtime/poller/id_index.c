#include "poller/id_index.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "poller/batch.h"
#include "poller/key_hash.h"
#include "record/record.h"

void id_index_init(struct id_index *index, const struct batch *batch)
{
    *index = (struct id_index){.batch = batch};
}

void id_index_finish(struct id_index *index)
{
    free(index->slots);
    free(index->same);
    id_index_init(index, index->batch);
}

/* Where this id is, or would be. The ids in the table are made by the service,
 * so nobody can choose ones that collide; a handler's list only looks up. */
static size_t *slot_of(const struct id_index *index, struct bytes id)
{
    size_t at = (size_t)key_hash(0, id) & (index->slot_count - 1);

    while (index->slots[at] != ID_INDEX_NONE &&
           !bytes_equal(index->batch->records[index->slots[at]]->id, id))
        at = (at + 1) & (index->slot_count - 1);
    return &index->slots[at];
}

/* From the last to the first, so that each chain is in the batch's order. */
static void build(struct id_index *index)
{
    size_t count = index->batch->count;

    index->slot_count = 8;
    while (index->slot_count < 2 * count)
        index->slot_count *= 2;
    index->slots = mem_calloc(index->slot_count, sizeof(*index->slots));
    index->same = mem_calloc(count ? count : 1, sizeof(*index->same));
    for (size_t i = 0; i < index->slot_count; i++)
        index->slots[i] = ID_INDEX_NONE;
    for (size_t i = count; i-- > 0;) {
        size_t *slot = slot_of(index, index->batch->records[i]->id);

        index->same[i] = *slot;
        *slot = i;
    }
}

size_t id_index_find(struct id_index *index, struct bytes id)
{
    if (!index->slot_count)
        build(index);
    return *slot_of(index, id);
}

/* "ID:N". What else it may be is found out when it is compared. */
static bool split_full_id(struct bytes full_id, struct bytes *id,
                          uint64_t *place)
{
    size_t at = full_id.size;

    while (at && full_id.data[at - 1] != ':')
        at--;
    if (!at || full_id.size - at > 10)
        return false;
    *id = (struct bytes){full_id.data, at - 1};
    for (*place = 0; at < full_id.size; at++)
        *place = 10 * *place + (unsigned char)full_id.data[at] - '0';
    return true;
}

/* Of the part whose number this is, or of where it would be: a batch has the
 * parts of a record side by side, as they are numbered, filtered ones left out.
 */
static size_t search(const struct batch *batch, size_t first, struct bytes id,
                     uint64_t sub)
{
    size_t low = first, high = batch->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct record *record = batch->records[middle];

        if (bytes_equal(record->id, id) && record->sub < sub)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t id_index_find_part(struct id_index *index, struct bytes full_id)
{
    const struct batch *batch = index->batch;
    struct bytes id;
    uint64_t place;
    size_t at;

    if (!split_full_id(full_id, &id, &place))
        return ID_INDEX_NONE;
    at = id_index_find(index, id);
    if (at != ID_INDEX_NONE)
        at = search(batch, at, id, place + 1);
    if (at >= batch->count ||
        !bytes_equal(record_full_id(batch->records[at]), full_id))
        return ID_INDEX_NONE;
    return at;
}

size_t id_index_take_next(struct id_index *index, size_t record)
{
    size_t next = index->same[record];

    index->same[record] = ID_INDEX_NONE;
    return next;
}
