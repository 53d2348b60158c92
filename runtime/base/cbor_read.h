/*
 * cbor_read: a pull reader that decodes CBOR in place, the twin of json_read,
 * on libcbor's streaming decoder (which allocates nothing). Definite and
 * indefinite lengths are read alike; a string that comes in chunks is joined
 * where it stands.
 *
 *     cbor_read_init(&in, body, size);
 *     if (cbor_read_map(&in))
 *         while (cbor_read_member(&in, &name))
 *             if (bytes_equal(name, BYTES("Records")))
 *                 ...
 *             else
 *                 cbor_read_skip(&in);
 *     ok = cbor_read_end(&in);
 *
 * Errors stick: after the first one every call returns false (or an empty
 * value) and cbor_read_end says where. Nesting is bounded (64), tags are passed
 * over, counts are never believed before the items are there.
 *
 * Threads: none; it may overwrite the caller's buffer.
 */
#ifndef POLLARD_CBOR_READ_H
#define POLLARD_CBOR_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define CBOR_READ_DEPTH 64

enum cbor_read_type {
    CBOR_READ_NOTHING, // error, or the end
    CBOR_READ_UNSIGNED,
    CBOR_READ_NEGATIVE,
    CBOR_READ_FLOAT,
    CBOR_READ_BYTES,
    CBOR_READ_TEXT,
    CBOR_READ_ARRAY,
    CBOR_READ_MAP,
    CBOR_READ_BOOL,
    CBOR_READ_NULL, // undefined, too
    CBOR_READ_BREAK,
    CBOR_READ_TAG,
};

struct cbor_item {
    enum cbor_read_type type;
    bool indefinite; // of strings, arrays and maps
    uint64_t number; // value, -1 - value, count, tag, or a bool
    double real;
    const unsigned char *data; // of definite strings; `number` bytes
};

struct cbor_read {
    char *start, *at, *end;
    const char *error; // a sentence, or NULL
    bool peeked;       // `item` was decoded but not taken
    struct cbor_item item;
    unsigned depth;
    struct cbor_level {
        bool indefinite;
        uint64_t left; // items or pairs to come, when definite
    } levels[CBOR_READ_DEPTH];
};

void cbor_read_init(struct cbor_read *in, char *data, size_t size);

/* What comes next, without taking it. */
enum cbor_read_type cbor_read_peek(struct cbor_read *in);

/* Enter a map or an array. null and undefined are taken and give false without
 * error. Anything else is an error. */
bool cbor_read_map(struct cbor_read *in);
bool cbor_read_array(struct cbor_read *in);

/* The next member's name, which must be text; false at the end of the map. Its
 * value must be read or skipped before the next call. */
bool cbor_read_member(struct cbor_read *in, struct bytes *name);

/* True when another element follows; false at the end of the array. */
bool cbor_read_element(struct cbor_read *in);

/* A text or byte string, in place. null gives an empty slice with data NULL. */
bool cbor_read_text(struct cbor_read *in, struct bytes *text);
bool cbor_read_bytes(struct cbor_read *in, struct bytes *bytes);

/* An integer; a fraction is cut off. null gives 0. */
bool cbor_read_int(struct cbor_read *in, int64_t *number);

/* A point in time, in milliseconds since 1970, as AWS and its imitators write
 * it (wire.md section 2.8): whole milliseconds, with tag 1 or without, and
 * seconds, whole or with a fraction, told apart by size. null gives 0. */
bool cbor_read_time_ms(struct cbor_read *in, int64_t *ms);

bool cbor_read_bool(struct cbor_read *in, bool *value);

/* Pass over one value of any kind. */
bool cbor_read_skip(struct cbor_read *in);

/* True when one whole document was read without error and nothing follows. */
bool cbor_read_end(struct cbor_read *in);

/* Byte offset of the error, for messages. */
size_t cbor_read_offset(const struct cbor_read *in);

#endif
