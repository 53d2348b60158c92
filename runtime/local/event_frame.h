/*
 * event_frame: messages of application/vnd.amazon.eventstream, written:
 *
 *     event_frame_begin(out, &frame, headers);
 *     ... append the payload to out ...
 *     event_frame_end(out, &frame);
 *
 * Threads: plain values on the caller's buffer.
 */
#ifndef POLLARD_LOCAL_EVENT_FRAME_H
#define POLLARD_LOCAL_EVENT_FRAME_H

#include <stddef.h>

struct buffer;

struct event_frame_header {
    const char *name, *value; // at most 255 and 65535 bytes; name NULL: the end
};

struct event_frame {
    size_t start; // in the buffer
    size_t headers;
};

void event_frame_begin(struct buffer *out, struct event_frame *frame,
                       const struct event_frame_header *headers);
void event_frame_end(struct buffer *out, const struct event_frame *frame);

#endif
