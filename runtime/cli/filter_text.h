/*
 * filter_text: a pattern or events that somebody gave `pollard filter test`,
 * and where in them a mistake stands.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_FILTER_TEXT_H
#define POLLARD_FILTER_TEXT_H

#include <stdbool.h>

#include "base/bytes.h"

struct error;

struct filter_text {
    const char *name;      // borrowed; for messages
    struct buffer content; // owned
};

/* JSON itself when it begins with '{', else the file of that name, or "-" for
 * standard input. ERROR_NOT_FOUND: it cannot be read; ERROR_INVALID: there are
 * more than `limit` bytes. The caller finishes it in any case. */
bool filter_text_read(struct filter_text *text, const char *given,
                      const char *kind, size_t limit, struct error *err);
/* Drop a byte order mark, which editors write and JSON does not know. */
void filter_text_skip_mark(struct filter_text *text);

void filter_text_finish(struct filter_text *text);

/* "pollard filter: NAME:LINE:COLUMN: <message>" on stderr, the line, and a
 * caret below that byte of it. */
void filter_text_complain(const struct filter_text *text, size_t offset,
                          const char *message);

#endif
