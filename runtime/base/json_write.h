/*
 * json_write: JSON straight into a buffer. For hot paths (requests, Lambda
 * events); what is rare is built with jansson.
 *
 * Threads: pure functions on the caller's buffer.
 */
#ifndef POLLARD_JSON_WRITE_H
#define POLLARD_JSON_WRITE_H

#include <stdint.h>

#include "base/bytes.h"

/* "text" with quotes; escapes what RFC 8259 demands, leaves UTF-8 alone. */
void json_put_string(struct buffer *buffer, struct bytes text);

/* "base64" with quotes and padding. */
void json_put_base64(struct buffer *buffer, struct bytes data);

void json_put_int(struct buffer *buffer, int64_t number);

#endif
