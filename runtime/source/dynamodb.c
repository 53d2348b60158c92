#include "source/dynamodb.h"

#include <stdlib.h>

#include "aws/arn.h"
#include "aws/client.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "source/dynamodb_calls.h"
#include "source/dynamodb_records.h"
#include "source/kinesis_records.h"
#include "source/shard_inbox.h"
#include "source/shard_reader.h"
#include "source/shard_refusal.h"

// Lambda's base rate (lambda-esm.md section 7): 4 reads a second on a shard, at
// the tip and behind it; who reads faster is throttled, and pays for each.
#define PACE_MS 250
#define ITERATOR_FRESH_MS (14 * 60 * 1000) // it lives fifteen minutes
#define PAGE_BYTES (1024 * 1024)
#define REQUEST_LIMIT (64u * 1024)
#define TROUBLE_LOG_MS (60 * 1000)

struct dynamodb_source {
    struct source source; // first

    // Set by dynamodb_open, never changed.
    struct aws_client *client; // borrowed
    const struct clock *clock;
    struct log log;
    char *arn, *shard, *region;  // owned
    struct record_origin origin; // points at them

    // How the reading goes.
    struct shard_reader reader;
    int64_t asked_wall_ms; // when the iterator in flight was asked for
    int64_t not_before_ms; // older records are passed over; since 1970
    bool stopping;
    bool was_ended; // said in the log
    struct log_repeat trouble;

    struct shard_inbox inbox;
};

static struct dynamodb_source *self_of(struct source *source)
{
    return (struct dynamodb_source *)source;
}

static const struct dynamodb_source *const_self_of(const struct source *source)
{
    return (const struct dynamodb_source *)source;
}

static struct shard_ahead ahead_of(const struct dynamodb_source *self)
{
    return (struct shard_ahead){.records = self->inbox.waiting.count,
                                .bytes = self->inbox.waiting_bytes,
                                .room = self->inbox.room};
}

// ---- what it sends ---------------------------------------------------------

// The service cuts a record's time to the second, DynamoDB Local to the minute.
static void note_start(struct dynamodb_source *self)
{
    const struct stream_start *start = &self->reader.start;

    self->asked_wall_ms = clock_wall_ms(self->clock);
    if (start->position == STREAM_AT_TIMESTAMP)
        self->not_before_ms = start->timestamp_ms / 60000 * 60000;
}

static void send_call(struct dynamodb_source *self, enum shard_call call)
{
    // One attempt: the reader knows better than the client when to try again.
    struct aws_request request = {.service = AWS_DYNAMODB_STREAMS,
                                  .protocol = AWS_JSON_10,
                                  .max_attempts = 1,
                                  .owner = self,
                                  .kind = (int)call};

    buffer_init(&request.body, REQUEST_LIMIT);
    if (call == SHARD_CALL_ITERATOR) {
        request.operation = "GetShardIterator";
        note_start(self);
        dynamodb_put_iterator_call(&request.body, self->arn, self->shard,
                                   &self->reader.start);
    } else {
        request.operation = "GetRecords";
        dynamodb_put_records_call(&request.body, self->reader.iterator,
                                  self->reader.limit);
    }
    aws_client_send(self->client, &request);
}

static void dynamodb_poll(struct source *source, size_t room, int64_t now_ms)
{
    struct dynamodb_source *self = self_of(source);
    struct shard_ahead ahead;
    enum shard_call call;

    self->inbox.room = room;
    if (self->stopping)
        return;
    ahead = ahead_of(self);
    call = shard_reader_next(&self->reader, &ahead, now_ms);
    if (call != SHARD_CALL_NONE)
        send_call(self, call);
}

// ---- what answers do -------------------------------------------------------

static bool is_old(const struct dynamodb_source *self,
                   const struct record *record)
{
    return record->arrived_at_ms < self->not_before_ms;
}

// The reader has been told of all of them.
static void pass_over_old(const struct dynamodb_source *self,
                          struct stream_page *page)
{
    struct record *records = page->chunk ? page->chunk->records : NULL;
    size_t kept = 0;

    for (size_t i = 0; i < page->count; i++) {
        if (is_old(self, &records[i]))
            page->bytes -= records[i].data.size + records[i].key.size;
        else
            records[kept++] = records[i];
    }
    page->count = kept;
    if (page->chunk)
        page->chunk->live = kept;
    if (!kept) {
        chunk_destroy(page->chunk);
        page->chunk = NULL;
    }
}

static void take_page(struct dynamodb_source *self, struct stream_page *page,
                      int64_t now_ms)
{
    struct shard_ahead ahead = ahead_of(self);

    shard_reader_got_page(&self->reader, page, &ahead, now_ms);
    pass_over_old(self, page);
    shard_inbox_put(&self->inbox, page);
}

static bool read_page(struct dynamodb_source *self, struct aws_reply *reply,
                      int64_t now_ms, struct error *err)
{
    struct stream_page page = {0};

    if (!dynamodb_page_parse(&reply->body, &self->origin, now_ms, &page, err))
        return false;
    if (self->stopping)
        shard_reader_got_nothing(&self->reader);
    else
        take_page(self, &page, now_ms);
    stream_page_finish(&page);
    return true;
}

static bool read_iterator(struct dynamodb_source *self, struct aws_reply *reply,
                          int64_t now_ms, struct error *err)
{
    char *iterator = kinesis_iterator_parse(&reply->body, false, err);

    if (iterator)
        shard_reader_got_iterator(&self->reader, iterator, self->asked_wall_ms,
                                  now_ms);
    return iterator != NULL;
}

// The poller logs what ends the source; what passes is said here.
static void log_trouble(struct dynamodb_source *self, const struct error *err,
                        int64_t now_ms)
{
    if (self->reader.failure.code != ERROR_NONE || err->code == ERROR_STOPPED ||
        !log_repeat_due(&self->trouble, now_ms, TROUBLE_LOG_MS))
        return;
    log_warn(&self->log, "dynamodb.trouble",
             LOG_INT("suppressed", self->trouble.suppressed), LOG_ERROR(err));
    self->trouble.suppressed = 0;
}

static void log_trimmed(struct dynamodb_source *self, const char *after,
                        const struct error *err)
{
    self->inbox.counts.trimmed++;
    log_error(&self->log, "shard.trimmed",
              LOG_STR("after", after ? after : "the beginning"),
              LOG_STR("goes_on_with", "the oldest record that is left"),
              LOG_ERROR(err));
}

static void take_refusal(struct dynamodb_source *self,
                         const struct shard_refusal *refusal, int64_t now_ms)
{
    uint64_t trimmed = self->reader.trimmed;
    AUTO_FREE char *after = mem_strdup(self->reader.start.sequence_number);

    shard_reader_got_refusal(&self->reader, refusal, now_ms);
    if (self->reader.trimmed > trimmed)
        log_trimmed(self, after, refusal->error);
    // An iterator's expiry is the way of the world.
    else if (strcmp(refusal->code, "ExpiredIteratorException") != 0)
        log_trouble(self, refusal->error, now_ms);
}

static bool read_reply(struct dynamodb_source *self, struct aws_reply *reply,
                       int64_t now_ms, struct error *err)
{
    if (reply->kind == SHARD_CALL_ITERATOR)
        return read_iterator(self, reply, now_ms, err);
    return read_page(self, reply, now_ms, err);
}

static void log_end(struct dynamodb_source *self)
{
    if (!self->reader.ended || self->was_ended)
        return;
    self->was_ended = true;
    log_info(&self->log, "dynamodb.shard_ended",
             LOG_STR("after", self->reader.start.sequence_number));
}

// What Kinesis calls an InvalidArgumentException: an iterator or a sequence
// number that cannot be one.
static const char *code_of(const struct aws_reply *reply)
{
    return strcmp(reply->code, "ValidationException") != 0
               ? reply->code
               : "InvalidArgumentException";
}

static void dynamodb_reply(struct source *source, struct aws_reply *reply,
                           int64_t now_ms)
{
    struct dynamodb_source *self = self_of(source);
    struct shard_refusal refusal = {.code = code_of(reply),
                                    .status = reply->status,
                                    .over_limit = reply->over_limit,
                                    .error = &reply->error};
    struct error err = {0};

    if (!reply->ok) {
        take_refusal(self, &refusal, now_ms);
    } else if (!read_reply(self, reply, now_ms, &err)) {
        refusal.error = &err;
        take_refusal(self, &refusal, now_ms);
    }
    log_end(self);
}

// ---- the rest of the table -------------------------------------------------

static struct record *dynamodb_next(struct source *source)
{
    return shard_inbox_next(&self_of(source)->inbox);
}

static void dynamodb_settle(struct source *source, struct record *record,
                            enum source_verdict verdict, int64_t delay_ms,
                            int64_t now_ms)
{
    (void)delay_ms;
    (void)now_ms;
    shard_inbox_settle(&self_of(source)->inbox, record, verdict);
}

static int64_t dynamodb_deadline_ms(const struct source *source)
{
    const struct dynamodb_source *self = const_self_of(source);
    struct shard_ahead ahead = ahead_of(self);

    if (self->stopping)
        return CLOCK_NEVER;
    if (shard_inbox_has_next(&self->inbox))
        return 0; // there is more to take, now
    return shard_reader_deadline_ms(&self->reader, &ahead);
}

// A read has no side effect, so it is cut off rather than waited out.
static void dynamodb_stop(struct source *source)
{
    struct dynamodb_source *self = self_of(source);

    if (self->stopping)
        return;
    self->stopping = true;
    shard_inbox_drop(&self->inbox);
    aws_client_cancel(self->client, self);
}

static bool dynamodb_is_idle(const struct source *source)
{
    const struct dynamodb_source *self = const_self_of(source);

    return self->reader.in_flight == SHARD_CALL_NONE &&
           shard_inbox_is_idle(&self->inbox);
}

static bool dynamodb_is_ended(const struct source *source)
{
    const struct dynamodb_source *self = const_self_of(source);

    return self->reader.ended && !self->inbox.waiting.count && !self->stopping;
}

static const struct error *dynamodb_failure(const struct source *source)
{
    const struct dynamodb_source *self = const_self_of(source);

    return self->reader.failure.code == ERROR_NONE ? NULL
                                                   : &self->reader.failure;
}

static void dynamodb_counts(const struct source *source,
                            struct source_counts *counts)
{
    *counts = const_self_of(source)->inbox.counts;
}

static void dynamodb_close(struct source *source)
{
    struct dynamodb_source *self = self_of(source);

    shard_inbox_drop(&self->inbox);
    shard_reader_finish(&self->reader);
    free(self->arn);
    free(self->shard);
    free(self->region);
    free(self);
}

static const struct record_origin *dynamodb_origin(const struct source *source)
{
    return &const_self_of(source)->origin;
}

static const struct source_ops dynamodb_ops = {
    .name = "dynamodb",
    .poll = dynamodb_poll,
    .reply = dynamodb_reply,
    .origin = dynamodb_origin,
    .next = dynamodb_next,
    .settle = dynamodb_settle,
    .extend = NULL, // the stream's records are not hidden while they run
    .deadline_ms = dynamodb_deadline_ms,
    .stop = dynamodb_stop,
    .is_idle = dynamodb_is_idle,
    .is_ended = dynamodb_is_ended,
    .failure = dynamodb_failure,
    .counts = dynamodb_counts,
    .close = dynamodb_close,
};

// DynamoDB Local calls its region "ddblocal", in its ARNs and in its records.
static char *region_of(const char *stream_arn)
{
    struct error err;
    struct arn arn;

    return arn_parse(stream_arn, &arn, &err)
               ? mem_strndup(arn.region.data, arn.region.size)
               : mem_strdup("");
}

struct source *dynamodb_open(const struct dynamodb_options *options)
{
    struct dynamodb_source *self = mem_calloc(1, sizeof(*self));

    self->source.ops = &dynamodb_ops;
    self->client = options->client;
    self->clock = options->clock;
    self->log = *options->log;
    self->arn = mem_strdup(options->arn);
    self->shard = mem_strdup(options->shard);
    self->region = region_of(options->arn);
    self->origin = (struct record_origin){.kind = RECORD_DYNAMODB,
                                          .arn = self->arn,
                                          .region = self->region,
                                          .shard = self->shard};
    shard_reader_init(
        &self->reader,
        &(struct shard_reader_options){.start = options->start,
                                       .idle_ms = PACE_MS,
                                       .pace_ms = PACE_MS,
                                       .iterator_ms = ITERATOR_FRESH_MS,
                                       .records_limit = DYNAMODB_RECORDS_LIMIT,
                                       .page_bytes = PAGE_BYTES,
                                       .believes_end = true,
                                       .fails_trimmed = options->fails_trimmed,
                                       .seed = options->seed});
    return &self->source;
}
