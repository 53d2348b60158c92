/*
 * aggregate: aggregated Kinesis records (wire.md section 3), written field by
 * field, so that a test can also write what no producer would.
 *
 *     aggregate_begin(&data);
 *     aggregate_key(&data, "pk0");
 *     aggregate_part(&data, 0, BYTES("A"));
 *     aggregate_end(&data);
 */
#ifndef POLLARD_TEST_AGGREGATE_H
#define POLLARD_TEST_AGGREGATE_H

#include <stdint.h>

#include "base/bytes.h"

/* The magic. Finish the buffer. */
void aggregate_begin(struct buffer *data);

/* The digest of what was put since. */
void aggregate_end(struct buffer *data);

void aggregate_key(struct buffer *data, const char *key);
void aggregate_part(struct buffer *data, uint64_t key_index,
                    struct bytes content);

/* Anything: a varint; a field of so many bytes. */
void aggregate_varint(struct buffer *data, uint64_t number);
void aggregate_bytes(struct buffer *data, unsigned field, struct bytes bytes);

/* A whole one: `count` parts "part-0" and on, with the keys "key-0" to
 * "key-2" in turn. */
void aggregate_make(struct buffer *data, unsigned count);

#endif
