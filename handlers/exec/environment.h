/*
 * environment: pollard's own, and what a command may want to know of its batch:
 * POLLARD_TRIGGER, POLLARD_SOURCE_ARN, POLLARD_SHARD (streams only),
 * POLLARD_BATCH_SIZE, POLLARD_REMAINING_MS.
 */
#ifndef EXEC_ENVIRONMENT_H
#define EXEC_ENVIRONMENT_H

#include <pollard/handler.h>

struct environment {
    char **variables; // owned; ends with NULL; the first `own` are ours
    size_t own;
};

void environment_init(struct environment *environment,
                      const struct pollard_batch *batch, size_t count,
                      int64_t remaining_ms);
void environment_finish(struct environment *environment);

#endif
