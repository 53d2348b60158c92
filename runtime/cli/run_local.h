/*
 * run_local: `pollard run --local`: the embedded server in the worker's own
 * process, with the queues and streams that the triggers name.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_RUN_LOCAL_H
#define POLLARD_RUN_LOCAL_H

#include <stdbool.h>

struct aws_config;
struct error;
struct log_sink;
struct run_local;
struct settings;

#define RUN_LOCAL_PORT 9324 // where `pollard send` and the AWS CLI find it

struct run_local *run_local_start(const struct log_sink *sink,
                                  struct error *err);

/* Asks before `send --local` would wait for a server that nobody started. */
bool run_local_is_there(struct error *err);

/* Point every service at an embedded server on this port of the loopback. */
void run_local_point(struct aws_config *aws, int port);

/* Point every service at the server, and create what the triggers name: queues
 * that are read or emitted into (with a dead-letter queue NAME-dead after 3
 * receives), queues for reports and unwanted messages, streams of two shards.
 */
bool run_local_adjust(struct run_local *local, struct settings *settings,
                      struct error *err);

/* NULL is fine. */
void run_local_stop(struct run_local *local);

#endif
