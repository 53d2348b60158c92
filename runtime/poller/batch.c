#include "poller/batch.h"

#include "base/mem.h"
#include "record/record.h"

struct batch *batch_create(size_t room)
{
    struct batch *batch =
        mem_calloc(1, sizeof(*batch) + room * sizeof(struct record *));

    batch->records = (struct record **)(void *)(batch + 1);
    return batch;
}

void batch_add(struct batch *batch, struct record *record)
{
    batch->records[batch->count++] = record;
    batch->event_bytes += record->event_size;
}

void batch_cut(struct batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++)
        batch->event_bytes -= batch->records[i]->event_size;
    batch->records += count;
    batch->count -= count;
}

struct batch *batch_split(struct batch *batch, size_t count)
{
    struct batch *front = batch_create(count);

    front->attempt = batch->attempt;
    front->lane = batch->lane;
    for (size_t i = 0; i < count; i++)
        batch_add(front, batch->records[i]);
    batch_cut(batch, count);
    return front;
}
