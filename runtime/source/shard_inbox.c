#include "source/shard_inbox.h"

#include <stdlib.h>

#include "base/mem.h"
#include "record/sequence.h"
#include "source/kpl.h"
#include "source/stream.h"

#define TROUBLE_LOG_MS (60 * 1000)

static size_t weight(const struct record *record)
{
    return sizeof(*record) + record->data.size + record->key.size;
}

void shard_inbox_split(struct shard_inbox *inbox,
                       const struct stream_start *start, const struct log *log)
{
    inbox->kpl = kpl_create();
    inbox->log = log;
    if (start->position == STREAM_AFTER_SEQUENCE_NUMBER)
        inbox->begun = mem_strdup(start->sequence_number);
}

void shard_inbox_finish(struct shard_inbox *inbox)
{
    shard_inbox_drop(inbox);
    kpl_destroy(inbox->kpl);
    free(inbox->begun);
    inbox->kpl = NULL;
    inbox->begun = NULL;
}

void shard_inbox_put(struct shard_inbox *inbox, struct stream_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        record_list_add(&inbox->waiting, &page->chunk->records[i]);
    inbox->waiting_bytes += page->bytes + page->count * sizeof(struct record);
    inbox->counts.received += page->count;
    if (page->chunk)
        inbox->held_bytes += chunk_footprint(page->chunk);
    page->chunk = NULL;
}

static struct record *take(struct shard_inbox *inbox)
{
    struct record *record = record_list_take(&inbox->waiting);
    const struct record *next = inbox->waiting.first;

    if (!record)
        return NULL;
    inbox->waiting_bytes -= weight(record);
    if (!next || next->chunk != record->chunk) // the chunk is the poller's now
        inbox->held_bytes -= chunk_footprint(record->chunk);
    return record;
}

/* How many parts of the first record that ever came were done before. */
static uint32_t take_begun(struct shard_inbox *inbox,
                           const struct record *record)
{
    struct sequence sequence;
    AUTO_FREE char *begun = inbox->begun;

    inbox->begun = NULL;
    if (begun && sequence_parse(bytes_of(begun), &sequence) &&
        bytes_equal(sequence.digits, record->id))
        return sequence.subs;
    return 0;
}

static void say_whole(struct shard_inbox *inbox, const struct record *record,
                      const char *why)
{
    if (!log_repeat_due(&inbox->trouble, record->received_ms, TROUBLE_LOG_MS))
        return;
    log_warn(inbox->log, "kinesis.not_split", LOG_BYTES("sequence", record->id),
             LOG_STR("error", why),
             LOG_INT("suppressed", inbox->trouble.suppressed));
    inbox->trouble.suppressed = 0;
}

/* Takes the chunk's records. */
static void put_first(struct shard_inbox *inbox, struct chunk *chunk)
{
    struct record_list parts = {0};

    for (size_t i = 0; i < chunk->live; i++) {
        record_list_add(&parts, &chunk->records[i]);
        inbox->waiting_bytes += weight(&chunk->records[i]);
    }
    inbox->held_bytes += chunk_footprint(chunk);
    parts.last->next = inbox->waiting.first;
    if (inbox->waiting.last)
        parts.last = inbox->waiting.last;
    parts.count += inbox->waiting.count;
    inbox->waiting = parts;
}

/* In place of an aggregated record, its parts. Nothing may be left of it: then
 * it is handled. */
static void replace_first(struct shard_inbox *inbox, struct chunk *parts)
{
    record_release(take(inbox));
    if (!parts->live) {
        inbox->counts.deleted++;
        chunk_destroy(parts);
        return;
    }
    inbox->counts.received += parts->live - 1;
    put_first(inbox, parts);
}

/* False: what is first now has to be looked at as well. */
static bool split_first(struct shard_inbox *inbox)
{
    struct record *first = inbox->waiting.first;
    struct chunk *parts;
    const char *why;

    if (!inbox->kpl || !first || first->sub)
        return true;
    parts = kpl_open(inbox->kpl, first, take_begun(inbox, first), &why);
    if (why)
        say_whole(inbox, first, why);
    if (!parts)
        return true;
    replace_first(inbox, parts);
    return false;
}

bool shard_inbox_has_next(const struct shard_inbox *inbox)
{
    return inbox->waiting.count && inbox->room;
}

/* The record goes to the poller, and its page with it, which stays in memory as
 * long as the poller has any record of it. Some keys may be stuck for hours
 * while the others go on, and then each would keep the page that it came in: so
 * over a limit records are handed out as copies. */
static struct record *lend(struct shard_inbox *inbox, struct record *record)
{
    struct chunk *chunk = record->chunk;
    struct record *copy;

    if (chunk->lent)
        return record;
    if (inbox->lent_bytes < SHARD_LENT_BYTES) {
        chunk->lent = &inbox->lent_bytes;
        inbox->lent_bytes += chunk_footprint(chunk);
        return record;
    }
    copy = record_copy(record);
    record_release(record);
    return copy;
}

struct record *shard_inbox_next(struct shard_inbox *inbox)
{
    struct record *record = NULL;

    if (!shard_inbox_has_next(inbox))
        return NULL;
    while (!split_first(inbox))
        ;
    record = take(inbox);
    if (!record)
        return NULL;
    inbox->room--;
    inbox->out++;
    return lend(inbox, record);
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
