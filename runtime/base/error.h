/*
 * error: one shape for every failure. A fallible function takes `struct error
 * *err` last and returns bool, or a pointer that is NULL on failure. The code
 * says how to react, the message says what happened, read outside-in.
 *
 * Threads: a plain value; whoever declares it owns it.
 */
#ifndef POLLARD_ERROR_H
#define POLLARD_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE,
    ERROR_INVALID,   // our own input is wrong; retrying cannot help
    ERROR_DENIED,    // credentials or policy say no
    ERROR_NOT_FOUND, // no such queue, stream, shard or lease
    ERROR_LOST,      // another owner has it now; let go, do not retry
    ERROR_THROTTLED, // retry, and slow down
    ERROR_TRANSIENT, // retry
    ERROR_STOPPED,   // we were asked to stop; unwind quietly
};

struct error {
    enum error_code code;
    char message[512]; // always terminated
};

/* Fill err and return false, so that a failing path is one statement. */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "<context>: " in front of the message; the code stays. Returns false. */
bool error_wrap(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The code's name in lower case, as logs and tests show it. */
const char *error_code_name(enum error_code code);

#endif
