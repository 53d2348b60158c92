/*
 * session_inner: what the client needs of a session beside session.h. For this
 * room only.
 *
 * Threads: any.
 */
#ifndef POLLARD_SESSION_INNER_H
#define POLLARD_SESSION_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/session.h"

struct credentials_cache;
struct endpoint;
struct transport;

struct transport *aws_session_transport(const struct aws_session *session);

/* The credentials for this service's endpoint. */
struct credentials_cache *
aws_session_credentials(const struct aws_session *session,
                        enum aws_service service);

const struct endpoint *aws_session_place(const struct aws_session *session,
                                         enum aws_service service);

/* Bytes of one answer, at most. */
size_t aws_session_response_limit(const struct aws_session *session);

/* Of a request that does not say. */
unsigned aws_session_max_attempts(const struct aws_session *session);

/* How far the clock of the service's endpoint is ahead of ours. */
int64_t aws_session_offset_ms(const struct aws_session *session,
                              enum aws_service service);
void aws_session_set_offset_ms(struct aws_session *session,
                               enum aws_service service, int64_t offset_ms);

#endif
