/*
 * host: what handlers may call back, and where their log lines go.
 *
 * Threads: the functions of the table that take a batch are for the thread that
 * runs handle(); log() is for any.
 */
#ifndef POLLARD_HOST_H
#define POLLARD_HOST_H

#include <pollard/handler.h>

struct log;

extern const struct pollard_host host_table;

/* Where the host table's log() writes on this thread; NULL: as for a thread of
 * the handler's own. log is borrowed. Returns what it was before. */
const struct log *host_log_as(const struct log *log);

/* Lines from a handler's own threads go here, without a trigger's name. Each
 * host_log_open (log is copied) needs a host_log_close; after the last one such
 * lines are dropped. */
void host_log_open(const struct log *log);
void host_log_close(void);

#endif
