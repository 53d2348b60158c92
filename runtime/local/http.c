#include "local/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "local/request.h"
#include "local/server.h"

#define BACKLOG 1024
#define DESCRIPTORS_WANTED 65536
#define DESCRIPTORS_SPARE 64

// Headers and one read of the body; a session token alone may take 2 KiB.
#define CONNECTION_MEMORY (16 * 1024)

#define STREAM_BLOCK (32 * 1024) // of a streamed answer, held by each

struct http {
    // Never changed after start.
    struct server *server; // borrowed
    struct MHD_Daemon *daemon;
    int epoll_fd; // the daemon's
    uint16_t port;

    // Server thread only.
    bool stopping;
    bool resumed; // since http_run began
};

// It runs in the next http_run. Nothing else says so: with an event loop of our
// own, libmicrohttpd neither signals its epoll descriptor nor shortens
// MHD_get_timeout.
static void resume(struct request *request)
{
    ((struct http *)request->transport)->resumed = true;
    MHD_resume_connection(request->connection);
}

static struct bytes header(struct MHD_Connection *connection, const char *name)
{
    return bytes_of(
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
}

// Room for the whole body at once; a length that lies costs nothing but that.
static void reserve(struct request *request, struct bytes length)
{
    int64_t size;

    if (text_to_int(length, &size) && size > 0 && size <= REQUEST_BODY_LIMIT)
        (void)buffer_reserve(&request->body, (size_t)size);
}

static void read_head(struct request *request,
                      struct MHD_Connection *connection, const char *path,
                      const char *method)
{
    struct request_head *head = &request->head;

    request->connection = connection;
    request->resume = resume;
    head->method = bytes_of(method);
    head->path = bytes_of(path);
    head->target = header(connection, "X-Amz-Target");
    head->content_type = header(connection, "Content-Type");
    head->authorization = header(connection, "Authorization");
    head->host = header(connection, "Host");
    if (!head->host.size)
        head->host = BYTES("localhost");
    reserve(request, header(connection, "Content-Length"));
}

// The URL as it came; libmicrohttpd takes the query apart afterwards.
static void *on_request_line(void *context, const char *uri,
                             struct MHD_Connection *connection)
{
    struct http *http = context;
    struct request *request = request_create(http->server);
    const char *query = strchr(uri, '?');

    (void)connection;
    request->transport = http;
    if (query)
        request->head.query =
            bytes_of(arena_copy(&request->arena, bytes_of(query + 1)));
    return request;
}

// Its long poll may have been cut off while it was parked, when nobody watches
// the socket. What it would receive now nobody would get.
static bool is_gone(const struct request *request)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    char byte;
    ssize_t got = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

static void on_sent(void *context)
{
    reply_release(context);
}

static void add_header(struct MHD_Response *response, const char *name,
                       const char *value)
{
    if (value)
        (void)MHD_add_response_header(response, name, value);
}

static enum MHD_Result send_reply(struct request *request)
{
    struct reply *reply = request->reply;
    struct MHD_Response *response;
    enum MHD_Result sent;

    log_debug(&request->server->log, "local.request",
              LOG_STR("operation",
                      request->operation ? request->operation->name : "none"),
              LOG_BYTES("resource", request->resource),
              LOG_INT("status", request->status),
              LOG_INT("size", reply->buffer.size));
    request->reply = NULL;
    response = MHD_create_response_from_buffer_with_free_callback_cls(
        reply->buffer.size, reply->buffer.data, on_sent, reply);
    if (!response) {
        reply_release(reply);
        return MHD_NO;
    }
    add_header(response, "Content-Type", request->content_type);
    add_header(response, "x-amzn-RequestId", request->request_id);
    add_header(response, "x-amzn-query-error", request->query_error);
    sent = MHD_queue_response(request->connection, (unsigned)request->status,
                              response);
    MHD_destroy_response(response);
    return sent;
}

// More of a stream is wanted. What there is not yet is waited for as a long
// poll's answer is.
static ssize_t on_more(void *context, uint64_t position, char *to, size_t most)
{
    struct request *request = context;
    ssize_t size;

    (void)position;
    if (((struct http *)request->transport)->stopping)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (request->parked && is_gone(request))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    request->parked = false;
    size = request_read(request, to, most);
    if (size < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (size == 0) {
        request->parked = true;
        MHD_suspend_connection(request->connection);
    }
    return size;
}

static enum MHD_Result send_stream(struct request *request)
{
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_more, request, NULL);
    enum MHD_Result sent;

    if (!response)
        return MHD_NO;
    add_header(response, "Content-Type", request->content_type);
    add_header(response, "x-amzn-RequestId", request->request_id);
    sent = MHD_queue_response(request->connection, (unsigned)request->status,
                              response);
    MHD_destroy_response(response);
    return sent;
}

static enum MHD_Result run(struct request *request)
{
    if (request->parked && is_gone(request))
        return MHD_NO;
    request->parked = false;
    switch (request_run(request)) {
    case STEP_REPLY:
        return send_reply(request);
    case STEP_PARK:
        request->parked = true;
        MHD_suspend_connection(request->connection);
        return MHD_YES;
    case STEP_STREAM:
        return send_stream(request);
    case STEP_CLOSE:
        break;
    }
    return MHD_NO;
}

static enum MHD_Result on_request(void *context,
                                  struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    const struct http *http = context;
    struct request *request = *state;

    (void)version;
    if (http->stopping)
        return MHD_NO;
    if (!request->connection) {
        read_head(request, connection, path, method);
        return MHD_YES;
    }
    if (*upload_size) {
        buffer_append(&request->body, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    return run(request);
}

static void on_completed(void *context, struct MHD_Connection *connection,
                         void **state, enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    if (*state && code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        request_undo(*state);
    request_destroy(*state);
    *state = NULL;
}

// As many connections as the hard limit allows. Returns how many that are.
static unsigned raise_descriptor_limit(void)
{
    struct rlimit limit;
    rlim_t wanted;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024 - DESCRIPTORS_SPARE;
    wanted = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max
                                                 : DESCRIPTORS_WANTED;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur > DESCRIPTORS_WANTED)
        limit.rlim_cur = DESCRIPTORS_WANTED;
    return (unsigned)limit.rlim_cur - DESCRIPTORS_SPARE;
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

// False unless it is a loopback address.
static bool read_address(const char *text, uint16_t port, union address *out,
                         socklen_t *size)
{
    *out = (union address){0};
    if (strcmp(text, "localhost") == 0)
        text = "127.0.0.1";
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        *size = sizeof(out->v4);
        return ntohl(out->v4.sin_addr.s_addr) >> 24 == 127;
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    *size = sizeof(out->v6);
    return inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1 &&
           IN6_IS_ADDR_LOOPBACK(&out->v6.sin6_addr);
}

static int open_socket(const union address *address, socklen_t size)
{
    int on = 1;
    int fd = socket(address->any.sa_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &address->any, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    on = errno;
    (void)close(fd);
    errno = on;
    return -1;
}

static uint16_t port_of(int fd)
{
    union address address = {0};
    socklen_t size = sizeof(address);

    (void)getsockname(fd, &address.any, &size);
    return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port
                                                  : address.v6.sin6_port);
}

static int listen_on(const char *text, uint16_t port, struct error *err)
{
    union address address;
    socklen_t size;
    int fd;

    if (!read_address(text, port, &address, &size)) {
        error_set(err, ERROR_INVALID,
                  "listen on %s: the local server knows no secrets, so it "
                  "listens on loopback addresses only (127.0.0.1 or ::1)",
                  text);
        return -1;
    }
    fd = open_socket(&address, size);
    if (fd < 0)
        error_set(err, ERROR_TRANSIENT, "listen on %s port %u: %s%s", text,
                  port, strerror(errno),
                  errno == EADDRINUSE
                      ? " (by another pollard, or another SQS server?)"
                      : "");
    return fd;
}

static struct MHD_Daemon *start_daemon(struct http *http, int fd)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, http->port, NULL, NULL,
        on_request, http, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, http,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
        MHD_OPTION_CONNECTION_LIMIT, raise_descriptor_limit(),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_END);
}

struct http *http_start(const char *address, uint16_t port,
                        struct server *server, struct error *err)
{
    int fd = listen_on(address, port, err);
    struct http *http;

    if (fd < 0)
        return NULL;
    http = mem_calloc(1, sizeof(*http));
    http->server = server;
    http->port = port_of(fd);
    http->daemon = start_daemon(http, fd);
    if (!http->daemon) {
        error_set(err, ERROR_INVALID,
                  "listen on %s port %u: libmicrohttpd did not start", address,
                  http->port);
        (void)close(fd);
        free(http);
        return NULL;
    }
    http->epoll_fd =
        MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return http;
}

// libmicrohttpd insists that no connection is suspended when it stops.
static void resume_all(struct http *http)
{
    struct list *requests = &http->server->requests;

    for (struct list *link = requests->next; link != requests;
         link = link->next) {
        struct request *request = LIST_ITEM(link, struct request, link);

        if (request->parked)
            resume(request);
    }
}

void http_stop(struct http *http)
{
    if (!http)
        return;
    http->stopping = true;
    resume_all(http);
    http_run(http);
    MHD_stop_daemon(http->daemon);
    free(http);
}

uint16_t http_port(const struct http *http)
{
    return http->port;
}

bool http_wait(struct http *http, int wake_fd, int64_t timeout_ms)
{
    struct pollfd fds[] = {{.fd = http->epoll_fd, .events = POLLIN},
                           {.fd = wake_fd, .events = POLLIN}};
    MHD_UNSIGNED_LONG_LONG pending_ms;

    if (MHD_get_timeout(http->daemon, &pending_ms) == MHD_YES &&
        (int64_t)pending_ms < timeout_ms)
        timeout_ms = (int64_t)pending_ms;
    (void)poll(fds, 2, http->resumed ? 0 : (int)timeout_ms);
    return fds[1].revents != 0;
}

void http_run(struct http *http)
{
    http->resumed = false;
    (void)MHD_run(http->daemon);
}
