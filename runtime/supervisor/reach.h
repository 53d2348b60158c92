/*
 * reach: a trigger names queues, streams and topics by ARN, and an ARN has a
 * region; requests go to the session's. Where the two differ, another queue of
 * the same name would be met there, or none: so that is refused. An endpoint of
 * one's own reaches whatever it reaches.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_REACH_H
#define POLLARD_REACH_H

#include <stdbool.h>

struct aws_session;
struct error;
struct trigger_config;

/* ERROR_INVALID: `key` is the trigger's key whose ARN lies elsewhere. */
bool reach_check(const struct trigger_config *trigger,
                 const struct aws_session *session, const char **key,
                 struct error *err);

#endif
