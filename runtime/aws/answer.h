/*
 * answer: what arrives for a request: the body, bounded, and the few headers
 * that matter. Filled by libcurl's callbacks, used for one answer after
 * another.
 *
 * Threads: its lane's.
 */
#ifndef POLLARD_ANSWER_H
#define POLLARD_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct answer {
    struct buffer body;     // owned
    bool has_begun;         // a first byte came
    bool over_limit;        // the transfer was ended for it
    bool has_age;           // out of a cache
    int64_t date_ms;        // -1: none
    int64_t retry_after_ms; // -1: none
    int64_t crc32;          // of the body, by x-amz-crc32; -1: none
    char error_type[128], query_error[128], request_id[64]; // "" if none

    // The last Date that was read: most answers of a second share it.
    char last_date[40];
    int64_t last_date_ms;
};

/* Make ready for the next answer, whose body has this limit and begins with
 * this memory, which may be none. */
void answer_reset(struct answer *answer, struct buffer *memory,
                  size_t body_limit);
void answer_finish(struct answer *answer);

/* CURLOPT_HEADERFUNCTION and CURLOPT_WRITEFUNCTION; context is the answer. A
 * body over the limit ends the transfer, from its Content-Length on. */
size_t answer_on_header(char *data, size_t unit, size_t count, void *context);
size_t answer_on_body(char *data, size_t unit, size_t count, void *context);

#endif
