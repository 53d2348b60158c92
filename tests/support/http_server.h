/*
 * http_server: an HTTP/1.1 server on loopback that answers what a test tells it
 * to, and remembers what it was asked. Not a server to run anything on.
 *
 * Answers are given in the order they were pushed, whichever connection asks;
 * when there are none left, the default answer (an empty 200, or the one set).
 *
 * Threads: one for each connection, inside. The functions are any thread's.
 */
#ifndef POLLARD_HTTP_SERVER_H
#define POLLARD_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum http_fault {
    HTTP_NO_FAULT,
    HTTP_DROP,    // close the connection instead of answering
    HTTP_CUT,     // close it after half of the body
    HTTP_HOLD,    // answer only after http_server_release
    HTTP_CLOSE,   // answer with "Connection: close", and do it
    HTTP_LAST,    // answer, then close as if the connection had been idle
    HTTP_CHUNKED, // without Content-Length
    HTTP_RAW,     // send the body and nothing else
};

struct http_answer {
    int status;          // 0: 200
    const char *headers; // "Name: value\r\n" each; NULL: none
    const char *body;    // NULL: empty
    size_t body_size;    // 0: up to the terminator
    enum http_fault fault;
};

struct http_server;

/* Listens on 127.0.0.1 at a port of its own. With a certificate (PEM file with
 * its key in it) it speaks TLS. NULL: plain. */
struct http_server *http_server_create(const char *certificate);
void http_server_destroy(struct http_server *server);

/* "http://127.0.0.1:PORT". Borrowed. */
const char *http_server_url(const struct http_server *server);

/* The answer is copied. */
void http_server_push(struct http_server *server,
                      const struct http_answer *answer);
void http_server_default(struct http_server *server,
                         const struct http_answer *answer);

/* Let held answers go, and do not hold any more. */
void http_server_release(struct http_server *server);

/* Requests so far, and connections. */
size_t http_server_count(struct http_server *server);
size_t http_server_connections(struct http_server *server);

/* Wait until so many requests came; false after ten seconds. */
bool http_server_await(struct http_server *server, size_t count);

/* Request number `index` as it was on the wire: head and body, terminated.
 * Caller frees. NULL: there is no such request. */
char *http_server_request(struct http_server *server, size_t index);

/* The value of a header of a request, or NULL. Caller frees. */
char *http_request_header(const char *request, const char *name);

/* What follows the head. Borrowed. */
const char *http_request_body(const char *request);

/* A self-signed certificate for 127.0.0.1 with its key, as a PEM file. */
void http_certificate_write(const char *path);

#endif
