/*
 * validate_online: the checks of `pollard validate --online`, which need the
 * servers: credentials work, queues and streams and destinations exist, and a
 * handler's timeout fits its queue's visibility timeout.
 *
 * Threads: the main thread; blocks on the network, bounded by the client's
 * timeouts.
 */
#ifndef POLLARD_VALIDATE_ONLINE_H
#define POLLARD_VALIDATE_ONLINE_H

#include <stdbool.h>

struct log;
struct settings;

/* Each mistake is a line on stderr; false when there was any. */
bool validate_online(const struct settings *settings, const struct log *log);

#endif
