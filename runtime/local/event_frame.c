#include "local/event_frame.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"

#define PRELUDE 12 // two lengths and their checksum
#define TRAILER 4

static void write_number(char *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(number >> (24 - 8 * i));
}

static uint32_t checksum(const char *data, size_t size)
{
    return (uint32_t)crc32_z(0, (const Bytef *)data, size);
}

static void put_header(struct buffer *out,
                       const struct event_frame_header *header)
{
    size_t size = strlen(header->value);

    buffer_append_char(out, (char)strlen(header->name));
    buffer_append_text(out, header->name);
    buffer_append_char(out, 7); // a string
    buffer_append_char(out, (char)(size >> 8));
    buffer_append_char(out, (char)size);
    buffer_append_text(out, header->value);
}

// The prelude is filled in at the end.
void event_frame_begin(struct buffer *out, struct event_frame *frame,
                       const struct event_frame_header *headers)
{
    static const char blank[PRELUDE];

    frame->start = out->size;
    buffer_append(out, blank, PRELUDE);
    for (; headers->name; headers++)
        put_header(out, headers);
    frame->headers = out->size - frame->start - PRELUDE;
}

void event_frame_end(struct buffer *out, const struct event_frame *frame)
{
    char trailer[TRAILER], *prelude;
    size_t size = out->size - frame->start + TRAILER;

    if (!buffer_ok(out))
        return;
    prelude = out->data + frame->start;
    write_number(prelude, (uint32_t)size);
    write_number(prelude + 4, (uint32_t)frame->headers);
    write_number(prelude + 8, checksum(prelude, 8));
    write_number(trailer, checksum(prelude, size - TRAILER));
    buffer_append(out, trailer, TRAILER);
}
