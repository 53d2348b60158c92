/*
 * writer: an answer in any of the three formats that clients speak, from one
 * set of calls: JSON, CBOR as AWS sends it (indefinite maps and arrays, times
 * as tag 1 with milliseconds), and the Query protocol's XML (flattened lists).
 *
 * `element` is what XML calls one item of a list; the others do not need it.
 *
 * Threads: a plain value on the caller's buffer.
 */
#ifndef POLLARD_LOCAL_WRITER_H
#define POLLARD_LOCAL_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum writer_format { WRITER_JSON, WRITER_CBOR, WRITER_XML };

struct writer {
    enum writer_format format;
    struct buffer *out; // borrowed
    bool comma;         // JSON: one is due before what comes next
};

/* An object: the document (name NULL, nothing in XML), or a member. */
void writer_open(struct writer *writer, const char *name);
void writer_close(struct writer *writer, const char *name);

/* A member that is a list, and the objects in it. */
void writer_list(struct writer *writer, const char *name);
void writer_list_end(struct writer *writer);
void writer_item(struct writer *writer, const char *element);
void writer_item_end(struct writer *writer, const char *element);
void writer_item_text(struct writer *writer, const char *element,
                      struct bytes text);

/* Members. */
void writer_text(struct writer *writer, const char *name, struct bytes text);
void writer_int(struct writer *writer, const char *name, int64_t number);
void writer_bool(struct writer *writer, const char *name, bool value);
void writer_blob(struct writer *writer, const char *name, struct bytes data);
void writer_time_ms(struct writer *writer, const char *name, int64_t ms);

/* A member that is a map, and its pairs. XML: an element with Name (for tags:
 * Key) and Value for each. */
void writer_map(struct writer *writer, const char *name);
void writer_map_end(struct writer *writer);
void writer_pair(struct writer *writer, const char *element, struct bytes name,
                 struct bytes value);
void writer_named(struct writer *writer, const char *element,
                  struct bytes name); // its value is an object
void writer_named_end(struct writer *writer, const char *element);

/* JSON that is rendered already, as one or more members of an object. */
void writer_json(struct writer *writer, struct bytes members);

#endif
