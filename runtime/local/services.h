/*
 * services: what the embedded server offers, each a table of operations.
 *
 * Threads: constants.
 */
#ifndef POLLARD_LOCAL_SERVICES_H
#define POLLARD_LOCAL_SERVICES_H

#include "local/request.h"

extern const struct service serve_sqs_service;
extern const struct service serve_kinesis_service;
extern const struct service serve_sts_service;

/* Its own: /_pollard/..., see docs/local.md. Operations are named as in
 * "GET stats". */
extern const struct service serve_admin_service;

#endif
