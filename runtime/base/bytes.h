/*
 * bytes: a borrowed slice (struct bytes) and an owned, bounded, growing buffer
 * (struct buffer).
 *
 * Writers append without checking each call: once an append would pass the
 * limit the buffer is marked `overflow`, keeps what it had, and ignores what
 * follows. Whoever hands the result on asks buffer_ok() once.
 */
#ifndef POLLARD_BYTES_H
#define POLLARD_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
    const char *data; // borrowed; not terminated
    size_t size;
};

#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})

static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (!a.size || !memcmp(a.data, b.data, a.size));
}

/* Nothing but 0 to 9; true of nothing at all. */
bool bytes_are_digits(struct bytes bytes);

/* For "%.*s": printf takes an int. */
#define BYTES_ARGS(bytes) (int)(bytes).size, (bytes).data

struct buffer {
    char *data; // owned; NULL while empty
    size_t size;
    size_t capacity;
    size_t limit;
    bool overflow;
};

/* An empty buffer that never grows past limit bytes. Allocates nothing. */
void buffer_init(struct buffer *buffer, size_t limit);

/* Free what it holds; it may be used again with the same limit. */
void buffer_finish(struct buffer *buffer);

/* The same for secrets: overwrite, then free. */
void buffer_wipe(struct buffer *buffer);

/* Forget the content, keep the memory. */
void buffer_clear(struct buffer *buffer);

/* Room for `more` bytes at data + size, or NULL (and overflow). The caller
 * writes there and adds to size. */
char *buffer_reserve(struct buffer *buffer, size_t more);

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_bytes(struct buffer *buffer, struct bytes bytes);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* False once anything did not fit. */
static inline bool buffer_ok(const struct buffer *buffer)
{
    return !buffer->overflow;
}

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return (struct bytes){buffer->data, buffer->size};
}

/* The content as a terminated string, which stays in the buffer. */
const char *buffer_text(struct buffer *buffer);

/* Move the content out, terminated; the buffer is empty afterwards. Caller
 * frees. */
char *buffer_detach(struct buffer *buffer);

#endif
