/*
 * scan: passing over JSON text, checked to the letter of RFC 8259 but for UTF-8
 * in strings (see `high`). The text is a copy that the caller may change, with
 * SCAN_PAD zero bytes behind it: they end every scan, so that no step asks
 * where the text ends.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SCAN_H
#define POLLARD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_PAD 8
/* What is nested deeper is refused, as AWS's own parser does. */
#define SCAN_DEPTH_LIMIT 1000

/* Behind white space. */
static inline char *scan_space(char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

/* All of these take the first byte of what they pass over, return the byte
 * behind it, and NULL when it is malformed. */

struct scan_string {
    bool escaped;  // has a backslash
    uint64_t high; // or'ed: 0x80 in a byte when some byte is not ASCII
};

/* From the byte behind the opening quote to the closing one. */
char *scan_string(char *at, struct scan_string *found);

char *scan_number(char *at);

/* `true`, `false` or `null`, by the first letter. */
char *scan_word(char *at);

/* A value of any kind, `depth` levels down. */
char *scan_value(char *at, unsigned depth, struct scan_string *found);

/* Undo the escapes of a good string in place; the size that is left. Half a
 * surrogate pair becomes U+FFFD. */
size_t scan_decode(char *text, size_t size);

#endif
