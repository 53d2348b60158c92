#include "source/kinesis.h"

#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "record/record.h"
#include "source/kinesis_calls.h"
#include "source/kinesis_reader.h"
#include "source/kinesis_records.h"
#include "source/kinesis_shards.h"
#include "source/source.h"

#define REQUEST_LIMIT (64u * 1024)
#define AWS_PACE_MS 200 // 5 calls a second on a shard
#define TROUBLE_LOG_MS (60 * 1000)

struct kinesis_source {
    struct source source; // first

    // Set by kinesis_open, never changed.
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed
    const struct clock *clock;
    struct log log;
    char *stream, *shard, *arn, *region, *identity; // owned
    struct record_origin origin;                    // points at them

    // How the reading goes.
    struct kinesis_reader reader;
    bool asked_cbor;       // by the call in flight
    int64_t asked_wall_ms; // when the iterator in flight was asked for
    char *shards_token;    // owned; the next page of the ListShards going on
    size_t room; // records that the poller still takes, as of the last poll
    bool stopping;
    bool was_ended; // said in the log
    struct log_repeat trouble;

    // What arrived.
    struct record_list waiting;
    size_t waiting_bytes;
    size_t out; // records that the poller has
    struct source_counts counts;
};

static struct kinesis_source *self_of(struct source *source)
{
    return (struct kinesis_source *)source;
}

static const struct kinesis_source *const_self_of(const struct source *source)
{
    return (const struct kinesis_source *)source;
}

static size_t weight(const struct record *record)
{
    return sizeof(*record) + record->data.size + record->key.size;
}

static struct kinesis_ahead ahead_of(const struct kinesis_source *self)
{
    return (struct kinesis_ahead){.records = self->waiting.count,
                                  .bytes = self->waiting_bytes,
                                  .room = self->room};
}

// ---- sending ---------------------------------------------------------------

static enum aws_kinesis_protocol protocol(const struct kinesis_source *self)
{
    return aws_session_kinesis_protocol(self->session);
}

static void put_call(struct kinesis_source *self, enum kinesis_call call,
                     struct aws_request *request)
{
    bool cbor = request->protocol == AWS_CBOR_11;

    switch (call) {
    case KINESIS_CALL_ITERATOR:
        request->operation = "GetShardIterator";
        self->asked_wall_ms = clock_wall_ms(self->clock);
        kinesis_put_iterator_call(&request->body, cbor, self->stream,
                                  self->shard, &self->reader.start);
        break;
    case KINESIS_CALL_RECORDS:
        request->operation = "GetRecords";
        kinesis_put_records_call(&request->body, cbor, self->reader.iterator,
                                 self->reader.limit);
        break;
    case KINESIS_CALL_SHARDS:
        request->operation = "ListShards";
        request->protocol = AWS_JSON_11;
        kinesis_put_shards_call(&request->body, self->stream,
                                self->shards_token);
        break;
    case KINESIS_CALL_NONE:
        break;
    }
}

static void send_call(struct kinesis_source *self, enum kinesis_call call)
{
    // One attempt: the reader knows better than the client when to try again.
    struct aws_request request = {.service = AWS_KINESIS,
                                  .protocol = protocol(self) == AWS_KINESIS_JSON
                                                  ? AWS_JSON_11
                                                  : AWS_CBOR_11,
                                  .max_attempts = 1,
                                  .owner = self,
                                  .kind = (int)call};

    buffer_init(&request.body, REQUEST_LIMIT);
    put_call(self, call, &request);
    self->asked_cbor = request.protocol == AWS_CBOR_11;
    aws_client_send(self->client, &request);
}

static void send_next(struct kinesis_source *self,
                      const struct kinesis_ahead *ahead, int64_t now_ms)
{
    enum kinesis_call call = kinesis_reader_next(&self->reader, ahead, now_ms);

    if (call != KINESIS_CALL_NONE)
        send_call(self, call);
}

static void kinesis_poll(struct source *source, size_t room, int64_t now_ms)
{
    struct kinesis_source *self = self_of(source);
    struct kinesis_ahead ahead;

    self->room = room;
    ahead = ahead_of(self);
    if (!self->stopping)
        send_next(self, &ahead, now_ms);
}

// ---- replies ---------------------------------------------------------------

static void take_page(struct kinesis_source *self, struct kinesis_page *page,
                      int64_t now_ms)
{
    struct kinesis_ahead ahead = ahead_of(self);

    kinesis_reader_got_page(&self->reader, page, &ahead, now_ms);
    for (size_t i = 0; i < page->count; i++)
        record_list_add(&self->waiting, &page->chunk->records[i]);
    self->waiting_bytes += page->bytes + page->count * sizeof(struct record);
    self->counts.received += page->count;
    page->chunk = NULL;
}

// The server need not wait until we have read what it sent.
static void ask_ahead(struct kinesis_source *self, struct kinesis_head *head,
                      size_t body_size, int64_t now_ms)
{
    struct kinesis_ahead ahead = ahead_of(self);

    if (self->stopping || !head->next_iterator || !head->millis_behind ||
        !head->has_records)
        return;
    kinesis_reader_got_head(&self->reader, head->next_iterator);
    head->next_iterator = NULL;
    ahead.bytes += body_size;
    send_next(self, &ahead, now_ms);
    aws_client_push(self->client);
}

static bool read_page(struct kinesis_source *self, struct aws_reply *reply,
                      bool cbor, int64_t now_ms, struct error *err)
{
    struct kinesis_page page = {0};
    struct kinesis_head head;
    struct kinesis_parse *parse =
        kinesis_parse_begin(&reply->body, cbor, &self->origin, now_ms, &head);

    ask_ahead(self, &head, reply->body.size, now_ms);
    free(head.next_iterator);
    if (!kinesis_parse_end(parse, &page, err))
        return false;
    if (!self->stopping)
        take_page(self, &page, now_ms);
    else
        kinesis_reader_got_nothing(&self->reader);
    kinesis_page_finish(&page);
    if (protocol(self) == AWS_KINESIS_AUTO)
        aws_session_set_kinesis_protocol(
            self->session, cbor ? AWS_KINESIS_CBOR : AWS_KINESIS_JSON);
    return true;
}

static bool read_iterator(struct kinesis_source *self, struct aws_reply *reply,
                          bool cbor, int64_t now_ms, struct error *err)
{
    char *iterator = kinesis_iterator_parse(&reply->body, cbor, err);

    if (iterator)
        kinesis_reader_got_iterator(&self->reader, iterator,
                                    self->asked_wall_ms, now_ms);
    return iterator != NULL;
}

// One page of shards at a time, until ours is among them or there is no more.
static bool read_shards(struct kinesis_source *self,
                        const struct aws_reply *reply, int64_t now_ms,
                        struct error *err)
{
    struct kinesis_shards shards = {0};
    const struct kinesis_shard *shard;
    char *next = NULL;
    bool ok =
        kinesis_shards_parse(buffer_bytes(&reply->body), &shards, &next, err);

    shard = kinesis_shards_find(&shards, self->shard);
    free(self->shards_token);
    self->shards_token = shard ? NULL : next;
    if (shard)
        free(next);
    if (ok && self->shards_token)
        kinesis_reader_got_nothing(&self->reader);
    else if (ok)
        kinesis_reader_got_closed(&self->reader, shard && shard->closed,
                                  now_ms);
    kinesis_shards_finish(&shards);
    return ok;
}

static bool read_reply(struct kinesis_source *self, struct aws_reply *reply,
                       int64_t now_ms, struct error *err)
{
    // A server may answer JSON to CBOR; it says so.
    bool cbor = self->asked_cbor && !strstr(reply->content_type, "json");

    switch ((enum kinesis_call)reply->kind) {
    case KINESIS_CALL_ITERATOR:
        return read_iterator(self, reply, cbor, now_ms, err);
    case KINESIS_CALL_RECORDS:
        return read_page(self, reply, cbor, now_ms, err);
    case KINESIS_CALL_SHARDS:
        return read_shards(self, reply, now_ms, err);
    case KINESIS_CALL_NONE:
        break;
    }
    return error_set(err, ERROR_TRANSIENT, "a reply to no call");
}

static void note_json(struct kinesis_source *self, const struct error *err)
{
    if (protocol(self) == AWS_KINESIS_JSON) // another shard's poller was first
        return;
    aws_session_set_kinesis_protocol(self->session, AWS_KINESIS_JSON);
    log_info(&self->log, "kinesis.json", LOG_ERROR(err));
}

// moto, say, answers HTML with status 500 to CBOR.
static bool refuses_cbor(const struct kinesis_source *self,
                         const struct aws_reply *reply)
{
    return self->asked_cbor && protocol(self) != AWS_KINESIS_CBOR &&
           (reply->not_json || !strcmp(reply->code, "SerializationException") ||
            !strcmp(reply->code, "UnknownOperationException"));
}

// The poller logs what ends the source; what passes is said here.
static void log_trouble(struct kinesis_source *self, const struct error *err,
                        int64_t now_ms)
{
    if (self->reader.failure.code != ERROR_NONE || err->code == ERROR_STOPPED ||
        !log_repeat_due(&self->trouble, now_ms, TROUBLE_LOG_MS))
        return;
    log_warn(&self->log, "kinesis.trouble",
             LOG_INT("suppressed", self->trouble.suppressed), LOG_ERROR(err));
    self->trouble.suppressed = 0;
}

static void take_refusal(struct kinesis_source *self,
                         const struct kinesis_refusal *refusal, int64_t now_ms)
{
    enum kinesis_call call = self->reader.in_flight;

    kinesis_reader_got_refusal(&self->reader, refusal, now_ms);
    if (call == KINESIS_CALL_SHARDS) {
        free(self->shards_token);
        self->shards_token = NULL;
    }
    // An iterator's expiry is the way of the world.
    if (strcmp(refusal->code, "ExpiredIteratorException") != 0)
        log_trouble(self, refusal->error, now_ms);
}

static void log_end(struct kinesis_source *self)
{
    if (!self->reader.ended || self->was_ended)
        return;
    self->was_ended = true;
    log_info(&self->log, "kinesis.shard_ended",
             LOG_STR("after", self->reader.start.sequence_number));
}

static void take_failure(struct kinesis_source *self,
                         const struct aws_reply *reply, int64_t now_ms)
{
    if (refuses_cbor(self, reply)) {
        note_json(self, &reply->error);
        kinesis_reader_got_nothing(&self->reader);
        return;
    }
    take_refusal(self,
                 &(struct kinesis_refusal){.code = reply->code,
                                           .status = reply->status,
                                           .over_limit = reply->over_limit,
                                           .error = &reply->error},
                 now_ms);
}

// The server took the call, but what it answered cannot be read.
static void take_garble(struct kinesis_source *self, bool was_cbor,
                        const struct aws_reply *reply, const struct error *err,
                        int64_t now_ms)
{
    bool has_head = self->reader.has_head;
    struct kinesis_refusal refusal = {
        .code = "", .status = reply->status, .error = err};

    if (was_cbor)
        note_json(self, err);
    else if (has_head)
        log_trouble(self, err, now_ms);
    if (has_head && kinesis_reader_got_garble(&self->reader, now_ms))
        aws_client_cancel(self->client, self);
    if (!has_head && was_cbor)
        kinesis_reader_got_nothing(&self->reader);
    if (!has_head && !was_cbor)
        take_refusal(self, &refusal, now_ms);
}

static void kinesis_reply(struct source *source, struct aws_reply *reply,
                          int64_t now_ms)
{
    struct kinesis_source *self = self_of(source);
    bool was_cbor = self->asked_cbor; // reading may ask for the next page
    struct error err = {0};

    if (self->reader.ignores_in_flight)
        kinesis_reader_got_nothing(&self->reader);
    else if (!reply->ok)
        take_failure(self, reply, now_ms);
    else if (!read_reply(self, reply, now_ms, &err))
        take_garble(self, was_cbor, reply, &err, now_ms);
    log_end(self);
}

// ---- records ---------------------------------------------------------------

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
    struct kinesis_ahead ahead = ahead_of(self);

    if (self->stopping)
        return CLOCK_NEVER;
    if (self->waiting.count && self->room)
        return 0; // there is more to take, now
    return kinesis_reader_deadline_ms(&self->reader, &ahead);
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

    return self->reader.in_flight == KINESIS_CALL_NONE &&
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
    kinesis_reader_finish(&self->reader);
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

// ---- opening ---------------------------------------------------------------

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

    kinesis_reader_init(&self->reader, &(struct kinesis_reader_options){
                                           .start = options->start,
                                           .idle_ms = options->idle_ms,
                                           .pace_ms = aws ? AWS_PACE_MS : 0,
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

int kinesis_sequence_compare(const char *a, const char *b)
{
    size_t size_a, size_b;
    int order;

    a += strspn(a, "0");
    b += strspn(b, "0");
    size_a = strlen(a);
    size_b = strlen(b);
    if (size_a != size_b)
        return size_a < size_b ? -1 : 1;
    order = strcmp(a, b);
    return (order > 0) - (order < 0);
}
