/*
 * instance: one state that a handler created. The calls into user code, and
 * nothing else.
 *
 * Threads: any, one at a time.
 */
#ifndef POLLARD_INSTANCE_H
#define POLLARD_INSTANCE_H

struct error;
struct library;
struct log;

/* The handler's create(); its log lines go to log. ERROR_INVALID with the
 * handler's own reason. The handler frees it: instance_destroy. */
void *instance_create(const struct library *library, const char *settings,
                      const struct log *log, struct error *err);

/* NULL is fine. */
void instance_destroy(const struct library *library, void *instance,
                      const struct log *log);

#endif
