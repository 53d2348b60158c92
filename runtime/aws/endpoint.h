/*
 * endpoint: where a service is reached: configured, or computed from partition,
 * region and the FIPS and dual-stack switches (wire.md sections 0 and 7.5).
 * Reads the environment; no network.
 */
#ifndef POLLARD_ENDPOINT_H
#define POLLARD_ENDPOINT_H

#include <stdbool.h>

#include "aws/session.h"

struct aws_config;
struct error;
struct profiles;

struct endpoint {
    char *url;  // owned; scheme, host, port, path prefix; no slash at the end
    char *host; // owned; the Host header: a port only where not the default
    char *path; // owned; the path prefix, "" or "/prefix"
    bool is_custom; // configured, not computed
    bool is_aws;    // the host belongs to a partition of AWS
};

struct endpoint_places { // all borrowed
    const struct aws_config *config;
    const struct profiles *profiles;
    const char *profile;
    const char *region; // NULL: only what is configured can be found
};

/* The name in the credential scope: "sqs". */
const char *endpoint_signing_name(enum aws_service service);

/* The configured URL, in the SDKs' order, or NULL. Borrowed. */
const char *endpoint_configured(const struct endpoint_places *places,
                                enum aws_service service);

/* Fill endpoint. ERROR_INVALID: the URL or the region is malformed. */
bool endpoint_find(const struct endpoint_places *places,
                   enum aws_service service, struct endpoint *endpoint,
                   struct error *err);

struct endpoint_kind {
    bool fips, dual_stack;
};

/* "https://sqs.eu-west-1.amazonaws.com". Caller frees. */
char *endpoint_compute(enum aws_service service, const char *region,
                       struct endpoint_kind kind);

/* Take a URL apart; only scheme, host, port and a path are allowed in it. */
bool endpoint_parse(const char *url, struct endpoint *endpoint,
                    struct error *err);

void endpoint_finish(struct endpoint *endpoint);

#endif
