#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "test.h"

#define ANSWERS 4096
#define CONNECTIONS 512
#define REQUEST_LIMIT (16 * 1024 * 1024)
#define AWAIT_SECONDS 10
#define TLS_HELLO 0x16

struct connection {
    struct http_server *server;
    int fd;
    SSL *tls; // NULL: plain
    pthread_t thread;
};

struct http_server {
    // Never changed after creation.
    int listener;
    char url[64];
    SSL_CTX *tls; // NULL: plain
    pthread_t thread;

    // Shared; all guarded by lock.
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct http_answer answers[ANSWERS]; // what they point to is owned
    size_t answer_count, answered;
    struct http_answer fallback;
    char **requests; // owned
    size_t request_count;
    struct connection connections[CONNECTIONS];
    size_t connection_count;
    bool released, stopped;
};

static ssize_t receive(struct connection *connection, char *data, size_t size)
{
    if (connection->tls)
        return SSL_read(connection->tls, data, (int)size);
    return recv(connection->fd, data, size, 0);
}

static bool transmit(struct connection *connection, const char *data,
                     size_t size)
{
    while (size) {
        ssize_t sent = connection->tls
                           ? SSL_write(connection->tls, data, (int)size)
                           : send(connection->fd, data, size, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

const char *http_request_body(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");

    return end ? end + 4 : "";
}

char *http_request_header(const char *request, const char *name)
{
    const char *end = strstr(request, "\r\n\r\n");
    const char *line = strstr(request, "\r\n");
    size_t size = strlen(name);

    for (; line && line < end; line = strstr(line + 2, "\r\n")) {
        const char *value = line + 2 + size;

        if (strncasecmp(line + 2, name, size) != 0 || *value != ':')
            continue;
        value += 1 + strspn(value + 1, " ");
        return mem_strndup(value, strcspn(value, "\r"));
    }
    return NULL;
}

static size_t body_size(const char *request)
{
    char *value = http_request_header(request, "content-length");
    size_t size = value ? strtoul(value, NULL, 10) : 0;

    free(value);
    return size;
}

// One whole request, or false at the end of the connection.
static bool read_request(struct connection *connection, struct buffer *in)
{
    const char *end = NULL;
    ssize_t more;
    char *room;

    buffer_clear(in);
    while (!end || in->size < (size_t)(end + 4 - in->data) +
                                  body_size(buffer_text(in))) {
        room = buffer_reserve(in, 64 * 1024);
        more = room ? receive(connection, room, 64 * 1024) : -1;
        if (more <= 0)
            return false;
        in->size += (size_t)more;
        if (in->data[0] == TLS_HELLO)
            return true; // no HTTP, and an answer it gets nevertheless
        end = strstr(buffer_text(in), "\r\n\r\n");
    }
    return true;
}

static struct http_answer answer_copy(const struct http_answer *answer)
{
    struct http_answer copy = *answer;

    if (!copy.status)
        copy.status = 200;
    if (!copy.body_size && copy.body)
        copy.body_size = strlen(copy.body);
    copy.headers = mem_strdup(copy.headers ? copy.headers : "");
    copy.body = mem_strndup(copy.body, copy.body_size);
    return copy;
}

static void answer_finish(struct http_answer *answer)
{
    free((void *)(uintptr_t)answer->headers);
    free((void *)(uintptr_t)answer->body);
}

// Note the request and decide on the answer; waits while it is held.
static struct http_answer consider(struct http_server *server,
                                   struct buffer *request)
{
    struct http_answer answer;

    pthread_mutex_lock(&server->lock);
    if (server->request_count % 64 == 0)
        server->requests = mem_realloc(
            server->requests, server->request_count + 64, sizeof(char *));
    server->requests[server->request_count++] =
        mem_strndup(request->data, request->size);
    answer = answer_copy(server->answered < server->answer_count
                             ? &server->answers[server->answered++]
                             : &server->fallback);
    pthread_cond_broadcast(&server->changed);
    while (answer.fault == HTTP_HOLD && !server->released && !server->stopped)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    return answer;
}

static void put_head(struct buffer *out, const struct http_answer *answer)
{
    buffer_printf(out, "HTTP/1.1 %d Whatever\r\n%s", answer->status,
                  answer->headers);
    if (answer->fault == HTTP_CLOSE)
        buffer_append_text(out, "Connection: close\r\n");
    if (answer->fault == HTTP_CHUNKED)
        buffer_printf(out, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                      answer->body_size);
    else
        buffer_printf(out, "Content-Length: %zu\r\n\r\n", answer->body_size);
}

// False: the connection ends here.
static bool respond(struct connection *connection,
                    const struct http_answer *answer)
{
    struct buffer out;
    bool ok;

    if (answer->fault == HTTP_DROP)
        return false;
    buffer_init(&out, REQUEST_LIMIT);
    if (answer->fault != HTTP_RAW)
        put_head(&out, answer);
    buffer_append(&out, answer->body,
                  answer->fault == HTTP_CUT ? answer->body_size / 2
                                            : answer->body_size);
    if (answer->fault == HTTP_CHUNKED)
        buffer_append_text(&out, "\r\n0\r\n\r\n");
    ok = transmit(connection, out.data, out.size);
    buffer_finish(&out);
    return ok && (answer->fault == HTTP_NO_FAULT ||
                  answer->fault == HTTP_CHUNKED || answer->fault == HTTP_HOLD);
}

static void *serve(void *context)
{
    struct connection *connection = context;
    struct http_answer answer;
    struct buffer request;
    bool more = true;

    buffer_init(&request, REQUEST_LIMIT);
    while (more && read_request(connection, &request)) {
        answer = consider(connection->server, &request);
        more = respond(connection, &answer);
        answer_finish(&answer);
    }
    buffer_finish(&request);
    (void)shutdown(connection->fd, SHUT_RDWR);
    return NULL;
}

static void *serve_tls(void *context)
{
    struct connection *connection = context;

    if (SSL_accept(connection->tls) == 1)
        (void)serve(connection);
    (void)shutdown(connection->fd, SHUT_RDWR);
    return NULL;
}

// Lock held.
static void adopt(struct http_server *server, int fd)
{
    struct connection *connection;

    if (server->stopped || server->connection_count == CONNECTIONS) {
        (void)close(fd);
        return;
    }
    connection = &server->connections[server->connection_count++];
    *connection = (struct connection){.server = server, .fd = fd};
    if (server->tls) {
        connection->tls = SSL_new(server->tls);
        SSL_set_fd(connection->tls, fd);
    }
    assert_int_equal(pthread_create(&connection->thread, NULL,
                                    server->tls ? serve_tls : serve,
                                    connection),
                     0);
}

static void *accept_all(void *context)
{
    struct http_server *server = context;
    int fd;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_mutex_lock(&server->lock);
        adopt(server, fd);
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

static void listen_on_loopback(struct http_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(
        bind(server->listener, (struct sockaddr *)&address, sizeof(address)),
        0);
    assert_int_equal(listen(server->listener, 128), 0);
    assert_int_equal(
        getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(server->url, sizeof(server->url), "http%s://127.0.0.1:%d",
                   server->tls ? "s" : "", ntohs(address.sin_port));
}

static SSL_CTX *tls_create(const char *certificate)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    assert_int_equal(
        SSL_CTX_use_certificate_file(tls, certificate, SSL_FILETYPE_PEM), 1);
    assert_int_equal(
        SSL_CTX_use_PrivateKey_file(tls, certificate, SSL_FILETYPE_PEM), 1);
    return tls;
}

struct http_server *http_server_create(const char *certificate)
{
    struct http_server *server = mem_calloc(1, sizeof(*server));

    // As the daemon does: OpenSSL writes without MSG_NOSIGNAL.
    (void)signal(SIGPIPE, SIG_IGN);
    if (certificate)
        server->tls = tls_create(certificate);
    server->fallback = answer_copy(&(struct http_answer){0});
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    listen_on_loopback(server);
    assert_int_equal(pthread_create(&server->thread, NULL, accept_all, server),
                     0);
    return server;
}

static void stop(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stopped = true;
    for (size_t i = 0; i < server->connection_count; i++)
        (void)shutdown(server->connections[i].fd, SHUT_RDWR);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    (void)shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
}

void http_server_destroy(struct http_server *server)
{
    if (!server)
        return;
    stop(server);
    for (size_t i = 0; i < server->connection_count; i++) {
        pthread_join(server->connections[i].thread, NULL);
        SSL_free(server->connections[i].tls);
        (void)close(server->connections[i].fd);
    }
    for (size_t i = 0; i < server->answer_count; i++)
        answer_finish(&server->answers[i]);
    answer_finish(&server->fallback);
    for (size_t i = 0; i < server->request_count; i++)
        free(server->requests[i]);
    free(server->requests);
    (void)close(server->listener);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    SSL_CTX_free(server->tls);
    free(server);
}

const char *http_server_url(const struct http_server *server)
{
    return server->url;
}

void http_server_push(struct http_server *server,
                      const struct http_answer *answer)
{
    pthread_mutex_lock(&server->lock);
    assert_true(server->answer_count < ANSWERS);
    server->answers[server->answer_count++] = answer_copy(answer);
    pthread_mutex_unlock(&server->lock);
}

void http_server_default(struct http_server *server,
                         const struct http_answer *answer)
{
    pthread_mutex_lock(&server->lock);
    answer_finish(&server->fallback);
    server->fallback = answer_copy(answer);
    pthread_mutex_unlock(&server->lock);
}

void http_server_release(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->released = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

size_t http_server_count(struct http_server *server)
{
    size_t count;

    pthread_mutex_lock(&server->lock);
    count = server->request_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

size_t http_server_connections(struct http_server *server)
{
    size_t count;

    pthread_mutex_lock(&server->lock);
    count = server->connection_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

bool http_server_await(struct http_server *server, size_t count)
{
    struct timespec deadline;
    bool came;
    int rc = 0;

    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += AWAIT_SECONDS;
    pthread_mutex_lock(&server->lock);
    while (server->request_count < count && rc == 0)
        rc = pthread_cond_timedwait(&server->changed, &server->lock, &deadline);
    came = server->request_count >= count;
    pthread_mutex_unlock(&server->lock);
    return came;
}

char *http_server_request(struct http_server *server, size_t index)
{
    char *request = NULL;

    pthread_mutex_lock(&server->lock);
    if (index < server->request_count)
        request = mem_strdup(server->requests[index]);
    pthread_mutex_unlock(&server->lock);
    return request;
}

static void add_name(X509 *certificate)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name,
                                    "IP:127.0.0.1");
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

void http_certificate_write(const char *path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    FILE *file = fopen(path, "we");

    assert_true(key && file);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"pollard test", -1, -1,
                               0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    add_name(certificate);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                     1);
    assert_int_equal(fclose(file), 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
