#include "base/bytes.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

// Eight at once: a digit's high half is 3, and stays 3 when 6 is added.
#define HIGH_HALVES 0xf0f0f0f0f0f0f0f0u
#define THREES 0x3030303030303030u
#define SIXES 0x0606060606060606u

#define FIRST_CAPACITY 256u

static bool are_digits(uint64_t eight)
{
    return (eight & HIGH_HALVES) == THREES &&
           ((eight + SIXES) & HIGH_HALVES) == THREES;
}

bool bytes_are_digits(struct bytes bytes)
{
    uint64_t eight;
    size_t i = 0;

    for (; i + sizeof(eight) <= bytes.size; i += sizeof(eight)) {
        memcpy(&eight, bytes.data + i, sizeof(eight));
        if (!are_digits(eight))
            return false;
    }
    for (; i < bytes.size; i++)
        if (bytes.data[i] < '0' || bytes.data[i] > '9')
            return false;
    return true;
}

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

void buffer_finish(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->limit);
}

void buffer_wipe(struct buffer *buffer)
{
    if (buffer->data)
        explicit_bzero(buffer->data, buffer->capacity);
    buffer_finish(buffer);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->overflow = false;
}

// One byte more than asked is always there, for a terminator.
char *buffer_reserve(struct buffer *buffer, size_t more)
{
    size_t wanted, capacity;

    if (buffer->overflow || more > buffer->limit - buffer->size) {
        buffer->overflow = true;
        return NULL;
    }
    wanted = buffer->size + more + 1;
    if (wanted > buffer->capacity) {
        // The first time it is often known how much comes.
        capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
        if (!buffer->capacity && capacity < wanted)
            capacity = wanted;
        while (capacity < wanted)
            capacity += capacity / 2;
        buffer->data = mem_realloc(buffer->data, capacity, 1);
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->size;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    char *room = buffer_reserve(buffer, size);

    if (!room || !size)
        return;
    memcpy(room, data, size);
    buffer->size += size;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_bytes(struct buffer *buffer, struct bytes bytes)
{
    buffer_append(buffer, bytes.data, bytes.size);
}

void buffer_append_char(struct buffer *buffer, char c)
{
    buffer_append(buffer, &c, 1);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args, again;
    int size;
    char *room;

    va_start(args, format);
    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    room = size < 0 ? NULL : buffer_reserve(buffer, (size_t)size);
    if (room) {
        (void)vsnprintf(room, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}

const char *buffer_text(struct buffer *buffer)
{
    if (!buffer->data)
        return "";
    buffer->data[buffer->size] = '\0';
    return buffer->data;
}

char *buffer_detach(struct buffer *buffer)
{
    char *text = buffer->data ? buffer->data : mem_calloc(1, 1);

    text[buffer->size] = '\0';
    buffer_init(buffer, buffer->limit);
    return text;
}
