#include "poller/batch.h"

#include "base/mem.h"

struct batch *batch_create(size_t room)
{
    struct batch *batch =
        mem_calloc(1, sizeof(*batch) + room * sizeof(struct record *));

    batch->records = (struct record **)(void *)(batch + 1);
    return batch;
}
