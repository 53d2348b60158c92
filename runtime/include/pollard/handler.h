/*
 * pollard/handler.h: the whole contract between pollard and a handler.
 *
 * A handler is a shared object that exports one function,
 * pollard_handler_entry. pollard loads it once, calls create() for each
 * instance, and hands batches of records to handle(). docs/handlers.md walks
 * through a complete one.
 *
 *     gcc -std=gnu11 -O2 -Wall -fPIC -shared -o hello.so hello.c
 *
 * THREADS. An instance is used by one thread at a time, so its state needs no
 * lock. Different instances run at the same time on different threads: what
 * they share (globals, a file) must be guarded. create, handle and destroy of
 * one instance may run on different threads. The host's functions that take a
 * batch are for the thread that runs handle(), until it returns; log() is for
 * any thread, and names the trigger on those that pollard calls you on.
 *
 * A handler must not exit, fork (posix_spawn is fine), end its thread, change
 * signal handling or block signals. Its process is not its own. A C++ exception
 * must not leave it.
 *
 * OWNERSHIP. Records and batches are pollard's; they are valid until handle()
 * returns. Copy what you keep. Whoever allocated frees. What the host functions
 * are given is copied before they return.
 *
 * OUTCOME. handle() returning 0 means: every record is done but those passed to
 * fail_record. Anything else means: the whole batch failed. A done SQS message
 * is deleted; a failed one comes back after its visibility timeout. A failed
 * stream record is offered again, with all after it, until it is done. Delivery
 * is at least once: be idempotent.
 *
 * WINDOWS. With tumbling_window_in_seconds, the batches of a shard belong to
 * windows of time, and each call gets the state that the one before it left
 * (batch->window) and must leave one: set_state(), or a response payload
 * {"state": {...}}. A call that succeeds without has failed. When a window is
 * over there is one more call, with is_final, and no records: the only one
 * whose count is 0. docs/handlers.md tells the whole of it.
 *
 * TIME. A batch that takes longer than the handler's timeout has failed, even
 * if handle() returns 0 in the end. Nothing interrupts it: ask remaining_ms()
 * before what may take long, and return.
 *
 * COMPATIBILITY. Both tables are led by size and version. The major must match;
 * within a major, tables only grow at the end, and POLLARD_HAS tells whether
 * the other side knows a member. Start your table with
 * `.size = sizeof(struct pollard_handler), .major = POLLARD_HANDLER_MAJOR,
 * .minor = POLLARD_HANDLER_MINOR`. pollard calls nothing else by name and
 * exports no symbols.
 */
#ifndef POLLARD_HANDLER_H
#define POLLARD_HANDLER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POLLARD_HANDLER_MAJOR 1
#define POLLARD_HANDLER_MINOR 1

/* True when the other side compiled `table` long enough to have the member. */
#define POLLARD_HAS(table, type, member) \
    ((table)->size >= offsetof(type, member) + sizeof(((type *)0)->member))

/* Log levels of host->log. */
#define POLLARD_LOG_DEBUG 0
#define POLLARD_LOG_INFO 1
#define POLLARD_LOG_WARN 2
#define POLLARD_LOG_ERROR 3

/* Text and data come with a length; none is terminated, and what is empty may
 * be NULL. */
struct pollard_record {
    size_t size;    /* of this struct */
    const char *id; /* SQS message id, or stream sequence number; of an
                       aggregated Kinesis record's part SEQUENCE:N, N from 0 */
    size_t id_size;
    const void *data; /* SQS body, or the stream record's decoded data */
    size_t data_size;
    const char *key;        /* SQS message group id, or stream partition key */
    size_t key_size;        /* 0: none */
    int64_t arrived_at_ms;  /* in the queue or stream, ms since 1970 UTC */
    uint32_t receive_count; /* SQS: times received so far, this one included */
    /* ---- 1.0 ends here; append below, never above ---- */
};

/* A tumbling window, as one call sees it. Since 1.1. */
struct pollard_window {
    size_t size;              /* of this struct */
    int64_t start_ms, end_ms; /* since 1970 UTC, whole seconds */
    const char *state;        /* a JSON object, not terminated: what the last
                                 call left; {} in a new window */
    size_t state_size;
    uint32_t is_final;            /* 1: the window ends with this call; the
                                     state it leaves is dropped, so it may
                                     leave none */
    uint32_t is_terminated_early; /* 1: because the state passed 1 MiB; the
                                     rest of the window starts again with {} */
    /* ---- 1.1 ends here; append below, never above ---- */
};

struct pollard_batch {
    size_t size;            /* of this struct */
    const char *trigger;    /* the trigger's name, terminated */
    const char *source_arn; /* terminated */
    const char *shard;      /* stream shard id, terminated; NULL for a queue */
    size_t count;           /* at least 1; 0 in a window's final call */
    const struct pollard_record *const *records; /* count pointers */
    const void *opaque;                          /* pollard's own */
    /* ---- 1.0 ends here ---- */
    const struct pollard_window *window; /* NULL: the trigger has none */
    /* ---- 1.1 ends here; append below, never above ---- */
};

struct pollard_host {
    size_t size;
    uint32_t major, minor;

    /* One line in pollard's log, with the trigger's name. Any time, any
     * thread. message is terminated; 4 KiB of it are logged. */
    void (*log)(int level, const char *message);

    /* Milliseconds until this batch counts as timed out; 0 once it does. */
    int64_t (*remaining_ms)(const struct pollard_batch *batch);

    /* This record failed, the others are as handle()'s result says. Twice is
     * once. Returns 0; or -1 when index is not below count, and then the whole
     * batch fails. */
    int (*fail_record)(const struct pollard_batch *batch, size_t index);

    /* Why the batch failed, for the log, in up to 255 bytes; handle() then
     * returns non-zero. The last call wins. */
    void (*fail_reason)(const struct pollard_batch *batch, const char *message);

    /* The response payload, as a Lambda function would return it; with
     * `function_response_types: [ReportBatchItemFailures]` its list of failures
     * counts beside fail_record's. The last call wins. Returns 0; or -1 when
     * over 6 MiB, and then the whole batch fails unless a smaller one follows.
     */
    int (*respond)(const struct pollard_batch *batch, const void *json,
                   size_t size);

    /* Emit a result record to the trigger's on_success destination. The batch
     * is settled only after the destination accepted them all; when handle()
     * fails they are dropped. key: partition key or message group, may be
     * NULL. Returns 0; -1 when the trigger has no such destination, when data
     * and key are over 1 MiB, or when the batch's results are over 64 MiB. */
    int (*emit)(const struct pollard_batch *batch, const void *data,
                size_t size, const char *key, size_t key_size);

    /* An SQS system attribute (`SentTimestamp`), or else a user attribute, by
     * name: points *value at its bytes (a binary one is decoded). Returns 0,
     * or -1 when there is none. */
    int (*attribute)(const struct pollard_batch *batch, size_t index,
                     const char *name, const char **value, size_t *value_size);

    /* The batch as Lambda's event JSON, terminated, made on the first call.
     * Returns 0, or -1 when it is over 6 MiB. */
    int (*event_json)(const struct pollard_batch *batch, const char **json,
                      size_t *size);
    /* ---- 1.0 ends here ---- */

    /* The window's state from here on, a JSON object, for the next call. It
     * counts when the batch succeeds, or when its first record did; it goes
     * before a state in the response payload. Over 1 MiB it ends the window
     * early. The last call wins. Returns 0; or -1 when the batch is of no
     * window, or json is no JSON object, nested over 127 deep or over 6 MiB,
     * and then it is as if none was set. */
    int (*set_state)(const struct pollard_batch *batch, const void *json,
                     size_t size);
    /* ---- 1.1 ends here; append below, never above ---- */
};

/* What pollard_handler_entry returns; it must live as long as the process. */
struct pollard_handler {
    size_t size;
    uint32_t major, minor;
    const char *name; /* for messages */

    /* Build an instance from its `settings:`, given as JSON ("{}" when there
     * are none). host lives as long as the process. On failure return NULL and
     * write a terminated sentence to reason. The first instance is created when
     * pollard starts, and a failure stops the start; later ones are created
     * when batches are there for them, and tried again. */
    void *(*create)(const struct pollard_host *host, const char *settings_json,
                    char *reason, size_t reason_size);

    /* 0 when every record not passed to fail_record is done; anything else
     * fails the whole batch. */
    int (*handle)(void *instance, const struct pollard_batch *batch);

    /* pollard stops, or the trigger was changed. */
    void (*destroy)(void *instance);
    /* ---- 1.0 ends here; append below, never above ---- */
};

/* Called once, when the library is loaded. Returning NULL means "this host is
 * too old for me". */
__attribute__((visibility("default"))) const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host);

#ifdef __cplusplus
}
#endif

#endif
