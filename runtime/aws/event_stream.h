/*
 * event_stream: the frames of application/vnd.amazon.eventstream (wire.md
 * section 2.6), taken apart as their bytes arrive, however they are cut:
 *
 *     while ((step = event_stream_read(&stream, &bytes, &message, &err)) ==
 *            EVENT_STREAM_MESSAGE) {
 *         ... message ...
 *         event_message_finish(&message);
 *     }
 *
 * Both checksums and all lengths are checked before a message is handed out. A
 * payload arrives in a buffer of its own, which the reader may take over.
 *
 * Threads: pure functions on the caller's state.
 */
#ifndef POLLARD_EVENT_STREAM_H
#define POLLARD_EVENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct error;

#define EVENT_STREAM_HEADERS_LIMIT (128u * 1024)
#define EVENT_STREAM_PAYLOAD_LIMIT (24u * 1024 * 1024)

struct event_stream {
    size_t payload_limit;
    unsigned char prelude[12];
    size_t have;   // bytes of the message so far
    uint32_t size; // of the message; once its prelude is whole
    uint32_t crc;  // of all that came
    unsigned char trailer[4];
    struct buffer headers; // owned; memory kept from message to message
    size_t headers_size;
    struct buffer payload; // owned
    bool is_broken;        // for good: nothing tells where a message begins
};

enum event_header_type {
    EVENT_HEADER_TRUE,
    EVENT_HEADER_FALSE,
    EVENT_HEADER_INT8,
    EVENT_HEADER_INT16,
    EVENT_HEADER_INT32,
    EVENT_HEADER_INT64,
    EVENT_HEADER_BYTES,
    EVENT_HEADER_STRING,
    EVENT_HEADER_TIMESTAMP, // ms since 1970
    EVENT_HEADER_UUID,
};

struct event_header {
    struct bytes name;
    enum event_header_type type;
    struct bytes value; // BYTES, STRING and UUID
    int64_t number;     // integers and TIMESTAMP
};

struct event_message {
    struct bytes headers;  // until the next read
    struct buffer payload; // owned by whoever reads
};

enum event_stream_step {
    EVENT_STREAM_MORE,    // all bytes are taken, no message is whole yet
    EVENT_STREAM_MESSAGE, // one is; bytes are left, perhaps
    EVENT_STREAM_BROKEN,  // err says how; every later read says it again
};

/* payload_limit: at most EVENT_STREAM_PAYLOAD_LIMIT. */
void event_stream_init(struct event_stream *stream, size_t payload_limit);
void event_stream_finish(struct event_stream *stream);

/* Take bytes from the front. `message` is set with EVENT_STREAM_MESSAGE only.
 */
enum event_stream_step event_stream_read(struct event_stream *stream,
                                         struct bytes *bytes,
                                         struct event_message *message,
                                         struct error *err);

/* No message has begun: the stream may end here. */
bool event_stream_is_between(const struct event_stream *stream);

void event_message_finish(struct event_message *message);

/* The next header; false at the end. Headers of a message that was handed out
 * are well-formed. */
bool event_header_next(struct bytes *headers, struct event_header *header);

/* The value of a string header, or an empty slice. */
struct bytes event_message_text(const struct event_message *message,
                                const char *name);

#endif
