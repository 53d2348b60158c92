/*
 * json_read: a pull reader that decodes JSON in place, so that a record is a
 * slice of the response it came in. For hot paths (ReceiveMessage, GetRecords
 * and batch answers); what is rare is read with jansson.
 *
 *     json_read_init(&in, body, size);
 *     if (json_read_object(&in))
 *         while (json_read_member(&in, &name))
 *             if (bytes_equal(name, BYTES("Messages")))
 *                 ...
 *             else
 *                 json_read_skip(&in);
 *     ok = json_read_end(&in);
 *
 * Errors stick: after the first one every call returns false (or an empty
 * value) and json_read_end says where. Nesting is bounded (128: DynamoDB's
 * items have 32 levels, each of which is two of JSON, and stand five deep). RFC
 * 8259 to the letter, but that bytes over 0x7f are passed on unchecked: who
 * needs UTF-8 proved must prove it. Half a surrogate pair (\ud800) reads as
 * U+FFFD.
 *
 * Threads: none; it overwrites the caller's buffer (escapes are undone there).
 */
#ifndef POLLARD_JSON_READ_H
#define POLLARD_JSON_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum json_read_type {
    JSON_READ_NOTHING, // error, or the end
    JSON_READ_OBJECT,
    JSON_READ_ARRAY,
    JSON_READ_STRING,
    JSON_READ_NUMBER,
    JSON_READ_TRUE,
    JSON_READ_FALSE,
    JSON_READ_NULL,
};

struct json_read {
    char *start, *at, *end;
    const char *error; // what is wrong at json_read_offset; static, or NULL
    unsigned depth;
    bool keeps; // escapes are not undone; of json_read_raw
    bool first; // no comma is due before the next member or element
};

/* The data need not be terminated. It is overwritten by reading. */
void json_read_init(struct json_read *in, char *data, size_t size);

/* What comes next, without taking it. */
enum json_read_type json_read_peek(struct json_read *in);

/* Enter an object or an array. `null` is taken and gives false without error:
 * servers write it for "nothing". Anything else is an error. */
bool json_read_object(struct json_read *in);
bool json_read_array(struct json_read *in);

/* The next member's name; false at the closing brace, which is taken. Its value
 * must be read or skipped before the next call. */
bool json_read_member(struct json_read *in, struct bytes *name);

/* True when another element follows; false at the closing bracket. */
bool json_read_element(struct json_read *in);

/* A string, decoded in place. `null` gives an empty slice with data NULL. */
bool json_read_string(struct json_read *in, struct bytes *text);

/* A number as its own text ("1545084650.987"), or null as an empty slice. */
bool json_read_number(struct json_read *in, struct bytes *text);

/* An integer, exact; a fraction is cut off ("1.5E3" is 1500). null gives 0. */
bool json_read_int(struct json_read *in, int64_t *number);

/* Seconds with a fraction as milliseconds, rounded; null gives 0. */
bool json_read_seconds_as_ms(struct json_read *in, int64_t *ms);

/* null gives false. The result says whether there was a value to read. */
bool json_read_bool(struct json_read *in, bool *value);

/* Pass over one value of any kind. */
bool json_read_skip(struct json_read *in);

/* One value of any kind as its own text, which stays as it is: to be read later
 * by a reader of its own. */
bool json_read_raw(struct json_read *in, struct bytes *text);

/* True when one whole document was read without error and nothing follows. */
bool json_read_end(struct json_read *in);

/* Byte offset of the error, for messages. */
size_t json_read_offset(const struct json_read *in);

#endif
