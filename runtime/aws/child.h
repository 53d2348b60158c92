/*
 * child: a program that is run for what it writes, bounded in size and time,
 * and ended with everything it started when it takes too long or a descriptor
 * says stop.
 */
#ifndef POLLARD_CHILD_H
#define POLLARD_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct clock;
struct error;

struct child_options { // all borrowed
    char **words;      // program and arguments; NULL ends them
    int64_t timeout_ms;
    const struct clock *clock;
    int stop_fd; // readable: give up
};

struct child_result {
    int status;           // as waitpid gives it
    struct buffer output; // its limit, 64 KiB, may be exceeded: ask buffer_ok
    struct buffer complaint; // the start of its standard error
};

/* Run it and wait for its end. True: it ran, however it ended. The result is
 * initialised in any case; finish it. ERROR_INVALID: it cannot be run. */
bool child_run(const struct child_options *options, struct child_result *result,
               struct error *err);

/* Wipes what it wrote. */
void child_result_finish(struct child_result *result);

#endif
