/*
 * client: asynchronous AWS calls of one thread over one libcurl multi handle:
 * sign, send, classify, retry, and hand the reply back. A poller's event loop
 * is this client's wait.
 *
 *     aws_client_send(client, &(struct aws_request){...});
 *     aws_client_wait(client, timeout_ms);
 *     while (aws_client_next(client, &reply)) {
 *         source_reply(source, &reply);  // reply.owner says whose it is
 *         aws_reply_finish(&reply);
 *     }
 *
 * Connections are reused. Each call is retried as wire.md section 8 says (token
 * bucket per client, full jitter, x-amz-retry-after), within max_attempts;
 * retries wait in the same loop. Beside the counted attempts a call gets one
 * more when a kept connection turned out dead, when the server's clock explains
 * a refusal, and when it refused credentials and others could be had. While
 * there are no credentials yet, calls wait in here and never block. Errors are
 * classified by AWS's code, never by the status alone (wire.md sections 1.7,
 * 2.9, 8.2).
 *
 * A call may ask for its answer as a stream (request.stream): the pieces are
 * handed on as they arrive, over HTTP/2 where TLS can agree on it, and the
 * reply comes when the stream is over.
 *
 * Threads: everything is the owner thread's, but for aws_client_wake.
 */
#ifndef POLLARD_AWS_CLIENT_H
#define POLLARD_AWS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/session.h"
#include "base/bytes.h"
#include "base/error.h"

struct aws_client;

enum aws_protocol {
    AWS_JSON_10, // application/x-amz-json-1.0
    AWS_JSON_11, // application/x-amz-json-1.1
    AWS_CBOR_11, // application/x-amz-cbor-1.1
    AWS_QUERY,   // application/x-www-form-urlencoded
    AWS_REST,    // a document is put or posted to its URL; the status alone
                 // tells whether it was taken
};

enum aws_piece {
    AWS_PIECE_TAKEN,
    AWS_PIECE_LATER, // nothing was taken: the transfer pauses, and the same
                     // bytes come again after aws_client_resume
};

/* How a streamed answer is taken. Only a successful answer is a stream: what a
 * server refuses comes back as a reply, like every call's. */
struct aws_stream {
    /* Called inside aws_client_wait, _push, _call and _resume. Must not call
     * the client. */
    enum aws_piece (*take)(void *owner, struct bytes piece);
    int64_t silence_ms; // so long without a byte, whole seconds, and not
                        // paused: the call fails. Instead of timeout_ms
};

struct aws_request {
    enum aws_service service;
    enum aws_protocol protocol;
    const char *operation; // static text: "ReceiveMessage"
    struct buffer body;    // moved: the client frees it. Empty: no members. A
                           // Query's Action and Version are put in front of it
    struct buffer memory;  // moved: to answer into; may be empty
    const char *path;      // NULL: "/". Copied. (Query on servers that want
                           // the queue's path)
    struct aws_rest {
        bool is_put;                 // else POST
        bool is_foreign;             // not AWS's: no signature, no credentials
        const char *url;             // copied; https://...
        const char *content_type;    // static text
    } rest;                          // AWS_REST only, instead of path
    const struct aws_stream *stream; // NULL: none. Borrowed. Such a call is
                                     // tried once
    int64_t timeout_ms;              // of one attempt, in all; 0: 30 s
    unsigned max_attempts;           // 0: AWS_MAX_ATTEMPTS, the profile's, or 3
    bool is_long_poll; // an empty bucket sleeps instead of failing at once
    void *owner, *tag; // come back with the reply
    int kind;          // the owner's own enum, comes back too
};

struct aws_reply {
    void *owner, *tag;
    int kind;
    bool ok;
    int status;         // HTTP; 0 when nothing came
    struct buffer body; // owned by the reply; move it out to keep it
    struct error
        error;     // when not ok: "ReceiveMessage http://..: <code>: <text>"
    char code[96]; // AWS's code without prefix, by its name in JSON (errors.h):
                   // "QueueDoesNotExist"; "" if none
    bool not_json; // an error whose body was neither JSON nor CBOR: a hint
                   // that the server speaks another protocol
    bool over_limit; // the answer was larger than the session allows
    char content_type[64];
    int64_t sent_ms, received_ms; // monotonic; of the last attempt
};

struct aws_client_options {
    struct aws_session *session; // borrowed; must outlive the client
    const struct clock *clock;
    const struct log *log; // copied
    uint64_t seed;         // of the jitter
};

struct aws_client *aws_client_create(const struct aws_client_options *options);

/* Calls in flight are cut off. NULL is fine. */
void aws_client_destroy(struct aws_client *client);

/* Queue a call. Never fails; what goes wrong comes back as a reply. */
void aws_client_send(struct aws_client *client, struct aws_request *request);

/* Put what was queued on the wire now, for an owner that has other work to do
 * before it waits. Never blocks. */
void aws_client_push(struct aws_client *client);

/* Sleep until something happened: a reply is ready, aws_client_wake was
 * called, or timeout_ms passed. Drives transfers and retries. */
void aws_client_wait(struct aws_client *client, int64_t timeout_ms);

/* The next finished call. Caller finishes the reply. False: none now. */
bool aws_client_next(struct aws_client *client, struct aws_reply *reply);
void aws_reply_finish(struct aws_reply *reply);

/* End the owner's calls now; their replies come with ERROR_STOPPED. */
void aws_client_cancel(struct aws_client *client, const void *owner);

/* Let the owner's paused streams go on. Hands on what waits before it returns.
 */
void aws_client_resume(struct aws_client *client, const void *owner);

/* Stop retrying for this owner: what fails from now on comes back at once. */
void aws_client_no_more_retries(struct aws_client *client, const void *owner);

/* Calls queued, in flight or waiting for a retry. */
size_t aws_client_pending(const struct aws_client *client, const void *owner);

/* Any thread. Makes the owner's aws_client_wait return. */
void aws_client_wake(struct aws_client *client);

/* Send and wait, for threads that have nothing else to do (the stream keeper,
 * the command line). Replies for other owners stay queued. Ends early with
 * ERROR_STOPPED once *stop is true (checked on every wake). stop may be NULL.
 */
bool aws_client_call(struct aws_client *client, struct aws_request *request,
                     const bool *stop, struct aws_reply *reply);

#endif
