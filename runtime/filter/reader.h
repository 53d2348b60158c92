/*
 * reader: a pattern's JSON on its way in, with the place that a mistake is
 * reported at. Private to this room.
 *
 * Threads: one thread's.
 */
#ifndef POLLARD_READER_H
#define POLLARD_READER_H

#include "base/json_read.h"
#include "filter/pattern.h"

struct reader {
    struct json_read in; // on a copy that it decodes
    const char *source;  // the text as it was, as long
    struct pattern *pattern;
    struct buffer place; // "body.type[0]", for messages
    size_t *offset;      // of a mistake
    struct error *err;
};

/* A mistake at that byte. All of these return false when they fail. */
bool reader_refuse(struct reader *reader, size_t offset, const char *format,
                   ...) __attribute__((format(printf, 3, 4)));

/* The JSON itself is wrong, where the reader stands. */
bool reader_refuse_json(struct reader *reader);

/* The next value is not what it must be; `allowed` says what. */
bool reader_refuse_value(struct reader *reader, const char *allowed);

/* The byte at which the next value begins. */
size_t reader_here(struct reader *reader);

/* What was read since, as it is written. */
struct bytes reader_since(const struct reader *reader, size_t offset);

bool reader_string(struct reader *reader, struct bytes *text,
                   const char *allowed);
bool reader_number(struct reader *reader, struct bytes *text);

/* One step down; what they return takes reader_leave back up. */
size_t reader_enter_key(struct reader *reader, struct bytes key);
size_t reader_enter_item(struct reader *reader, size_t index);
void reader_leave(struct reader *reader, size_t before);

/* A list of what a field is asked for: ["a", {"prefix": "b"}]. */
bool criterion_read_list(struct reader *reader, struct condition *condition);

#endif
