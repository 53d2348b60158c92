/*
 * utf8: is this text, and up to where? Bodies come from strangers, and what we
 * write as JSON must be UTF-8 to its last byte.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_UTF8_H
#define POLLARD_UTF8_H

#include "base/bytes.h"

/* How many bytes from the start are valid UTF-8 (RFC 3629: no overlong forms,
 * no surrogates, nothing past U+10FFFF); text.size when all of it is. */
size_t utf8_valid_size(struct bytes text);

/* How many bytes of text.data, which is invalid at its first byte, make up one
 * U+FFFD: a truncated sequence counts as one, any other byte by itself
 * (Unicode 15, section 3.9, "maximal subpart"). */
size_t utf8_invalid_size(struct bytes text);

#endif
