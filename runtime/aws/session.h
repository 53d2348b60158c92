/*
 * session: what all AWS calls of a process share: region, endpoints, CA bundle,
 * proxies, credentials (refreshed ahead of expiry by one party while others
 * keep using the old ones), the clock offset of each endpoint, and libcurl's
 * shared DNS and TLS session caches.
 *
 * Threads: created and destroyed by the supervisor; everything else may be
 * called from any thread. Locks are inside, short, and never held across I/O.
 */
#ifndef POLLARD_AWS_SESSION_H
#define POLLARD_AWS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

struct aws_config;
struct aws_session;
struct clock;
struct error;
struct log;

enum aws_service {
    AWS_SQS,
    AWS_KINESIS,
    AWS_STS,
    AWS_DYNAMODB_STREAMS,
    AWS_SNS,
    AWS_S3,
    AWS_SERVICE_COUNT
};

struct aws_session_options {
    const struct aws_config *config; // borrowed; must outlive the session
    const struct clock *clock;
    const struct log *log; // copied
};

/* Resolve region and endpoints and find the credential provider (config, then
 * environment, then profile; wire.md sections 7.1 to 7.5). No network. A
 * profile that is named but broken is ERROR_INVALID. */
struct aws_session *
aws_session_create(const struct aws_session_options *options,
                   struct error *err);

/* Requires that no client uses it any more. Secrets are wiped. NULL is fine. */
void aws_session_destroy(struct aws_session *session);

/* Never NULL: `us-east-1` where nothing says otherwise and an endpoint is
 * configured; otherwise aws_session_create has refused. Borrowed. */
const char *aws_session_region(const struct aws_session *session);

/* "http://127.0.0.1:9324" without trailing slash. Borrowed. */
const char *aws_session_endpoint(const struct aws_session *session,
                                 enum aws_service service);

/* The clock of the service's endpoint, as far as its answers told, when ours
 * says wall_ms. Both since 1970. */
int64_t aws_session_server_ms(const struct aws_session *session,
                              enum aws_service service, int64_t wall_ms);

/* Is the service reached by a configured endpoint, instead of AWS's own? */
bool aws_session_is_redirected(const struct aws_session *session,
                               enum aws_service service);

/* The 12-digit account of our credentials if known (config, environment,
 * provider), else "000000000000". Borrowed. */
const char *aws_session_account(const struct aws_session *session);

/* enum aws_sqs_protocol of SQS's endpoint: as configured, or as one of its
 * users has found out; AWS_SQS_AUTO: nobody knows yet. */
int aws_session_sqs_protocol(const struct aws_session *session);
void aws_session_set_sqs_protocol(struct aws_session *session, int protocol);

/* The same of Kinesis's endpoint, which is never configured. */
enum aws_kinesis_protocol {
    AWS_KINESIS_AUTO, // not known yet: CBOR is tried
    AWS_KINESIS_CBOR,
    AWS_KINESIS_JSON, // it refused CBOR, or garbled it
};
enum aws_kinesis_protocol
aws_session_kinesis_protocol(const struct aws_session *session);
void aws_session_set_kinesis_protocol(struct aws_session *session,
                                      enum aws_kinesis_protocol protocol);

/* Fetch credentials now, for `validate --online` and a clear error at start.
 * Blocks up to the provider's timeouts. */
bool aws_session_check_credentials(struct aws_session *session,
                                   struct error *err);

#endif
