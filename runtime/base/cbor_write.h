/*
 * cbor_write: CBOR straight into a buffer, definite lengths only. The twin of
 * json_write.
 *
 * Threads: pure functions on the caller's buffer.
 */
#ifndef POLLARD_CBOR_WRITE_H
#define POLLARD_CBOR_WRITE_H

#include <stdint.h>

#include "base/bytes.h"

/* The head; `count` pairs or items follow. */
void cbor_put_map(struct buffer *buffer, size_t count);
void cbor_put_array(struct buffer *buffer, size_t count);

void cbor_put_text(struct buffer *buffer, struct bytes text);
void cbor_put_bytes(struct buffer *buffer, struct bytes bytes);
void cbor_put_int(struct buffer *buffer, int64_t number);

/* As AWS wants it: tag 1 with whole milliseconds (wire.md section 2.8). */
void cbor_put_time_ms(struct buffer *buffer, int64_t ms);
void cbor_put_null(struct buffer *buffer);

#endif
