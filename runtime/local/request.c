#include "local/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "local/fault.h"
#include "local/input.h"
#include "local/server.h"

// Large replies are kept too, since a drain asks for the same size again.
#define REPLY_KEEP_LIMIT (16u << 20)
#define REPLIES_KEPT 8

static void wake(struct waiter *waiter)
{
    struct request *request = LIST_ITEM(waiter, struct request, waiter);

    timers_cancel(&request->server->timers, &request->timer);
    request->resume(request);
}

struct request *request_create(struct server *server)
{
    struct request *request = mem_calloc(1, sizeof(*request));

    request->server = server;
    request->timer.kind = TIMER_REQUEST;
    request->waiter.wake = wake;
    list_init(&request->waiter.link);
    list_push_back(&server->requests, &request->link);
    buffer_init(&request->body, REQUEST_BODY_LIMIT);
    return request;
}

static void stop_waiting(struct request *request)
{
    timers_cancel(&request->server->timers, &request->timer);
    queue_waiter_leave(&request->waiter);
}

void request_destroy(struct request *request)
{
    struct queue *queue;

    if (!request)
        return;
    queue = request->waiter.queue;
    stop_waiting(request);
    if (queue)
        queue_wake(queue);
    reply_release(request->reply);
    list_remove(&request->link);
    buffer_finish(&request->body);
    arena_finish(&request->arena);
    free(request);
}

static struct queue *queue_of_receipt(struct server *server,
                                      const struct request *request)
{
    struct queue *queue = server_queue(server, request->resource);

    return queue && queue->id == request->received[0].queue ? queue : NULL;
}

void request_undo(struct request *request)
{
    struct queue *queue = request->received_count
                              ? queue_of_receipt(request->server, request)
                              : NULL;
    struct message *message;

    // From the last, so that they come back in their order.
    while (queue && request->received_count > 0)
        if (queue_check(queue, &request->received[--request->received_count],
                        &message) == RECEIPT_GOOD)
            queue_unreceive(queue, message);
}

static struct reply *take_reply(struct server *server)
{
    struct list *link = list_first(&server->replies);
    struct reply *reply;

    if (link) {
        list_remove(link);
        server->reply_count--;
        return LIST_ITEM(link, struct reply, link);
    }
    reply = mem_calloc(1, sizeof(*reply));
    reply->server = server;
    list_init(&reply->link);
    buffer_init(&reply->buffer, REQUEST_REPLY_LIMIT);
    return reply;
}

void reply_release(struct reply *reply)
{
    if (!reply)
        return;
    buffer_clear(&reply->buffer);
    if (reply->buffer.capacity > REPLY_KEEP_LIMIT)
        buffer_finish(&reply->buffer);
    if (reply->server->reply_count == REPLIES_KEPT) {
        buffer_finish(&reply->buffer);
        free(reply);
        return;
    }
    list_push_front(&reply->server->replies, &reply->link);
    reply->server->reply_count++;
}

void request_wait_until(struct request *request, int64_t deadline_ms)
{
    timers_set(&request->server->timers, &request->timer, deadline_ms);
}

void request_due(struct timer *timer)
{
    struct request *request = LIST_ITEM(timer, struct request, timer);

    queue_waiter_leave(&request->waiter);
    request->resume(request);
}

static void begin_xml(struct request *request)
{
    const char *name = request->operation->name;

    buffer_printf(request->writer.out,
                  "<?xml version=\"1.0\"?><%sResponse xmlns=\"%s\"><%sResult>",
                  name, request->service->xml_namespace, name);
}

static void end_xml(struct request *request)
{
    const char *name = request->operation->name;

    buffer_printf(request->writer.out,
                  "</%sResult><ResponseMetadata><RequestId>%s</RequestId>"
                  "</ResponseMetadata></%sResponse>",
                  name, request->request_id, name);
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

static const char *content_type_of(const struct request *request)
{
    switch (request->protocol) {
    case PROTOCOL_CBOR:
        return "application/x-amz-cbor-1.1";
    case PROTOCOL_QUERY:
        return "text/xml";
    case PROTOCOL_JSON:
        return request->service ? request->service->json_type
                                : "application/x-amz-json-1.0";
    case PROTOCOL_ADMIN:
        break;
    }
    return "application/json";
}

static void begin(struct request *request)
{
    if (!request->reply)
        request->reply = take_reply(request->server);
    buffer_clear(&request->reply->buffer);
    request->writer = (struct writer){.format = format_of(request->protocol),
                                      .out = &request->reply->buffer};
    request->status = 200;
    request->content_type = content_type_of(request);
}

static void begin_result(struct request *request)
{
    begin(request);
    if (request->protocol == PROTOCOL_QUERY)
        begin_xml(request);
    else
        writer_open(&request->writer, NULL);
}

static void end_result(struct request *request)
{
    struct buffer *out = request->writer.out;

    if (request->protocol == PROTOCOL_QUERY) {
        end_xml(request);
        return;
    }
    if (out->size == 1 && request->service->empty_bodies) {
        buffer_clear(out);
        return;
    }
    writer_close(&request->writer, NULL);
}

static void fail_xml(struct request *request, const struct api_error_info *info,
                     const char *message)
{
    struct writer *writer = &request->writer;
    const char *namespace = request->service
                                ? request->service->xml_namespace
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
                  request->request_id);
}

static void fail_object(struct request *request,
                        const struct api_error_info *info, const char *message)
{
    struct writer *writer = &request->writer;
    const char *prefix = request->service ? request->service->error_prefix : "";

    writer_open(writer, NULL);
    writer_text(
        writer, "__type",
        bytes_of(arena_printf(&request->arena, "%s%s", prefix, info->type)));
    writer_text(writer, "message", bytes_of(message));
    writer_close(writer, NULL);
}

enum step request_fail_with(struct request *request,
                            const struct api_error_info *info,
                            const char *message)
{
    bool xml = request->protocol == PROTOCOL_QUERY;

    begin(request);
    request->error_type = arena_copy(&request->arena, bytes_of(info->type));
    request->error_text = arena_copy(&request->arena, bytes_of(message));
    request->status = info->status;
    if (xml)
        fail_xml(request, info, message);
    else
        fail_object(request, info, message);
    if (!xml && request->service && request->service->query_header)
        request->query_error =
            arena_printf(&request->arena, "%s;%s", info->query,
                         info->receiver ? "Receiver" : "Sender");
    return STEP_REPLY;
}

enum step request_fail(struct request *request, enum api_error error,
                       const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return request_fail_with(request, api_error_info(error), message);
}

const struct fault *request_fault(struct request *request,
                                  enum fault_action action)
{
    if (request->spared || !request->operation)
        return NULL;
    return faults_strike(&request->server->faults, action,
                         bytes_of(request->operation->name), request->resource);
}

const struct api_error_info *request_fault_error(struct request *request,
                                                 const struct fault *fault)
{
    const struct api_error_info *known = api_error_find(bytes_of(fault->code));
    struct api_error_info *info =
        arena_calloc(&request->arena, 1, sizeof(*info));

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
    // The fault may be cleared while the request waits.
    info->type = arena_copy(&request->arena, bytes_of(info->type));
    info->query = arena_copy(&request->arena, bytes_of(info->query));
    return info;
}

static bool read_input(struct request *request)
{
    const struct input_fields *fields = request->service->input;
    struct buffer *body = &request->body;
    struct input_error error;
    bool ok = false;

    request->input = arena_calloc(&request->arena, 1, fields->size);
    switch (request->protocol) {
    case PROTOCOL_CBOR:
        ok = input_read_cbor(fields, &request->arena, body, request->input,
                             &error);
        break;
    case PROTOCOL_QUERY:
        ok = input_read_form(fields, &request->arena, body->data, body->size,
                             request->input, &error);
        break;
    case PROTOCOL_JSON:
    case PROTOCOL_ADMIN:
        ok = input_read_json(fields, &request->arena, body, request->input,
                             &error);
        break;
    }
    if (!ok)
        (void)request_fail(request, API_SERIALIZATION, "%s", error.text);
    return ok;
}

// False: it failed, and the reply says so.
static bool prepare(struct request *request)
{
    server_uuid(request->server, request->request_id);
    if (!buffer_ok(&request->body)) {
        (void)request_fail(request, API_TOO_LARGE,
                           "the request's body is over %u bytes",
                           REQUEST_BODY_LIMIT);
        return false;
    }
    if (!request_route(request) || !read_input(request))
        return false;
    request->resource = request->service->resource(request);
    return true;
}

static bool is_admin(const struct request *request)
{
    return request->protocol == PROTOCOL_ADMIN;
}

static bool fails_by_fault(struct request *request)
{
    const struct fault *fault = request_fault(request, FAULT_ERROR);

    if (!fault)
        fault = request_fault(request, FAULT_ERROR_IN_200);
    if (!fault)
        return false;
    (void)request_fail_with(request, request_fault_error(request, fault),
                            "asked for by a fault of the local server");
    return true;
}

static enum step execute(struct request *request)
{
    enum step step;

    begin_result(request);
    step = request->operation->run(request);
    if (step == STEP_REPLY && !request->error_type)
        end_result(request);
    if (step != STEP_REPLY) {
        reply_release(request->reply);
        request->reply = NULL;
        return step;
    }
    if (!buffer_ok(&request->reply->buffer))
        return request_fail(request, API_INTERNAL_FAILURE,
                            "the answer is over %u bytes", REQUEST_REPLY_LIMIT);
    return step;
}

static void damage(struct request *request)
{
    struct buffer *out = &request->reply->buffer;

    if (request_fault(request, FAULT_TRUNCATE))
        out->size /= 2;
    if (!request_fault(request, FAULT_HTML))
        return;
    buffer_clear(out);
    buffer_append_text(out, "<html><head><title>502 Bad Gateway</title></head>"
                            "<body><h1>502 Bad Gateway</h1></body></html>\n");
    request->content_type = "text/html";
    request->status = 502;
}

// A fault holds it back: park in this phase, to be run again after a while.
static bool held_back(struct request *request, enum fault_action action,
                      enum request_phase phase)
{
    const struct fault *fault = request_fault(request, action);

    if (!fault || fault->ms == 0)
        return false;
    request->phase = phase;
    request_wait_until(request, request->server->now_ms + fault->ms);
    return true;
}

static enum step complete(struct request *request)
{
    request->phase = REQUEST_DONE;
    if (is_admin(request) || !request->operation)
        return STEP_REPLY;
    if (request->drop_after) {
        // As lost on the way: what was received stays received.
        request->received_count = 0;
        return STEP_CLOSE;
    }
    damage(request);
    if (!held_back(request, FAULT_LATENCY_AFTER, REQUEST_DONE))
        return STEP_REPLY;
    // Whoever does not wait for it has lost what was received.
    request->received_count = 0;
    return STEP_PARK;
}

static enum step run_operation(struct request *request)
{
    enum step step;

    request->phase = REQUEST_EXECUTING;
    step = execute(request);
    return step == STEP_REPLY ? complete(request) : step;
}

static enum step start(struct request *request)
{
    if (fails_by_fault(request))
        return complete(request);
    return run_operation(request);
}

static enum step begin_request(struct request *request)
{
    const struct fault *drop;

    if (!prepare(request))
        return complete(request);
    if (is_admin(request))
        return run_operation(request);
    drop = request_fault(request, FAULT_DROP);
    if (drop && !drop->after)
        return STEP_CLOSE;
    request->drop_after = drop;
    if (held_back(request, FAULT_LATENCY, REQUEST_DELAYED))
        return STEP_PARK;
    return start(request);
}

enum step request_run(struct request *request)
{
    server_update_now(request->server);
    stop_waiting(request);
    switch (request->phase) {
    case REQUEST_NEW:
        return begin_request(request);
    case REQUEST_DELAYED:
        return start(request);
    case REQUEST_EXECUTING:
        return run_operation(request);
    case REQUEST_DONE:
        break;
    }
    return STEP_REPLY;
}
