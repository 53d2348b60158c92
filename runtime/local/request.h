/*
 * request: one request and its answer: from headers and body to an operation
 * of a service, through the faults that were asked for, to a status and a body.
 *
 * The transport fills `head` and `body`, calls request_run, and does what
 * the step says. A parked request is run again after `resume` was called.
 *
 * Threads: the server thread only.
 */
#ifndef POLLARD_LOCAL_REQUEST_H
#define POLLARD_LOCAL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "local/api_error.h"
#include "local/arena.h"
#include "local/fault.h"
#include "local/list.h"
#include "local/queue.h"
#include "local/text.h"
#include "local/timers.h"
#include "local/writer.h"

struct request;
struct input_fields;
struct server;

/* The largest PutRecords is 10 MiB, and a third more as base64; a message of
 * 1 MiB is up to thrice that in a form. */
#define REQUEST_BODY_LIMIT (16u << 20)
#define REQUEST_REPLY_LIMIT (64u << 20)

enum step {
    STEP_REPLY,  // send status, headers and reply
    STEP_PARK,   // wait until resume is called, then run again
    STEP_CLOSE,  // close the connection without an answer
    STEP_STREAM, // send status and headers, then what request->stream gives
};

/* An answer without an end in sight; for JSON. */
struct request_stream {
    /* Its next bytes, and how many; 0: none now, it is asked again after
     * `resume`; -1: it is over. */
    ssize_t (*read)(struct request *request, char *to, size_t most);
    void (*close)(struct request *request); // NULL: there is no stream
    void *state;
};

enum protocol { PROTOCOL_JSON, PROTOCOL_CBOR, PROTOCOL_QUERY, PROTOCOL_ADMIN };

struct operation {
    const char *name;
    enum step (*run)(struct request *request);
};

struct service {
    const char *target;        // what X-Amz-Target begins with, dot included
    const char *json_type;     // Content-Type of its answers
    const char *error_prefix;  // of __type
    const char *xml_namespace; // NULL: it does not speak Query
    bool empty_bodies;         // an empty result is no body at all
    bool query_header;         // errors carry x-amzn-query-error
    const struct operation *operations;
    size_t count;
    const struct input_fields *input;
    /* What the request is about, for faults: a queue's or stream's name. */
    struct bytes (*resource)(const struct request *request);
};

/* Slices are the transport's and live as long as the request. */
struct request_head {
    struct bytes method, path, query;
    struct bytes target, content_type, authorization, host;
};

enum request_phase {
    REQUEST_NEW,
    REQUEST_DELAYED,   // a fault holds it back before it executes
    REQUEST_EXECUTING, // the operation may have parked it
    REQUEST_DONE,
};

/* An answer's body; it outlives the request while it is being sent. */
struct reply {
    struct list link;      // in server.replies while nobody uses it
    struct server *server; // borrowed
    struct buffer buffer;
};

struct request {
    // The transport's.
    void *transport, *connection;
    void (*resume)(struct request *request);
    struct request_head head;
    struct buffer body;
    bool parked;
    bool spared; // of faults: it is the process' own

    struct server *server; // borrowed
    struct list link;      // in server.requests
    struct arena arena;
    enum request_phase phase;
    enum protocol protocol;
    const struct service *service;
    const struct operation *operation;
    void *input;           // in the arena
    struct bytes resource; // what it is about, for faults
    bool drop_after;       // a fault closes the connection once it executed

    // While it waits.
    struct timer timer;
    struct waiter waiter;
    int64_t deadline_ms; // 0: none yet

    // What was received, to be taken back if nobody gets the answer.
    struct receipt received[QUEUE_RECEIVE_LIMIT];
    size_t received_count;

    // The answer.
    int status;
    const char *error_type, *error_text; // in the arena; NULL: it succeeds
    const char *content_type;
    const char *query_error; // in the arena; NULL: none
    struct reply *reply;     // owned until the transport takes it
    struct writer writer;
    struct request_stream stream;
    char request_id[TEXT_UUID_SIZE + 1];
};

struct request *request_create(struct server *server);

/* Also takes it out of every wait. */
void request_destroy(struct request *request);

enum step request_run(struct request *request);

/* More of a stream, as request->stream.read says. */
ssize_t request_read(struct request *request, char *to, size_t most);

/* Nobody gets the answer: what it took goes back. */
void request_undo(struct request *request);

/* For the server's timers. */
void request_due(struct timer *timer);

/* Give a reply back when it was sent. NULL is fine. */
void reply_release(struct reply *reply);

/*
 * For operations: write the members of the result with request->writer and
 * return STEP_REPLY; or fail; or wait (and be run again) and return STEP_PARK.
 */
enum step request_fail(struct request *request, enum api_error error,
                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with what a fault names. */
enum step request_fail_with(struct request *request,
                            const struct api_error_info *info,
                            const char *message);

/* Run again at deadline_ms at the latest. */
void request_wait_until(struct request *request, int64_t deadline_ms);

/* The fault of this kind that strikes now, for this request, or NULL. */
const struct fault *request_fault(struct request *request,
                                  enum fault_action action);

/* What a fault's code stands for; unknown ones are made in the arena. */
const struct api_error_info *request_fault_error(struct request *request,
                                                 const struct fault *fault);

/* In request_reply.c: what stands around the members that the operation
 * writes. */
void request_begin_result(struct request *request);
void request_end_result(struct request *request);

/* In route.c: find service, operation and protocol. False: it failed. */
bool request_route(struct request *request);

#endif
