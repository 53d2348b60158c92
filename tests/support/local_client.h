/*
 * local_client: an embedded server and one client of it, over libcurl. Answers
 * are the client's and good until its next call.
 *
 * Threads: one for each client; several clients may share a server.
 */
#ifndef POLLARD_LOCAL_CLIENT_H
#define POLLARD_LOCAL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>
#include <jansson.h>

#include "base/bytes.h"

struct local;

struct local_client {
    struct local *server; // owned by the client that started it
    bool owner;
    uint16_t port;
    CURL *curl;
    struct buffer answer, head;
    json_t *json;      // of the answer; NULL: it is not JSON
    char code[64];     // of an error, without prefix; "" when there is none
    long status;       // 0: no answer came
    bool unsigned_too; // leave Authorization out
    bool fresh;        // a connection for each call
};

/* Fails the test when the server does not start. */
struct local_client *local_client_start(const char *faults);

/* One more client of the same server. */
struct local_client *local_client_join(const struct local_client *other);
void local_client_stop(struct local_client *client);

/* A JSON operation; the body is a format. */
json_t *local_client_sqs(struct local_client *client, const char *operation,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));
json_t *local_client_kinesis(struct local_client *client, const char *operation,
                             const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same in CBOR; the answer is the bytes. */
struct bytes local_client_cbor(struct local_client *client,
                               const char *operation, struct bytes body);

/* A form; the answer's XML. */
const char *local_client_query(struct local_client *client, const char *form);

/* /_pollard/PATH; body NULL: a GET. */
json_t *local_client_admin(struct local_client *client, const char *method,
                           const char *path, const char *body);

/* Move the server's clock. */
void local_client_advance(struct local_client *client, int64_t ms);

/* A count of /_pollard/stats. */
int64_t local_client_count(struct local_client *client, const char *queue,
                           const char *name);

/* Wait until the count is reached; fails the test after ten seconds. */
void local_client_await(struct local_client *client, const char *queue,
                        const char *name, int64_t count);

/* The texts of one member of a list's objects, separated by spaces. */
const char *local_client_each(struct local_client *client, const char *list,
                              const char *member);

#endif
