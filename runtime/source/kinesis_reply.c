#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "aws/session.h"
#include "base/error.h"
#include "source/kinesis_inner.h"
#include "source/kinesis_records.h"
#include "source/shard_refusal.h"

#define TROUBLE_LOG_MS (60 * 1000)

static enum aws_kinesis_protocol protocol(const struct kinesis_source *self)
{
    return aws_session_kinesis_protocol(self->session);
}

static void take_page(struct kinesis_source *self, struct stream_page *page,
                      int64_t now_ms)
{
    struct shard_ahead ahead = kinesis_ahead(self);

    // At the tip a page is small, and memory would lie idle.
    self->spares.open = page->millis_behind > 0;
    if (!self->spares.open)
        chunk_spares_close(&self->spares);
    shard_reader_got_page(&self->reader, page, &ahead, now_ms);
    shard_inbox_put(&self->inbox, page);
}

// The server need not wait until we have read what it sent.
static void ask_ahead(struct kinesis_source *self, struct kinesis_head *head,
                      size_t body_size, int64_t now_ms)
{
    struct shard_ahead ahead = kinesis_ahead(self);

    if (self->stopping || !head->next_iterator || !head->millis_behind ||
        !head->has_records)
        return;
    shard_reader_got_head(&self->reader, head->next_iterator);
    head->next_iterator = NULL;
    ahead.bytes += body_size;
    kinesis_send_next(self, &ahead, now_ms);
    aws_client_push(self->client);
}

static bool read_page(struct kinesis_source *self, struct aws_reply *reply,
                      bool cbor, int64_t now_ms, struct error *err)
{
    struct stream_page page = {0};
    struct kinesis_head head;
    struct kinesis_parse *parse = kinesis_parse_begin(
        &reply->body,
        &(struct kinesis_parse_options){.cbor = cbor,
                                        .origin = &self->origin.record,
                                        .received_ms = now_ms,
                                        .spares = &self->spares},
        &head);

    ask_ahead(self, &head, reply->body.size, now_ms);
    free(head.next_iterator);
    if (!kinesis_parse_end(parse, &page, err))
        return false;
    if (!self->stopping)
        take_page(self, &page, now_ms);
    else
        shard_reader_got_nothing(&self->reader);
    stream_page_finish(&page);
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
        shard_reader_got_iterator(&self->reader, iterator, self->asked_wall_ms,
                                  now_ms);
    return iterator != NULL;
}

static bool read_shards(struct kinesis_source *self,
                        const struct aws_reply *reply, int64_t now_ms,
                        struct error *err)
{
    enum shard_look_finding finding = shard_look_take(
        &self->look, buffer_bytes(&reply->body), self->origin.shard, err);

    if (finding == SHARD_LOOK_FAILED)
        return false;
    if (finding == SHARD_LOOK_MORE)
        shard_reader_got_nothing(&self->reader);
    else
        shard_reader_got_closed(&self->reader, finding == SHARD_LOOK_CLOSED,
                                now_ms);
    return true;
}

static bool read_reply(struct kinesis_source *self, struct aws_reply *reply,
                       int64_t now_ms, struct error *err)
{
    // A server may answer JSON to CBOR; it says so.
    bool cbor = self->asked_cbor && !strstr(reply->content_type, "json");

    switch ((enum shard_call)reply->kind) {
    case SHARD_CALL_ITERATOR:
        return read_iterator(self, reply, cbor, now_ms, err);
    case SHARD_CALL_RECORDS:
        return read_page(self, reply, cbor, now_ms, err);
    case SHARD_CALL_SHARDS:
        return read_shards(self, reply, now_ms, err);
    case SHARD_CALL_NONE:
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
                         const struct shard_refusal *refusal, int64_t now_ms)
{
    enum shard_call call = self->reader.in_flight;

    shard_reader_got_refusal(&self->reader, refusal, now_ms);
    if (call == SHARD_CALL_SHARDS)
        shard_look_reset(&self->look);
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
        shard_reader_got_nothing(&self->reader);
        return;
    }
    take_refusal(self,
                 &(struct shard_refusal){.code = reply->code,
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
    struct shard_refusal refusal = {
        .code = "", .status = reply->status, .error = err};

    if (was_cbor)
        note_json(self, err);
    else if (has_head)
        log_trouble(self, err, now_ms);
    if (has_head && shard_reader_got_garble(&self->reader, now_ms))
        aws_client_cancel(self->client, self);
    if (!has_head && was_cbor)
        shard_reader_got_nothing(&self->reader);
    if (!has_head && !was_cbor)
        take_refusal(self, &refusal, now_ms);
}

void kinesis_reply_take(struct kinesis_source *self, struct aws_reply *reply,
                        int64_t now_ms)
{
    bool was_cbor = self->asked_cbor; // reading may ask for the next page
    struct error err = {0};

    if (self->reader.ignores_in_flight)
        shard_reader_got_nothing(&self->reader);
    else if (!reply->ok)
        take_failure(self, reply, now_ms);
    else if (!read_reply(self, reply, now_ms, &err))
        take_garble(self, was_cbor, reply, &err, now_ms);
    log_end(self);
}
