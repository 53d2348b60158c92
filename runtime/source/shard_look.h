/*
 * shard_look: is a shard closed? ListShards, page by page, until the shard is
 * among them or there is no more.
 *
 * Threads: its source's.
 */
#ifndef POLLARD_SHARD_LOOK_H
#define POLLARD_SHARD_LOOK_H

#include "base/bytes.h"

struct error;

struct shard_look { // zeroed: none goes on
    char *token;    // owned; of the next page
};

enum shard_look_finding {
    SHARD_LOOK_FAILED, // the answer cannot be read
    SHARD_LOOK_MORE,   // ask for the next page
    SHARD_LOOK_OPEN,   // or not among them
    SHARD_LOOK_CLOSED,
};

/* The body of the next ListShards. */
void shard_look_put_call(const struct shard_look *look, struct buffer *body,
                         const char *stream);

enum shard_look_finding shard_look_take(struct shard_look *look,
                                        struct bytes answer, const char *shard,
                                        struct error *err);

/* Begin anew next time. */
void shard_look_reset(struct shard_look *look);

#endif
