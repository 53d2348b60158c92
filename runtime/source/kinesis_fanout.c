#include "source/kinesis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "aws/errors.h"
#include "aws/event_stream.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "source/fanout_reader.h"
#include "source/kinesis_calls.h"
#include "source/kinesis_origin.h"
#include "source/kinesis_records.h"
#include "source/shard_inbox.h"
#include "source/shard_look.h"
#include "source/shard_refusal.h"

#define REQUEST_LIMIT (64u * 1024)
#define TROUBLE_LOG_MS (60 * 1000)
#define SILENCE_MS (60 * 1000) // the reader is quicker

// What may wait for the poller before the transfer is made to stand still: then
// an event as large as they get is still on its way in. A chunk counts whole as
// long as one of its records waits.
#define AHEAD_BYTES (256u * 1024)

enum fanout_call { FANOUT_CALL_SUBSCRIBE, FANOUT_CALL_SHARDS };

struct fanout_source {
    struct source source; // first

    // Set by kinesis_fanout_open, never changed.
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed
    const struct clock *clock;
    struct log log;
    char *stream, *consumer_arn; // owned
    struct kinesis_origin origin;

    // How the reading goes.
    struct fanout_reader reader;
    struct event_stream frames;
    struct shard_look look;
    bool is_open;    // a SubscribeToShard is in flight
    bool is_looking; // and a ListShards
    bool is_full;    // the transfer stands still until there is space
    bool is_spoilt;  // what comes on it is of no interest: an exception came
    char exception_code[ERRORS_CODE_SIZE];
    struct error exception;
    bool stopping, was_ended;
    struct log_repeat trouble;

    struct shard_inbox inbox;
};

static struct fanout_source *self_of(struct source *source)
{
    return (struct fanout_source *)source;
}

static const struct fanout_source *const_self_of(const struct source *source)
{
    return (const struct fanout_source *)source;
}

static bool has_space(const struct fanout_source *self)
{
    return self->inbox.held_bytes < AHEAD_BYTES;
}

static void spoil(struct fanout_source *self, const char *code,
                  const struct error *err)
{
    self->is_spoilt = true;
    (void)snprintf(self->exception_code, sizeof(self->exception_code), "%s",
                   code);
    self->exception = *err;
}

static void take_event(struct fanout_source *self,
                       struct event_message *message, int64_t now_ms)
{
    struct stream_page page = {0};
    struct error err = {0};

    if (!kinesis_page_parse(&message->payload, false, &self->origin.record,
                            now_ms, &page, &err)) {
        spoil(self, "", &err);
        return;
    }
    fanout_reader_got_event(&self->reader, &page, now_ms);
    shard_inbox_put(&self->inbox, &page);
    stream_page_finish(&page);
}

static void copy_text(char *place, size_t size, struct bytes text)
{
    if (text.size >= size)
        text.size = size - 1;
    if (text.size)
        memcpy(place, text.data, text.size);
    place[text.size] = '\0';
}

// An exception's payload and code are what an error's body and header are.
static void take_exception(struct fanout_source *self,
                           const struct event_message *message,
                           bool is_modelled)
{
    char type[ERRORS_CODE_SIZE];
    struct errors_finding finding = {0};
    struct error err;

    copy_text(type, sizeof(type),
              event_message_text(message, is_modelled ? ":exception-type"
                                                      : ":error-code"));
    (void)errors_find(
        &(struct errors_answer){.status = 400,
                                .body = buffer_bytes(&message->payload),
                                .error_type = type,
                                .query_error = ""},
        &finding);
    if (!is_modelled) {
        copy_text(finding.text, sizeof(finding.text),
                  event_message_text(message, ":error-message"));
        finding.reaction = ERROR_TRANSIENT;
    }
    error_set(&err, finding.reaction, "SubscribeToShard: %s: %s", type,
              finding.text);
    spoil(self, type, &err);
}

static void take_message(struct fanout_source *self,
                         struct event_message *message)
{
    struct bytes type = event_message_text(message, ":message-type");
    struct bytes event = event_message_text(message, ":event-type");
    int64_t now_ms = clock_now_ms(self->clock);

    if (bytes_equal(type, BYTES("exception")))
        take_exception(self, message, true);
    else if (bytes_equal(type, BYTES("error")))
        take_exception(self, message, false);
    else if (bytes_equal(event, BYTES("SubscribeToShardEvent")))
        take_event(self, message, now_ms);
    else // AWS begins with an initial-response
        fanout_reader_got_event(&self->reader, NULL, now_ms);
}

static void take_bytes(struct fanout_source *self, struct bytes bytes)
{
    struct event_message message;
    struct error err;

    while (!self->is_spoilt)
        switch (event_stream_read(&self->frames, &bytes, &message, &err)) {
        case EVENT_STREAM_MESSAGE:
            take_message(self, &message);
            event_message_finish(&message);
            break;
        case EVENT_STREAM_BROKEN:
            spoil(self, "", &err);
            break;
        case EVENT_STREAM_MORE:
            return;
        }
}

// Called by the client while it waits.
static enum aws_piece fanout_take(void *owner, struct bytes piece)
{
    struct fanout_source *self = owner;

    if (self->stopping || self->is_spoilt)
        return AWS_PIECE_TAKEN;
    if (!has_space(self)) {
        self->is_full = true;
        fanout_reader_got_pause(&self->reader, true, clock_now_ms(self->clock));
        return AWS_PIECE_LATER;
    }
    take_bytes(self, piece);
    return AWS_PIECE_TAKEN;
}

static const struct aws_stream fanout_stream = {.take = fanout_take,
                                                .silence_ms = SILENCE_MS};

static struct aws_request request_of(struct fanout_source *self,
                                     enum fanout_call call)
{
    struct aws_request request = {.service = AWS_KINESIS,
                                  .protocol = AWS_JSON_11,
                                  .max_attempts = 1,
                                  .owner = self,
                                  .kind = (int)call};

    buffer_init(&request.body, REQUEST_LIMIT);
    return request;
}

static void subscribe(struct fanout_source *self)
{
    struct aws_request request = request_of(self, FANOUT_CALL_SUBSCRIBE);

    self->is_open = true;
    self->is_full = self->is_spoilt = false;
    event_stream_finish(&self->frames);
    event_stream_init(&self->frames, EVENT_STREAM_PAYLOAD_LIMIT);
    self->reader.asked_wall_ms = aws_session_server_ms(
        self->session, AWS_KINESIS, clock_wall_ms(self->clock));
    request.operation = "SubscribeToShard";
    request.stream = &fanout_stream;
    kinesis_put_subscribe_call(&request.body, self->consumer_arn,
                               self->origin.shard, &self->reader.start);
    aws_client_send(self->client, &request);
}

static void look(struct fanout_source *self)
{
    struct aws_request request = request_of(self, FANOUT_CALL_SHARDS);

    self->is_looking = true;
    request.operation = "ListShards";
    shard_look_put_call(&self->look, &request.body, self->stream);
    aws_client_send(self->client, &request);
}

static void step(struct fanout_source *self, int64_t now_ms)
{
    for (;;)
        switch (fanout_reader_next(&self->reader, has_space(self), now_ms)) {
        case FANOUT_REST:
            return;
        case FANOUT_SUBSCRIBE:
            subscribe(self);
            break;
        case FANOUT_CUT:
            aws_client_cancel(self->client, self);
            break;
        case FANOUT_LOOK:
            look(self);
            break;
        }
}

static void resume(struct fanout_source *self, int64_t now_ms)
{
    if (!self->is_full || !has_space(self))
        return;
    self->is_full = false;
    fanout_reader_got_pause(&self->reader, false, now_ms);
    aws_client_resume(self->client, self);
}

static void fanout_poll(struct source *source, size_t room, int64_t now_ms)
{
    struct fanout_source *self = self_of(source);

    self->inbox.room = room;
    if (self->stopping)
        return;
    if (self->is_spoilt && self->is_open) {
        aws_client_cancel(self->client, self);
        return;
    }
    resume(self, now_ms);
    step(self, now_ms);
}

// The poller logs what ends the source; what passes is said here.
static void log_trouble(struct fanout_source *self, const struct error *err,
                        int64_t now_ms)
{
    if (self->reader.failure.code != ERROR_NONE || err->code == ERROR_STOPPED ||
        !log_repeat_due(&self->trouble, now_ms, TROUBLE_LOG_MS))
        return;
    log_warn(&self->log, "kinesis.trouble",
             LOG_INT("suppressed", self->trouble.suppressed), LOG_ERROR(err));
    self->trouble.suppressed = 0;
}

static void take_refusal(struct fanout_source *self,
                         const struct shard_refusal *refusal, int64_t now_ms)
{
    fanout_reader_got_refusal(&self->reader, refusal, now_ms);
    log_trouble(self, refusal->error, now_ms);
}

static void take_subscription_end(struct fanout_source *self,
                                  const struct aws_reply *reply, int64_t now_ms)
{
    self->is_open = self->is_full = false;
    if (self->is_spoilt)
        take_refusal(self,
                     &(struct shard_refusal){.code = self->exception_code,
                                             .status = reply->status,
                                             .error = &self->exception},
                     now_ms);
    else if (reply->ok || reply->error.code == ERROR_STOPPED)
        fanout_reader_got_end(&self->reader, now_ms);
    else
        take_refusal(self,
                     &(struct shard_refusal){.code = reply->code,
                                             .status = reply->status,
                                             .error = &reply->error},
                     now_ms);
    event_stream_finish(&self->frames); // the memory of half a message
    event_stream_init(&self->frames, EVENT_STREAM_PAYLOAD_LIMIT);
}

static void take_shards(struct fanout_source *self,
                        const struct aws_reply *reply, int64_t now_ms)
{
    enum shard_look_finding finding = SHARD_LOOK_FAILED;
    struct error err = reply->error;

    self->is_looking = false;
    if (reply->ok)
        finding = shard_look_take(&self->look, buffer_bytes(&reply->body),
                                  self->origin.shard, &err);
    if (finding == SHARD_LOOK_MORE) {
        look(self);
        return;
    }
    if (finding == SHARD_LOOK_FAILED) {
        shard_look_reset(&self->look);
        log_trouble(self, &err, now_ms);
    }
    fanout_reader_got_look(&self->reader, finding == SHARD_LOOK_CLOSED, now_ms);
}

static void log_end(struct fanout_source *self)
{
    if (!self->reader.ended || self->was_ended)
        return;
    self->was_ended = true;
    log_info(&self->log, "kinesis.shard_ended",
             LOG_STR("after", self->reader.start.sequence_number));
}

static void fanout_reply(struct source *source, struct aws_reply *reply,
                         int64_t now_ms)
{
    struct fanout_source *self = self_of(source);

    if ((enum fanout_call)reply->kind == FANOUT_CALL_SUBSCRIBE)
        take_subscription_end(self, reply, now_ms);
    else
        take_shards(self, reply, now_ms);
    log_end(self);
}

static struct record *fanout_next(struct source *source)
{
    return shard_inbox_next(&self_of(source)->inbox);
}

static void fanout_settle(struct source *source, struct record *record,
                          enum source_verdict verdict, int64_t delay_ms,
                          int64_t now_ms)
{
    (void)delay_ms;
    (void)now_ms;
    shard_inbox_settle(&self_of(source)->inbox, record, verdict);
}

static int64_t fanout_deadline_ms(const struct source *source)
{
    const struct fanout_source *self = const_self_of(source);

    if (self->stopping)
        return CLOCK_NEVER;
    if (shard_inbox_has_next(&self->inbox) ||
        (self->is_full && has_space(self)) ||
        (self->is_spoilt && self->is_open))
        return 0; // there is something to do, now
    return fanout_reader_deadline_ms(&self->reader, has_space(self));
}

// A read has no side effect, so it is cut off rather than waited out.
static void fanout_stop(struct source *source)
{
    struct fanout_source *self = self_of(source);

    if (self->stopping)
        return;
    self->stopping = true;
    shard_inbox_drop(&self->inbox);
    aws_client_cancel(self->client, self);
}

static bool fanout_is_idle(const struct source *source)
{
    const struct fanout_source *self = const_self_of(source);

    return !self->is_open && !self->is_looking &&
           shard_inbox_is_idle(&self->inbox);
}

static bool fanout_is_ended(const struct source *source)
{
    const struct fanout_source *self = const_self_of(source);

    return self->reader.ended && !self->inbox.waiting.count && !self->stopping;
}

static const struct error *fanout_failure(const struct source *source)
{
    const struct fanout_source *self = const_self_of(source);

    return self->reader.failure.code == ERROR_NONE ? NULL
                                                   : &self->reader.failure;
}

static void fanout_counts(const struct source *source,
                          struct source_counts *counts)
{
    *counts = const_self_of(source)->inbox.counts;
}

static void fanout_close(struct source *source)
{
    struct fanout_source *self = self_of(source);

    shard_inbox_finish(&self->inbox);
    event_stream_finish(&self->frames);
    fanout_reader_finish(&self->reader);
    shard_look_reset(&self->look);
    kinesis_origin_finish(&self->origin);
    free(self->stream);
    free(self->consumer_arn);
    free(self);
}

static const struct record_origin *fanout_origin(const struct source *source)
{
    return &const_self_of(source)->origin.record;
}

static const struct source_ops fanout_ops = {
    .name = "kinesis",
    .poll = fanout_poll,
    .reply = fanout_reply,
    .origin = fanout_origin,
    .next = fanout_next,
    .settle = fanout_settle,
    .extend = NULL, // the stream's records are not hidden while they run
    .deadline_ms = fanout_deadline_ms,
    .stop = fanout_stop,
    .is_idle = fanout_is_idle,
    .is_ended = fanout_is_ended,
    .failure = fanout_failure,
    .counts = fanout_counts,
    .close = fanout_close,
};

struct source *kinesis_fanout_open(const struct kinesis_options *options)
{
    struct fanout_source *self = mem_calloc(1, sizeof(*self));

    self->source.ops = &fanout_ops;
    self->session = options->session;
    self->client = options->client;
    self->clock = options->clock;
    self->log = *options->log;
    self->stream = mem_strdup(options->stream);
    self->consumer_arn = mem_strdup(options->consumer_arn);
    kinesis_origin_init(&self->origin, options);
    event_stream_init(&self->frames, EVENT_STREAM_PAYLOAD_LIMIT);
    fanout_reader_init(&self->reader,
                       &(struct fanout_reader_options){
                           .start = options->start,
                           .asks_for_end = !kinesis_is_aws(options),
                           .seed = options->seed});
    if (options->splits_aggregated)
        shard_inbox_split(&self->inbox, &options->start, &self->log);
    return &self->source;
}
