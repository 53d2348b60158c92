/*
 * server: what every operation of the embedded server shares: queues, streams,
 * virtual time, chance, faults. It knows nothing of HTTP (http.h).
 *
 * Threads: one server thread does everything, so nothing here is locked.
 */
#ifndef POLLARD_LOCAL_SERVER_H
#define POLLARD_LOCAL_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/random.h"
#include "local/fault.h"
#include "local/list.h"
#include "local/map.h"
#include "local/timers.h"

struct clock;
struct digest;
struct queue;
struct stream;

struct server {
    // Never changed after server_create.
    char *region, *account;    // owned
    uint64_t secret;           // key of receipts and other tokens
    const struct clock *clock; // borrowed
    struct log log;

    // Time is Unix time in milliseconds that never jumps but when it is told
    // to (server_advance); it was looked up when this request began.
    int64_t now_ms;
    int64_t offset_ms; // from the monotonic clock

    struct random random; // of ids; faults have their own
    struct digest *digest;
    struct timers timers;
    struct map queues, streams; // by name
    struct map streams_by_id;
    uint32_t last_id;     // of a queue or stream
    uint64_t last_serial; // of a message
    struct faults faults;
    struct list requests;      // every one that is alive
    struct list subscriptions; // of enhanced fan-out, likewise
    struct list replies;       // buffers to use again
    size_t reply_count;        // how many those are
};

struct server_options {
    const char *region, *account;
    uint64_t seed;
    const struct clock *clock; // borrowed
    const struct log *log;     // copied; NULL: silent
};

struct server *server_create(const struct server_options *options);

/* There must be no request left. */
void server_destroy(struct server *server);

/* Look at the clock. */
void server_update_now(struct server *server);

/* Move the server's time ahead. */
void server_advance(struct server *server, int64_t ms);

/* Do what is due by now. */
void server_run_timers(struct server *server);

/* How long until the next timer, limit_ms at the most. */
int64_t server_idle_ms(struct server *server, int64_t limit_ms);

/* A random UUID and a terminator. */
void server_uuid(struct server *server, char uuid[37]);

/* NULL when there is none. */
struct queue *server_queue(const struct server *server, struct bytes name);
struct stream *server_stream(const struct server *server, struct bytes name);
struct stream *server_stream_by_id(const struct server *server, uint32_t id);

/* They join, or leave and end. */
void server_add_queue(struct server *server, struct queue *queue);
void server_remove_queue(struct server *server, struct queue *queue);
void server_add_stream(struct server *server, struct stream *stream);
void server_remove_stream(struct server *server, struct stream *stream);

#endif
