#include "source/shard_inbox.h"

#include "source/stream.h"

static size_t weight(const struct record *record)
{
    return sizeof(*record) + record->data.size + record->key.size;
}

void shard_inbox_put(struct shard_inbox *inbox, struct stream_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        record_list_add(&inbox->waiting, &page->chunk->records[i]);
    inbox->waiting_bytes += page->bytes + page->count * sizeof(struct record);
    inbox->counts.received += page->count;
    page->chunk = NULL;
}

static struct record *take(struct shard_inbox *inbox)
{
    struct record *record = record_list_take(&inbox->waiting);

    if (record)
        inbox->waiting_bytes -= weight(record);
    return record;
}

bool shard_inbox_has_next(const struct shard_inbox *inbox)
{
    return inbox->waiting.count && inbox->room;
}

struct record *shard_inbox_next(struct shard_inbox *inbox)
{
    if (!shard_inbox_has_next(inbox))
        return NULL;
    inbox->room--;
    inbox->out++;
    return take(inbox);
}

void shard_inbox_settle(struct shard_inbox *inbox, struct record *record,
                        enum source_verdict verdict)
{
    if (verdict == SOURCE_DONE)
        inbox->counts.deleted++;
    else
        inbox->counts.returned++;
    inbox->out--;
    record_release(record);
}

void shard_inbox_drop(struct shard_inbox *inbox)
{
    struct record *record;

    while ((record = take(inbox))) {
        inbox->counts.returned++;
        record_release(record);
    }
}

bool shard_inbox_is_idle(const struct shard_inbox *inbox)
{
    return inbox->waiting.count == 0 && inbox->out == 0;
}
