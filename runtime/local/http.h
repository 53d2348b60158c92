/*
 * http: requests over HTTP/1.1, by libmicrohttpd, on a loopback address. A
 * parked request is a suspended connection: thousands of long polls cost a
 * socket and a few kilobytes each, and no thread.
 *
 * libmicrohttpd runs in the server thread (its epoll descriptor is waited for
 * in http_wait), so that an operation, a timer and a connection that goes away
 * never meet.
 *
 * Threads: start and stop where the server thread does not run; the rest on it.
 */
#ifndef POLLARD_LOCAL_HTTP_H
#define POLLARD_LOCAL_HTTP_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct http;
struct server;

/* The server is borrowed and must outlive it. */
struct http *http_start(const char *address, uint16_t port,
                        struct server *server, struct error *err);

/* Closes every connection. NULL is fine. */
void http_stop(struct http *http);

uint16_t http_port(const struct http *http);

/* Wait for traffic, or for wake_fd to be readable, timeout_ms at the most. True
 * when wake_fd is. */
bool http_wait(struct http *http, int wake_fd, int64_t timeout_ms);

/* Do what is to be done without waiting. */
void http_run(struct http *http);

#endif
