#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "local/consumer.h"
#include "local/event_frame.h"
#include "local/serve_kinesis.h"
#include "local/server.h"

#define LIFE_MS (5 * 60 * 1000)
#define QUIET_MS 5000 // an event comes so often, even with no records
#define OWN_MS 5000   // nobody takes a younger subscription's place
#define EVENT_RECORDS 1000
#define EVENT_BYTES (256u << 10)
#define OUT_LIMIT (32u << 20) // a record of 10 MiB as base64

// Names, not pointers: streams and consumers may go while it lives.
struct subscription {
    struct list link;        // in server.subscriptions
    struct request *request; // borrowed; it owns this
    uint32_t stream, consumer, shard;
    uint64_t position;
    int64_t begun_ms, event_ms; // event_ms: the next one is due
    bool is_replaced, is_over;
    struct buffer out; // what is on its way
    size_t sent;       // of it
};

// ---- Consumers ----

static const char *arn_of(struct request *request, const struct stream *stream,
                          const struct consumer *consumer)
{
    return arena_printf(&request->arena, "%s/consumer/%s:%lld",
                        serve_kinesis_arn(request, stream), consumer->name,
                        (long long)(consumer->created_ms / 1000));
}

// By its ARN, or by its name. NULL: it failed.
static struct consumer *find_consumer(struct request *request,
                                      const struct stream *stream)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    const struct list *head = &stream->consumers.list;

    if (!in->consumer_arn.size) {
        struct consumer *consumer =
            consumers_find(&stream->consumers, in->consumer);

        if (consumer)
            return consumer;
    }
    for (struct list *link = head->next; in->consumer_arn.size && link != head;
         link = link->next) {
        struct consumer *consumer = LIST_ITEM(link, struct consumer, link);

        if (bytes_equal(bytes_of(arn_of(request, stream, consumer)),
                        in->consumer_arn))
            return consumer;
    }
    (void)request_fail(
        request, API_RESOURCE_NOT_FOUND,
        "Consumer %.*s of stream %s under account %s not "
        "found.",
        BYTES_ARGS(in->consumer_arn.size ? in->consumer_arn : in->consumer),
        stream->name, request->server->account);
    return NULL;
}

static void write_consumer(struct request *request, const struct stream *stream,
                           const struct consumer *consumer)
{
    struct writer *writer = &request->writer;

    writer_text(writer, "ConsumerName", bytes_of(consumer->name));
    writer_text(writer, "ConsumerARN",
                bytes_of(arn_of(request, stream, consumer)));
    writer_text(writer, "ConsumerStatus", BYTES("ACTIVE"));
    writer_time_ms(writer, "ConsumerCreationTimestamp", consumer->created_ms);
}

enum step serve_kinesis_register_consumer(struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    struct server *server = request->server;
    struct stream *stream = serve_kinesis_stream(request);
    const struct consumer *consumer;

    if (!stream ||
        !serve_kinesis_check_name(request, "consumerName", in->consumer))
        return STEP_REPLY;
    if (consumers_find(&stream->consumers, in->consumer))
        return request_fail(request, API_RESOURCE_IN_USE,
                            "Consumer %.*s of stream %s already exists.",
                            BYTES_ARGS(in->consumer), stream->name);
    if (stream->consumers.count == CONSUMERS_LIMIT)
        return request_fail(request, API_LIMIT_EXCEEDED,
                            "Stream %s has %d consumers: there are no more.",
                            stream->name, CONSUMERS_LIMIT);
    consumer = consumers_add(&stream->consumers, in->consumer,
                             ++server->last_id, server->now_ms);
    writer_open(&request->writer, "Consumer");
    write_consumer(request, stream, consumer);
    writer_close(&request->writer, "Consumer");
    return STEP_REPLY;
}

enum step serve_kinesis_describe_consumer(struct request *request)
{
    const struct stream *stream = serve_kinesis_stream(request);
    const struct consumer *consumer =
        stream ? find_consumer(request, stream) : NULL;

    if (!consumer)
        return STEP_REPLY;
    writer_open(&request->writer, "ConsumerDescription");
    write_consumer(request, stream, consumer);
    writer_text(&request->writer, "StreamARN",
                bytes_of(serve_kinesis_arn(request, stream)));
    writer_close(&request->writer, "ConsumerDescription");
    return STEP_REPLY;
}

enum step serve_kinesis_list_consumers(struct request *request)
{
    const struct stream *stream = serve_kinesis_stream(request);
    const struct list *head = stream ? &stream->consumers.list : NULL;

    if (!stream)
        return STEP_REPLY;
    writer_list(&request->writer, "Consumers"); // they fit on one page
    for (struct list *link = head->next; link != head; link = link->next) {
        writer_item(&request->writer, NULL);
        write_consumer(request, stream, LIST_ITEM(link, struct consumer, link));
        writer_item_end(&request->writer, NULL);
    }
    writer_list_end(&request->writer);
    return STEP_REPLY;
}

enum step serve_kinesis_deregister_consumer(struct request *request)
{
    struct stream *stream = serve_kinesis_stream(request);
    struct consumer *consumer = stream ? find_consumer(request, stream) : NULL;

    if (!consumer)
        return STEP_REPLY;
    consumers_remove(&stream->consumers, consumer);
    serve_kinesis_wake(request->server, stream->id);
    return STEP_REPLY;
}

// ---- Subscriptions ----

static void wake(struct subscription *subscription)
{
    struct request *request = subscription->request;

    if (request->parked)
        request->resume(request);
}

void serve_kinesis_wake(struct server *server, uint32_t stream)
{
    struct list *head = &server->subscriptions;

    for (struct list *link = head->next; link != head; link = link->next) {
        struct subscription *subscription =
            LIST_ITEM(link, struct subscription, link);

        if (subscription->stream == stream)
            wake(subscription);
    }
}

static void begin_frame(struct subscription *subscription,
                        struct event_frame *frame, const char *type,
                        const char *name)
{
    bool is_event = !strcmp(type, "event");
    const struct event_frame_header headers[] = {
        {":message-type", type},
        {is_event ? ":event-type" : ":exception-type", name},
        {":content-type", "application/json"},
        {0},
    };

    event_frame_begin(&subscription->out, frame, headers);
}

static void put_text_frame(struct subscription *subscription, const char *type,
                           const char *name, const char *json)
{
    struct event_frame frame;

    begin_frame(subscription, &frame, type, name);
    buffer_append_text(&subscription->out, json);
    event_frame_end(&subscription->out, &frame);
}

static void put_exception(struct subscription *subscription, const char *name,
                          const char *message)
{
    char json[160];

    (void)snprintf(json, sizeof(json), "{\"message\":\"%s\"}", message);
    put_text_frame(subscription, "exception", name, json);
    subscription->is_over = true;
}

static void put_event(struct subscription *subscription, struct stream *stream,
                      const struct shard *shard, size_t count)
{
    struct request *request = subscription->request;
    struct event_frame frame;

    begin_frame(subscription, &frame, "event", "SubscribeToShardEvent");
    request->writer =
        (struct writer){.format = WRITER_JSON, .out = &subscription->out};
    writer_open(&request->writer, NULL);
    subscription->is_over = serve_kinesis_write_event(
        request, stream, shard, subscription->position, count);
    writer_close(&request->writer, NULL);
    event_frame_end(&subscription->out, &frame);
    stream->got += count;
    subscription->position += count;
    subscription->event_ms = request->server->now_ms + QUIET_MS;
}

static bool has_ended(const struct subscription *subscription,
                      const struct shard *shard)
{
    return shard->closed_ms && subscription->position == shard_end(shard);
}

// What is to be said now, if anything is.
static void put_next(struct subscription *subscription)
{
    struct server *server = subscription->request->server;
    struct stream *stream = server_stream_by_id(server, subscription->stream);
    struct shard *shard = stream ? stream->shards[subscription->shard] : NULL;
    size_t count;

    if (!stream ||
        !consumers_find_id(&stream->consumers, subscription->consumer) ||
        !stream_keeps_shard(stream, shard, server->now_ms)) {
        put_exception(subscription, "ResourceNotFoundException",
                      "The stream, shard or consumer does not exist any more.");
        return;
    }
    if (subscription->is_replaced) {
        put_exception(subscription, "ResourceInUseException",
                      "Another subscription of this consumer took over.");
        return;
    }
    if (server->now_ms >= subscription->begun_ms + LIFE_MS) {
        subscription->is_over = true;
        return;
    }
    shard_trim(shard, stream_horizon_ms(stream, server->now_ms));
    if (subscription->position < shard_start(shard))
        subscription->position = shard_start(shard);
    count =
        shard_page(shard, subscription->position, EVENT_RECORDS, EVENT_BYTES);
    if (count || has_ended(subscription, shard) ||
        server->now_ms >= subscription->event_ms)
        put_event(subscription, stream, shard, count);
}

// The transport asks for no more than it can send.
static ssize_t subscription_read(struct request *request, char *to, size_t most)
{
    struct subscription *subscription = request->stream.state;
    struct buffer *out = &subscription->out;
    size_t size;

    if (subscription->sent == out->size) {
        buffer_finish(out);
        subscription->sent = 0;
        if (!subscription->is_over)
            put_next(subscription);
    }
    if (!buffer_ok(out) || (!out->size && subscription->is_over))
        return -1;
    if (!out->size)
        request_wait_until(request, subscription->event_ms <
                                            subscription->begun_ms + LIFE_MS
                                        ? subscription->event_ms
                                        : subscription->begun_ms + LIFE_MS);
    size = out->size - subscription->sent;
    if (size > most)
        size = most;
    if (size)
        memcpy(to, out->data + subscription->sent, size);
    subscription->sent += size;
    return (ssize_t)size;
}

static void subscription_close(struct request *request)
{
    struct subscription *subscription = request->stream.state;

    list_remove(&subscription->link);
    buffer_finish(&subscription->out);
    free(subscription);
}

static struct subscription *find_other(const struct server *server,
                                       const struct subscription *own)
{
    const struct list *head = &server->subscriptions;

    for (struct list *link = head->next; link != head; link = link->next) {
        struct subscription *other = LIST_ITEM(link, struct subscription, link);

        if (other->consumer == own->consumer && other->shard == own->shard &&
            !other->is_replaced && !other->is_over)
            return other;
    }
    return NULL;
}

// False: it failed. An older one of the same consumer ends.
static bool take_over(struct request *request, const struct subscription *own)
{
    struct subscription *other = find_other(request->server, own);

    if (!other)
        return true;
    if (request->server->now_ms < other->begun_ms + OWN_MS) {
        (void)request_fail(request, API_RESOURCE_IN_USE,
                           "Another subscription of this consumer to this "
                           "shard is younger than %d s.",
                           OWN_MS / 1000);
        return false;
    }
    other->is_replaced = true;
    wake(other);
    return true;
}

static enum step begin(struct request *request, const struct subscription *as)
{
    struct subscription *subscription = mem_calloc(1, sizeof(*subscription));

    *subscription = *as;
    subscription->request = request;
    subscription->begun_ms = request->server->now_ms;
    subscription->event_ms = subscription->begun_ms; // one comes at once
    buffer_init(&subscription->out, OUT_LIMIT);
    list_push_back(&request->server->subscriptions, &subscription->link);
    request->stream = (struct request_stream){.read = subscription_read,
                                              .close = subscription_close,
                                              .state = subscription};
    request->content_type = "application/vnd.amazon.eventstream";
    put_text_frame(subscription, "event", "initial-response", "{}");
    return STEP_STREAM;
}

enum step serve_kinesis_subscribe(struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    struct stream *stream =
        in->consumer_arn.size ? serve_kinesis_stream(request) : NULL;
    const struct consumer *consumer =
        stream ? find_consumer(request, stream) : NULL;
    struct shard *shard =
        consumer ? serve_kinesis_shard(request, stream, in->shard) : NULL;
    struct subscription subscription = {0};

    if (!in->consumer_arn.size)
        return request_fail(request, API_VALIDATION,
                            "Missing ConsumerARN parameter.");
    if (!shard)
        return STEP_REPLY;
    subscription.stream = stream->id;
    subscription.consumer = consumer->id;
    subscription.shard = shard->index;
    shard_trim(shard, stream_horizon_ms(stream, request->server->now_ms));
    if (!serve_kinesis_find_position(request, shard, &in->start,
                                     &subscription.position) ||
        !take_over(request, &subscription))
        return STEP_REPLY;
    return begin(request, &subscription);
}
