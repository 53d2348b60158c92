#include "local/exchange.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "local/fault.h"
#include "local/input.h"
#include "local/server.h"

// Large replies are kept too, since a drain asks for the same size again.
#define REPLY_KEEP_LIMIT (16u << 20)

static void wake(struct waiter *waiter)
{
    struct exchange *exchange = LIST_ITEM(waiter, struct exchange, waiter);

    timers_cancel(&exchange->server->timers, &exchange->timer);
    exchange->resume(exchange);
}

struct exchange *exchange_create(struct server *server)
{
    struct exchange *exchange = mem_calloc(1, sizeof(*exchange));

    exchange->server = server;
    exchange->timer.kind = TIMER_EXCHANGE;
    exchange->waiter.wake = wake;
    list_init(&exchange->waiter.link);
    list_push_back(&server->exchanges, &exchange->link);
    buffer_init(&exchange->body, EXCHANGE_BODY_LIMIT);
    return exchange;
}

static void stop_waiting(struct exchange *exchange)
{
    timers_cancel(&exchange->server->timers, &exchange->timer);
    queue_waiter_leave(&exchange->waiter);
}

void exchange_destroy(struct exchange *exchange)
{
    struct queue *queue;

    if (!exchange)
        return;
    queue = exchange->waiter.queue;
    stop_waiting(exchange);
    if (queue)
        queue_wake(queue);
    reply_release(exchange->reply);
    list_remove(&exchange->link);
    buffer_finish(&exchange->body);
    arena_finish(&exchange->arena);
    free(exchange);
}

static struct queue *queue_of_receipt(struct server *server,
                                      const struct exchange *exchange)
{
    struct queue *queue = server_queue(server, exchange->resource);

    return queue && queue->id == exchange->received[0].queue ? queue : NULL;
}

void exchange_undo(struct exchange *exchange)
{
    struct queue *queue = exchange->received_count
                              ? queue_of_receipt(exchange->server, exchange)
                              : NULL;
    struct message *message;

    // From the last, so that they come back in their order.
    while (queue && exchange->received_count > 0)
        if (queue_check(queue, &exchange->received[--exchange->received_count],
                        &message) == RECEIPT_GOOD)
            queue_unreceive(queue, message);
}

static struct reply *take_reply(struct server *server)
{
    struct list *link = list_first(&server->replies);
    struct reply *reply;

    if (link) {
        list_remove(link);
        return LIST_ITEM(link, struct reply, link);
    }
    reply = mem_calloc(1, sizeof(*reply));
    reply->server = server;
    list_init(&reply->link);
    buffer_init(&reply->buffer, EXCHANGE_REPLY_LIMIT);
    return reply;
}

void reply_release(struct reply *reply)
{
    if (!reply)
        return;
    if (reply->buffer.capacity > REPLY_KEEP_LIMIT)
        buffer_finish(&reply->buffer);
    buffer_clear(&reply->buffer);
    list_push_front(&reply->server->replies, &reply->link);
}

void exchange_wait_until(struct exchange *exchange, int64_t deadline_ms)
{
    timers_set(&exchange->server->timers, &exchange->timer, deadline_ms);
}

void exchange_due(struct timer *timer)
{
    struct exchange *exchange = LIST_ITEM(timer, struct exchange, timer);

    queue_waiter_leave(&exchange->waiter);
    exchange->resume(exchange);
}

static void begin_xml(struct exchange *exchange)
{
    const char *name = exchange->operation->name;

    buffer_printf(exchange->writer.out,
                  "<?xml version=\"1.0\"?><%sResponse xmlns=\"%s\"><%sResult>",
                  name, exchange->service->xml_namespace, name);
}

static void end_xml(struct exchange *exchange)
{
    const char *name = exchange->operation->name;

    buffer_printf(exchange->writer.out,
                  "</%sResult><ResponseMetadata><RequestId>%s</RequestId>"
                  "</ResponseMetadata></%sResponse>",
                  name, exchange->request_id, name);
}

static enum writer_format format_of(enum protocol protocol)
{
    switch (protocol) {
    case PROTOCOL_CBOR:
        return WRITER_CBOR;
    case PROTOCOL_QUERY:
        return WRITER_XML;
    case PROTOCOL_JSON:
    case PROTOCOL_ADMIN:
        break;
    }
    return WRITER_JSON;
}

static const char *content_type_of(const struct exchange *exchange)
{
    switch (exchange->protocol) {
    case PROTOCOL_CBOR:
        return "application/x-amz-cbor-1.1";
    case PROTOCOL_QUERY:
        return "text/xml";
    case PROTOCOL_JSON:
        return exchange->service ? exchange->service->json_type
                                 : "application/x-amz-json-1.0";
    case PROTOCOL_ADMIN:
        break;
    }
    return "application/json";
}

static void begin(struct exchange *exchange)
{
    if (!exchange->reply)
        exchange->reply = take_reply(exchange->server);
    buffer_clear(&exchange->reply->buffer);
    exchange->writer = (struct writer){.format = format_of(exchange->protocol),
                                       .out = &exchange->reply->buffer};
    exchange->status = 200;
    exchange->content_type = content_type_of(exchange);
}

static void begin_result(struct exchange *exchange)
{
    begin(exchange);
    if (exchange->protocol == PROTOCOL_QUERY)
        begin_xml(exchange);
    else
        writer_open(&exchange->writer, NULL);
}

static void end_result(struct exchange *exchange)
{
    struct buffer *out = exchange->writer.out;

    if (exchange->protocol == PROTOCOL_QUERY) {
        end_xml(exchange);
        return;
    }
    if (out->size == 1 && exchange->service->empty_bodies) {
        buffer_clear(out);
        return;
    }
    writer_close(&exchange->writer, NULL);
}

static void fail_xml(struct exchange *exchange,
                     const struct api_error_info *info, const char *message)
{
    struct writer *writer = &exchange->writer;
    const char *namespace = exchange->service
                                ? exchange->service->xml_namespace
                                : "http://queue.amazonaws.com/doc/2012-11-05/";

    buffer_printf(writer->out,
                  "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"%s\"><Error>",
                  namespace);
    writer_text(writer, "Type",
                bytes_of(info->receiver ? "Receiver" : "Sender"));
    writer_text(writer, "Code", bytes_of(info->query));
    writer_text(writer, "Message", bytes_of(message));
    buffer_printf(writer->out,
                  "<Detail/></Error><RequestId>%s</RequestId></ErrorResponse>",
                  exchange->request_id);
}

static void fail_object(struct exchange *exchange,
                        const struct api_error_info *info, const char *message)
{
    struct writer *writer = &exchange->writer;
    const char *prefix =
        exchange->service ? exchange->service->error_prefix : "";

    writer_open(writer, NULL);
    writer_text(
        writer, "__type",
        bytes_of(arena_printf(&exchange->arena, "%s%s", prefix, info->type)));
    writer_text(writer, "message", bytes_of(message));
    writer_close(writer, NULL);
}

enum step exchange_fail_with(struct exchange *exchange,
                             const struct api_error_info *info,
                             const char *message)
{
    bool xml = exchange->protocol == PROTOCOL_QUERY;

    begin(exchange);
    exchange->failed = true;
    exchange->status = info->status;
    if (xml)
        fail_xml(exchange, info, message);
    else
        fail_object(exchange, info, message);
    if (!xml && exchange->service && exchange->service->query_header)
        exchange->query_error =
            arena_printf(&exchange->arena, "%s;%s", info->query,
                         info->receiver ? "Receiver" : "Sender");
    return STEP_REPLY;
}

enum step exchange_fail(struct exchange *exchange, enum api_error error,
                        const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return exchange_fail_with(exchange, api_error_info(error), message);
}

const struct fault *exchange_fault(struct exchange *exchange,
                                   enum fault_action action)
{
    if (list_is_empty(&exchange->server->faults.list) || !exchange->operation)
        return NULL;
    return faults_strike(&exchange->server->faults, action,
                         bytes_of(exchange->operation->name),
                         exchange->resource);
}

const struct api_error_info *exchange_fault_error(struct exchange *exchange,
                                                  const struct fault *fault)
{
    const struct api_error_info *known = api_error_find(bytes_of(fault->code));
    struct api_error_info *info =
        arena_calloc(&exchange->arena, 1, sizeof(*info));

    if (known)
        *info = *known;
    else
        *info = (struct api_error_info){fault->code, fault->code, 400, false};
    if (fault->action == FAULT_ERROR_IN_200)
        info->status = 200;
    if (fault->status) {
        info->status = fault->status;
        info->receiver = fault->status >= 500;
    }
    // The fault may be cleared while the exchange waits.
    info->type = arena_copy(&exchange->arena, bytes_of(info->type));
    info->query = arena_copy(&exchange->arena, bytes_of(info->query));
    return info;
}

static bool read_input(struct exchange *exchange)
{
    const struct input_fields *fields = exchange->service->input;
    struct buffer *body = &exchange->body;
    struct input_error error;
    bool ok = false;

    exchange->input = arena_calloc(&exchange->arena, 1, fields->size);
    switch (exchange->protocol) {
    case PROTOCOL_CBOR:
        ok = input_read_cbor(fields, &exchange->arena, body, exchange->input,
                             &error);
        break;
    case PROTOCOL_QUERY:
        ok = input_read_form(fields, &exchange->arena, body->data, body->size,
                             exchange->input, &error);
        break;
    case PROTOCOL_JSON:
    case PROTOCOL_ADMIN:
        ok = input_read_json(fields, &exchange->arena, body, exchange->input,
                             &error);
        break;
    }
    if (!ok)
        (void)exchange_fail(exchange, API_SERIALIZATION, "%s", error.text);
    return ok;
}

// False: it failed, and the reply says so.
static bool prepare(struct exchange *exchange)
{
    server_uuid(exchange->server, exchange->request_id);
    if (!buffer_ok(&exchange->body)) {
        (void)exchange_fail(exchange, API_TOO_LARGE,
                            "the request's body is over %u bytes",
                            EXCHANGE_BODY_LIMIT);
        return false;
    }
    if (!exchange_route(exchange) || !read_input(exchange))
        return false;
    exchange->resource = exchange->service->resource(exchange);
    return true;
}

static bool is_admin(const struct exchange *exchange)
{
    return exchange->protocol == PROTOCOL_ADMIN;
}

static bool fails_by_fault(struct exchange *exchange)
{
    const struct fault *fault = exchange_fault(exchange, FAULT_ERROR);

    if (!fault)
        fault = exchange_fault(exchange, FAULT_ERROR_IN_200);
    if (!fault)
        return false;
    (void)exchange_fail_with(exchange, exchange_fault_error(exchange, fault),
                             "asked for by a fault of the local server");
    return true;
}

static enum step execute(struct exchange *exchange)
{
    enum step step;

    begin_result(exchange);
    step = exchange->operation->run(exchange);
    if (step == STEP_REPLY && !exchange->failed)
        end_result(exchange);
    if (step != STEP_REPLY) {
        reply_release(exchange->reply);
        exchange->reply = NULL;
        return step;
    }
    if (!buffer_ok(&exchange->reply->buffer))
        return exchange_fail(exchange, API_INTERNAL_FAILURE,
                             "the answer is over %u bytes",
                             EXCHANGE_REPLY_LIMIT);
    return step;
}

static void damage(struct exchange *exchange)
{
    struct buffer *out = &exchange->reply->buffer;

    if (exchange_fault(exchange, FAULT_TRUNCATE))
        out->size /= 2;
    if (!exchange_fault(exchange, FAULT_HTML))
        return;
    buffer_clear(out);
    buffer_append_text(out, "<html><head><title>502 Bad Gateway</title></head>"
                            "<body><h1>502 Bad Gateway</h1></body></html>\n");
    exchange->content_type = "text/html";
    exchange->status = 502;
}

// A fault holds it back: park in this phase, to be run again after a while.
static bool held_back(struct exchange *exchange, enum fault_action action,
                      enum exchange_phase phase)
{
    const struct fault *fault = exchange_fault(exchange, action);

    if (!fault || fault->ms == 0)
        return false;
    exchange->phase = phase;
    exchange_wait_until(exchange, exchange->server->now_ms + fault->ms);
    return true;
}

static enum step complete(struct exchange *exchange)
{
    exchange->phase = EXCHANGE_DONE;
    if (is_admin(exchange) || !exchange->operation)
        return STEP_REPLY;
    if (exchange->drop_after) {
        // As lost on the way: what was received stays received.
        exchange->received_count = 0;
        return STEP_CLOSE;
    }
    damage(exchange);
    return held_back(exchange, FAULT_LATENCY_AFTER, EXCHANGE_DONE) ? STEP_PARK
                                                                   : STEP_REPLY;
}

static enum step run_operation(struct exchange *exchange)
{
    enum step step;

    exchange->phase = EXCHANGE_EXECUTING;
    step = execute(exchange);
    return step == STEP_REPLY ? complete(exchange) : step;
}

static enum step start(struct exchange *exchange)
{
    if (fails_by_fault(exchange))
        return complete(exchange);
    return run_operation(exchange);
}

static enum step begin_exchange(struct exchange *exchange)
{
    const struct fault *drop;

    if (!prepare(exchange))
        return complete(exchange);
    if (is_admin(exchange))
        return run_operation(exchange);
    drop = exchange_fault(exchange, FAULT_DROP);
    if (drop && !drop->after)
        return STEP_CLOSE;
    exchange->drop_after = drop;
    if (held_back(exchange, FAULT_LATENCY, EXCHANGE_DELAYED))
        return STEP_PARK;
    return start(exchange);
}

enum step exchange_run(struct exchange *exchange)
{
    server_update_now(exchange->server);
    stop_waiting(exchange);
    switch (exchange->phase) {
    case EXCHANGE_NEW:
        return begin_exchange(exchange);
    case EXCHANGE_DELAYED:
        return start(exchange);
    case EXCHANGE_EXECUTING:
        return run_operation(exchange);
    case EXCHANGE_DONE:
        break;
    }
    return STEP_REPLY;
}
