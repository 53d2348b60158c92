/*
 * codec: base64 and hex. Our own loops, because records are decoded in place
 * and OpenSSL's coder accepts white space and misplaced padding.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_CODEC_H
#define POLLARD_CODEC_H

#include "base/bytes.h"

/* Characters that `size` bytes take as padded base64, without terminator. */
static inline size_t codec_base64_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

/* Writes codec_base64_size(data.size) characters and a terminator. Returns the
 * characters. */
size_t codec_base64_encode(struct bytes data, char *out);

/* Standard alphabet with padding, no white space. out has room for
 * text.size / 4 * 3 bytes and may be text's own memory. False when malformed.
 */
bool codec_base64_decode(struct bytes text, char *out, size_t *size);

/* Lower case; 2 * data.size characters and a terminator. */
void codec_hex_encode(struct bytes data, char *out);

#endif
