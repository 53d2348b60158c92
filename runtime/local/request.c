#include "local/request.h"

#include <stdlib.h>

#include "base/mem.h"
#include "local/fault.h"
#include "local/input.h"
#include "local/server.h"

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
    if (request->stream.close)
        request->stream.close(request);
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

    request_begin_result(request);
    step = request->operation->run(request);
    if (step == STEP_REPLY && !request->error_type)
        request_end_result(request);
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

ssize_t request_read(struct request *request, char *to, size_t most)
{
    server_update_now(request->server);
    stop_waiting(request);
    return request->stream.read(request, to, most);
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
