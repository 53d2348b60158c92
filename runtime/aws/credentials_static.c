#include "aws/credentials_static.h"

#include <stdlib.h>

#include "aws/credentials.h"
#include "base/mem.h"

struct fixed {
    struct credentials_provider base;
    struct credentials credentials;
};

static bool fetch(struct credentials_provider *provider,
                  const struct credentials_tools *tools,
                  struct credentials *credentials, struct error *err)
{
    struct fixed *fixed = (struct fixed *)provider;

    (void)tools;
    (void)err;
    credentials_copy(credentials, &fixed->credentials);
    return true;
}

static void destroy(struct credentials_provider *provider)
{
    struct fixed *fixed = (struct fixed *)provider;

    credentials_finish(&fixed->credentials);
    free(fixed);
}

static const struct credentials_provider_ops origins[] = {
    [CREDENTIALS_ENVIRONMENT] = {.name = "the environment",
                                 .is_instant = true,
                                 .fetch = fetch,
                                 .destroy = destroy},
    [CREDENTIALS_PROFILE] = {.name = "the profile's keys",
                             .is_instant = true,
                             .fetch = fetch,
                             .destroy = destroy},
    [CREDENTIALS_DUMMY] = {.name = "nowhere (made up)",
                           .is_instant = true,
                           .fetch = fetch,
                           .destroy = destroy},
};

struct credentials_provider *
credentials_static_create(enum credentials_origin origin,
                          struct credentials *credentials)
{
    struct fixed *fixed = mem_calloc(1, sizeof(*fixed));

    fixed->base.ops = &origins[origin];
    fixed->credentials = *credentials;
    *credentials = (struct credentials){0};
    return &fixed->base;
}
