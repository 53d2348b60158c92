#include "local/local.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/random.h"
#include "local/http.h"
#include "local/queue.h"
#include "local/request.h"
#include "local/server.h"

#define IDLE_LIMIT_MS (60 * 1000)

struct local {
    // Never changed after start.
    struct server *server; // the server thread's own while that runs
    struct http *http;     // as server
    struct log log;
    int wake_fd;
    struct mailbox mailbox; // to the server thread: struct call

    // Server thread only.
    bool stopping;

    // Shared: the ends of calls.
    pthread_mutex_t lock;
    pthread_cond_t answered; // some call's `done` changed

    // Of the thread that started it.
    pthread_t thread;
};

enum call_kind { CALL_OPERATION, CALL_STOP };

/* Something that another thread wants done on the server thread, and waits
 * for. */
struct call {
    struct mail mail;
    const char *target, *body; // borrowed; of an operation
    struct error *err;         // filled unless it succeeds
    const char *fine;          // an error that counts as success, or NULL
    bool ok;
    bool done; // guarded by local.lock
};

static void wake(void *context)
{
    const struct local *local = context;
    uint64_t one = 1;

    (void)!write(local->wake_fd, &one, sizeof(one));
}

static void fill_request(struct request *request, const struct call *call)
{
    request->head = (struct request_head){
        .method = BYTES("POST"),
        .path = BYTES("/"),
        .target = bytes_of(call->target),
        .content_type = BYTES("application/x-amz-json-1.0"),
        .authorization = BYTES("Credential=local Signature=local"),
        .host = BYTES("localhost"),
    };
    request->spared = true;
    buffer_append_text(&request->body, call->body);
}

// As if it had come over HTTP, so that it is checked just the same.
static void run_operation(struct local *local, struct call *call)
{
    struct request *request = request_create(local->server);

    fill_request(request, call);
    (void)request_run(request);
    call->ok = !request->error_type ||
               (call->fine && strcmp(request->error_type, call->fine) == 0);
    if (!call->ok)
        error_set(call->err, ERROR_INVALID, "%s: %s", request->error_type,
                  request->error_text);
    request_destroy(request);
}

static void run_call(struct local *local, struct call *call)
{
    switch ((enum call_kind)call->mail.kind) {
    case CALL_OPERATION:
        run_operation(local, call);
        break;
    case CALL_STOP:
        local->stopping = true;
        break;
    }
    pthread_mutex_lock(&local->lock);
    call->done = true;
    pthread_cond_broadcast(&local->answered);
    pthread_mutex_unlock(&local->lock);
}

static void run_calls(struct local *local)
{
    uint64_t count;
    struct mail *mail, *next;

    (void)!read(local->wake_fd, &count, sizeof(count));
    for (mail = mailbox_take(&local->mailbox); mail; mail = next) {
        next = mail->next;
        run_call(local, (struct call *)(void *)mail);
    }
}

static void *run(void *context)
{
    struct local *local = context;

    while (!local->stopping) {
        if (http_wait(local->http, local->wake_fd,
                      server_idle_ms(local->server, IDLE_LIMIT_MS)))
            run_calls(local);
        server_update_now(local->server);
        server_run_timers(local->server);
        http_run(local->http);
    }
    return NULL;
}

// Returns when the server thread has done it.
static bool call(struct local *local, struct call *call_)
{
    mailbox_post(&local->mailbox, &call_->mail);
    pthread_mutex_lock(&local->lock);
    while (!call_->done)
        pthread_cond_wait(&local->answered, &local->lock);
    pthread_mutex_unlock(&local->lock);
    return call_->ok;
}

static struct server *create_server(const struct local_options *options)
{
    return server_create(&(struct server_options){
        .region = options->region ? options->region : "us-east-1",
        .account = options->account ? options->account : "000000000000",
        .seed = options->seed ? options->seed : random_seed(),
        .clock = clock_system(),
        .log = options->log,
    });
}

static void destroy(struct local *local)
{
    http_stop(local->http);
    server_destroy(local->server);
    if (local->wake_fd >= 0)
        (void)close(local->wake_fd);
    mailbox_finish(&local->mailbox);
    pthread_cond_destroy(&local->answered);
    pthread_mutex_destroy(&local->lock);
    free(local);
}

static bool start_thread(struct local *local, struct error *err)
{
    int rc = pthread_create(&local->thread, NULL, run, local);

    if (rc)
        return error_set(err, ERROR_TRANSIENT, "start a thread: %s",
                         strerror(rc));
    (void)pthread_setname_np(local->thread, "local");
    return true;
}

static bool start_all(struct local *local, const struct local_options *options,
                      struct error *err)
{
    local->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (local->wake_fd < 0)
        return error_set(err, ERROR_TRANSIENT, "eventfd: %s", strerror(errno));
    if (!faults_add(&local->server->faults, bytes_of(options->faults), err))
        return false;
    local->http =
        http_start(options->address, options->port, local->server, err);
    return local->http && start_thread(local, err);
}

struct local *local_start(const struct local_options *options,
                          struct error *err)
{
    struct local *local = mem_calloc(1, sizeof(*local));

    if (options->log)
        local->log = *options->log;
    local->server = create_server(options);
    mailbox_init(&local->mailbox, wake, local);
    pthread_mutex_init(&local->lock, NULL);
    pthread_cond_init(&local->answered, NULL);
    if (!start_all(local, options, err)) {
        destroy(local);
        return NULL;
    }
    log_debug(&local->log, "local.started",
              LOG_STR("address", options->address),
              LOG_INT("port", http_port(local->http)));
    return local;
}

uint16_t local_port(const struct local *local)
{
    return http_port(local->http);
}

static void log_left(const struct local *local, struct queue *queue)
{
    uint64_t messages;

    queue_expire(queue, local->server->now_ms);
    messages = queue->counts[MESSAGE_READY] + queue->counts[MESSAGE_DELAYED] +
               queue->counts[MESSAGE_IN_FLIGHT];
    if (messages)
        log_info(&local->log, "local.left", LOG_STR("queue", queue->name),
                 LOG_INT("messages", (int64_t)messages));
}

// After the server thread's end: what the memory still held, and now loses.
static void log_all_left(const struct local *local)
{
    const struct map *queues = &local->server->queues;

    for (size_t i = 0; i < queues->size; i++)
        for (struct map_node *node = queues->buckets[i]; node;
             node = node->next)
            log_left(local, LIST_ITEM(node, struct queue, node));
}

void local_stop(struct local *local)
{
    struct call stop = {.mail.kind = CALL_STOP};

    if (!local)
        return;
    (void)call(local, &stop);
    pthread_join(local->thread, NULL);
    log_all_left(local);
    destroy(local);
}

static bool operate(struct local *local, const char *target,
                    struct buffer *body, const char *fine, struct error *err)
{
    struct call operation = {.mail.kind = CALL_OPERATION,
                             .target = target,
                             .body = buffer_text(body),
                             .fine = fine,
                             .err = err};
    bool ok = call(local, &operation);

    buffer_finish(body);
    return ok;
}

bool local_create_queue_with(struct local *local, const char *name,
                             const struct local_attribute *attributes,
                             size_t count, struct error *err)
{
    struct buffer body;

    buffer_init(&body, 1 << 20);
    buffer_append_text(&body, "{\"QueueName\":");
    json_put_string(&body, bytes_of(name));
    buffer_append_text(&body, ",\"Attributes\":{");
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_append_char(&body, ',');
        json_put_string(&body, bytes_of(attributes[i].name));
        buffer_append_char(&body, ':');
        json_put_string(&body, bytes_of(attributes[i].value));
    }
    buffer_append_text(&body, "}}");
    return operate(local, "AmazonSQS.CreateQueue", &body, "QueueNameExists",
                   err);
}

bool local_create_queue(struct local *local, const char *name,
                        struct error *err)
{
    struct local_attribute fifo = {"FifoQueue", "true"};
    size_t size = strlen(name);
    bool is_fifo = size > 5 && strcmp(name + size - 5, ".fifo") == 0;

    return local_create_queue_with(local, name, &fifo, is_fifo, err);
}

bool local_create_stream(struct local *local, const char *name, unsigned shards,
                         struct error *err)
{
    struct buffer body;

    buffer_init(&body, 4096);
    buffer_append_text(&body, "{\"StreamName\":");
    json_put_string(&body, bytes_of(name));
    buffer_printf(&body, ",\"ShardCount\":%u}", shards);
    return operate(local, "Kinesis_20131202.CreateStream", &body,
                   "ResourceInUseException", err);
}
