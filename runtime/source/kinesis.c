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
    return (struct shard_ahead){.records = self->waiting.count,
                                .bytes = self->waiting_bytes,
                                .room = self->room};
}

static void kinesis_poll(struct source *source, size_t room, int64_t now_ms)
{
    struct kinesis_source *self = self_of(source);
    struct shard_ahead ahead;

    self->room = room;
    ahead = kinesis_ahead(self);
    if (!self->stopping)
        kinesis_send_next(self, &ahead, now_ms);
}

static void kinesis_reply(struct source *source, struct aws_reply *reply,
                          int64_t now_ms)
{
    kinesis_reply_take(self_of(source), reply, now_ms);
}

static size_t weight(const struct record *record)
{
    return sizeof(*record) + record->data.size + record->key.size;
}

static struct record *take_waiting(struct kinesis_source *self)
{
    struct record *record = record_list_take(&self->waiting);

    if (record)
        self->waiting_bytes -= weight(record);
    return record;
}

// A page may hold more than the poller has room for: the rest waits here, where
// it keeps the next page from being read.
static struct record *kinesis_next(struct source *source)
{
    struct kinesis_source *self = self_of(source);
    struct record *record = self->room ? take_waiting(self) : NULL;

    if (!record)
        return NULL;
    self->room--;
    self->out++;
    return record;
}

// The stream keeps its records: a verdict only frees memory here.
static void kinesis_settle(struct source *source, struct record *record,
                           enum source_verdict verdict, int64_t delay_ms,
                           int64_t now_ms)
{
    struct kinesis_source *self = self_of(source);

    (void)delay_ms;
    (void)now_ms;
    if (verdict == SOURCE_DONE)
        self->counts.deleted++;
    else
        self->counts.returned++;
    self->out--;
    record_release(record);
}

static int64_t kinesis_deadline_ms(const struct source *source)
{
    const struct kinesis_source *self = const_self_of(source);
    struct shard_ahead ahead = kinesis_ahead(self);

    if (self->stopping)
        return CLOCK_NEVER;
    if (self->waiting.count && self->room)
        return 0; // there is more to take, now
    return shard_reader_deadline_ms(&self->reader, &ahead);
}

// A read has no side effect, so it is cut off rather than waited out.
static void kinesis_stop(struct source *source)
{
    struct kinesis_source *self = self_of(source);
    struct record *record;

    if (self->stopping)
        return;
    self->stopping = true;
    while ((record = take_waiting(self))) {
        self->counts.returned++;
        record_release(record);
    }
    aws_client_cancel(self->client, self);
}

static bool kinesis_is_idle(const struct source *source)
{
    const struct kinesis_source *self = const_self_of(source);

    return self->reader.in_flight == SHARD_CALL_NONE &&
           self->waiting.count == 0 && self->out == 0;
}

static bool kinesis_is_ended(const struct source *source)
{
    const struct kinesis_source *self = const_self_of(source);

    return self->reader.ended && self->waiting.count == 0 && !self->stopping;
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
    *counts = const_self_of(source)->counts;
}

static void kinesis_close(struct source *source)
{
    struct kinesis_source *self = self_of(source);
    struct record *record;

    while ((record = take_waiting(self)))
        record_release(record);
    chunk_spares_close(&self->spares);
    shard_reader_finish(&self->reader);
    free(self->shards_token);
    free(self->stream);
    free(self->shard);
    free(self->arn);
    free(self->region);
    free(self->identity);
    free(self);
}

static const struct source_ops kinesis_ops = {
    .name = "kinesis",
    .poll = kinesis_poll,
    .reply = kinesis_reply,
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

static const char *partition_of(const char *region)
{
    if (!strncmp(region, "cn-", 3))
        return "aws-cn";
    return strncmp(region, "us-gov-", 7) != 0 ? "aws" : "aws-us-gov";
}

static void set_origin(struct kinesis_source *self,
                       const struct kinesis_options *options)
{
    const char *region = aws_session_region(options->session);
    const char *account = aws_session_account(options->session);
    const char *partition = partition_of(region);

    self->region = mem_strdup(region);
    self->arn = options->arn
                    ? mem_strdup(options->arn)
                    : mem_printf("arn:%s:kinesis:%s:%s:stream/%s", partition,
                                 region, account, options->stream);
    self->identity =
        mem_printf("arn:%s:iam::%s:role/pollard", partition, account);
    self->origin = (struct record_origin){.kind = RECORD_KINESIS,
                                          .arn = self->arn,
                                          .region = self->region,
                                          .shard = self->shard,
                                          .identity = self->identity};
}

// AWS's own servers limit the calls on a shard, and end closed shards.
static bool is_aws(const char *endpoint)
{
    return strstr(endpoint, ".amazonaws.com") || strstr(endpoint, ".api.aws");
}

static void start_reader(struct kinesis_source *self,
                         const struct kinesis_options *options)
{
    bool aws = is_aws(aws_session_endpoint(options->session, AWS_KINESIS));

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
    self->shard = mem_strdup(options->shard);
    set_origin(self, options);
    start_reader(self, options);
    return &self->source;
}
