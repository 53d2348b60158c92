/*
 * send_run: one run of `pollard send`, from the first line of the input to the
 * last word on stdout: cut, batch, send, repeat what was not accepted, report.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_SEND_RUN_H
#define POLLARD_SEND_RUN_H

#include <stdbool.h>
#include <stdio.h>

struct send_target;

/* Opens and closes the target. An item is a line without its end (empty ones
 * are passed over), or all of the file. Returns an exit code. */
int send_run(struct send_target *target, FILE *file, bool whole);

#endif
