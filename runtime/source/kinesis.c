#include "source/kinesis.h"

#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "base/clock.h"
#include "base/mem.h"
#include "source/kinesis_inner.h"
#include "source/kinesis_records.h"

#define AWS_PACE_MS 200                // 5 calls a second on a shard
#define ITERATOR_FRESH_MS (270 * 1000) // it lives five minutes
#define PAGE_BYTES (2u * 1024 * 1024) // still warm in the cache when it is read

static struct kinesis_source *self_of(struct source *source)
{
    return (struct kinesis_source *)source;
}

static const struct kinesis_source *const_self_of(const struct source *source)
{
    return (const struct kinesis_source *)source;
}

struct shard_ahead kinesis_ahead(const struct kinesis_source *self)
{
    return (struct shard_ahead){.records = self->inbox.waiting.count,
                                .bytes = self->inbox.waiting_bytes,
                                .room = self->inbox.room};
}

static void kinesis_poll(struct source *source, size_t room, int64_t now_ms)
{
    struct kinesis_source *self = self_of(source);
    struct shard_ahead ahead;

    self->inbox.room = room;
    ahead = kinesis_ahead(self);
    if (!self->stopping)
        kinesis_send_next(self, &ahead, now_ms);
}

static void kinesis_reply(struct source *source, struct aws_reply *reply,
                          int64_t now_ms)
{
    kinesis_reply_take(self_of(source), reply, now_ms);
}

static struct record *kinesis_next(struct source *source)
{
    return shard_inbox_next(&self_of(source)->inbox);
}

static void kinesis_settle(struct source *source, struct record *record,
                           enum source_verdict verdict, int64_t delay_ms,
                           int64_t now_ms)
{
    (void)delay_ms;
    (void)now_ms;
    shard_inbox_settle(&self_of(source)->inbox, record, verdict);
}

static int64_t kinesis_deadline_ms(const struct source *source)
{
    const struct kinesis_source *self = const_self_of(source);
    struct shard_ahead ahead = kinesis_ahead(self);

    if (self->stopping)
        return CLOCK_NEVER;
    if (shard_inbox_has_next(&self->inbox))
        return 0; // there is more to take, now
    return shard_reader_deadline_ms(&self->reader, &ahead);
}

// A read has no side effect, so it is cut off rather than waited out.
static void kinesis_stop(struct source *source)
{
    struct kinesis_source *self = self_of(source);

    if (self->stopping)
        return;
    self->stopping = true;
    shard_inbox_drop(&self->inbox);
    aws_client_cancel(self->client, self);
}

static bool kinesis_is_idle(const struct source *source)
{
    const struct kinesis_source *self = const_self_of(source);

    return self->reader.in_flight == SHARD_CALL_NONE &&
           shard_inbox_is_idle(&self->inbox);
}

static const struct record_origin *kinesis_origin(const struct source *source)
{
    return &const_self_of(source)->origin.record;
}

static bool kinesis_is_ended(const struct source *source)
{
    const struct kinesis_source *self = const_self_of(source);

    return self->reader.ended && !self->inbox.waiting.count && !self->stopping;
}

static const struct error *kinesis_failure(const struct source *source)
{
    const struct kinesis_source *self = const_self_of(source);

    return self->reader.failure.code == ERROR_NONE ? NULL
                                                   : &self->reader.failure;
}

static void kinesis_counts(const struct source *source,
                           struct source_counts *counts)
{
    *counts = const_self_of(source)->inbox.counts;
}

static void kinesis_close(struct source *source)
{
    struct kinesis_source *self = self_of(source);

    shard_inbox_finish(&self->inbox);
    chunk_spares_close(&self->spares);
    shard_reader_finish(&self->reader);
    shard_look_reset(&self->look);
    kinesis_origin_finish(&self->origin);
    free(self->stream);
    free(self);
}

static const struct source_ops kinesis_ops = {
    .name = "kinesis",
    .poll = kinesis_poll,
    .reply = kinesis_reply,
    .origin = kinesis_origin,
    .next = kinesis_next,
    .settle = kinesis_settle,
    .extend = NULL, // the stream's records are not hidden while they run
    .deadline_ms = kinesis_deadline_ms,
    .stop = kinesis_stop,
    .is_idle = kinesis_is_idle,
    .is_ended = kinesis_is_ended,
    .failure = kinesis_failure,
    .counts = kinesis_counts,
    .close = kinesis_close,
};

static void start_reader(struct kinesis_source *self,
                         const struct kinesis_options *options)
{
    bool aws = kinesis_is_aws(options);

    shard_reader_init(&self->reader, &(struct shard_reader_options){
                                         .start = options->start,
                                         .idle_ms = options->idle_ms,
                                         .pace_ms = aws ? AWS_PACE_MS : 0,
                                         .iterator_ms = ITERATOR_FRESH_MS,
                                         .records_limit = KINESIS_RECORDS_LIMIT,
                                         .page_bytes = PAGE_BYTES,
                                         .asks_for_end = !aws,
                                         .seed = options->seed});
}

struct source *kinesis_open(const struct kinesis_options *options)
{
    struct kinesis_source *self = mem_calloc(1, sizeof(*self));

    self->source.ops = &kinesis_ops;
    self->client = options->client;
    self->clock = options->clock;
    self->log = *options->log;
    self->session = options->session;
    self->stream = mem_strdup(options->stream);
    kinesis_origin_init(&self->origin, options);
    start_reader(self, options);
    if (options->splits_aggregated)
        shard_inbox_split(&self->inbox, &options->start, &self->log);
    return &self->source;
}
