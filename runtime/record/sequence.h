/*
 * sequence: how far a shard is handled, as text: the sequence number of a
 * record, "DIGITS"; or, inside an aggregated Kinesis record (wire.md section
 * 3), "DIGITS:N": the first N of its sub-records are handled, N from 1.
 *
 * Sequence numbers are decimal integers of any length. "DIGITS" alone is the
 * whole record, so it is later than any "DIGITS:N".
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SEQUENCE_H
#define POLLARD_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct sequence {
    struct bytes digits;
    uint32_t subs; // of its sub-records are handled; 0: all of it
};

/* False when it is neither of the two forms. `sequence` borrows the text. */
bool sequence_parse(struct bytes text, struct sequence *sequence);

/* -1, 0, 1: a is before, the same as, or after b. What does not parse is
 * before everything. */
int sequence_compare(const char *a, const char *b);

#endif
