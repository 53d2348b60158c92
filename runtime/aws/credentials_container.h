/*
 * credentials_container: from the endpoint that ECS, EKS Pod Identity and the
 * like offer to their containers (wire.md section 7.3).
 */
#ifndef POLLARD_CREDENTIALS_CONTAINER_H
#define POLLARD_CREDENTIALS_CONTAINER_H

#include <stdbool.h>

struct credentials_provider;
struct error;

/* *provider is NULL when the environment names no endpoint. ERROR_INVALID: it
 * names one that must not be trusted with a token. */
bool credentials_container_create(struct credentials_provider **provider,
                                  struct error *err);

#endif
