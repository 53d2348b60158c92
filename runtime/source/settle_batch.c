#include "source/settle_batch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "record/record.h"

void settle_batch_init(struct settle_batch *batch, uint64_t seed)
{
    *batch = (struct settle_batch){.later_due_ms = CLOCK_NEVER,
                                   .random = {.state = seed}};
}

void settle_batch_finish(struct settle_batch *batch)
{
    free(batch->waiting);
    free(batch->later);
    settle_batch_init(batch, 0);
}

static struct settle_entry *waiting_at(const struct settle_batch *batch,
                                       size_t i)
{
    return &batch->waiting[(batch->head + i) % batch->capacity];
}

static void grow_waiting(struct settle_batch *batch)
{
    size_t capacity = batch->capacity ? batch->capacity * 2 : 64;
    struct settle_entry *waiting = mem_calloc(capacity, sizeof(*waiting));

    for (size_t i = 0; i < batch->count; i++)
        waiting[i] = *waiting_at(batch, i);
    free(batch->waiting);
    batch->waiting = waiting;
    batch->capacity = capacity;
    batch->head = 0;
}

void settle_batch_add(struct settle_batch *batch,
                      const struct settle_entry *entry)
{
    if (batch->count == batch->capacity)
        grow_waiting(batch);
    batch->count++;
    *waiting_at(batch, batch->count - 1) = *entry;
}

// Failed entries whose backoff is over join those that wait.
static void bring_back(struct settle_batch *batch, int64_t now_ms)
{
    size_t kept = 0;

    if (now_ms < batch->later_due_ms)
        return;
    batch->later_due_ms = CLOCK_NEVER;
    for (size_t i = 0; i < batch->later_count; i++) {
        struct settle_entry entry = batch->later[i];

        if (entry.since_ms <= now_ms) {
            settle_batch_add(batch, &entry);
            continue;
        }
        batch->later[kept++] = entry;
        batch->later_due_ms =
            clock_earlier(batch->later_due_ms, entry.since_ms);
    }
    batch->later_count = kept;
}

static bool is_due(const struct settle_batch *batch, size_t most, bool flush,
                   int64_t now_ms)
{
    return batch->count >= most ||
           (batch->count && (flush || now_ms >= waiting_at(batch, 0)->since_ms +
                                                    SETTLE_BATCH_HOLD_MS));
}

size_t settle_batch_take(struct settle_batch *batch, size_t most, bool flush,
                         int64_t now_ms,
                         struct settle_entry entries[SETTLE_BATCH_MOST])
{
    size_t taken = 0;

    assert(most >= 1 && most <= SETTLE_BATCH_MOST);
    bring_back(batch, now_ms);
    if (!is_due(batch, most, flush, now_ms))
        return 0;
    while (taken < most && batch->count) {
        const struct settle_entry *entry = waiting_at(batch, 0);

        if (taken && entry->alone)
            break;
        if (entry->alone)
            most = 1;
        entries[taken++] = *entry;
        batch->head = (batch->head + 1) % batch->capacity;
        batch->count--;
    }
    return taken;
}

bool settle_batch_again(struct settle_batch *batch,
                        const struct settle_entry *entry, int64_t now_ms)
{
    struct settle_entry again = *entry;

    if (entry->attempts + 1 >= SETTLE_BATCH_ATTEMPTS &&
        now_ms >= entry->record->visible_ms)
        return false;
    again.since_ms =
        now_ms +
        random_full_jitter_ms(&batch->random, SETTLE_BATCH_BACKOFF_BASE_MS,
                              SETTLE_BATCH_BACKOFF_MAXIMUM_MS, again.attempts);
    again.attempts++;
    if (batch->later_count == batch->later_capacity) {
        batch->later_capacity =
            batch->later_capacity ? batch->later_capacity * 2 : 16;
        batch->later = mem_realloc(batch->later, batch->later_capacity,
                                   sizeof(*batch->later));
    }
    batch->later[batch->later_count++] = again;
    batch->later_due_ms = clock_earlier(batch->later_due_ms, again.since_ms);
    return true;
}

size_t settle_batch_count(const struct settle_batch *batch)
{
    return batch->count + batch->later_count;
}

int64_t settle_batch_deadline_ms(const struct settle_batch *batch)
{
    if (!batch->count)
        return batch->later_due_ms;
    return clock_earlier(waiting_at(batch, 0)->since_ms + SETTLE_BATCH_HOLD_MS,
                         batch->later_due_ms);
}
