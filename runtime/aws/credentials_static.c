#include "aws/credentials_static.h"

#include <stdlib.h>

#include "aws/credentials.h"
#include "aws/environment.h"
#include "base/error.h"
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

static bool fetch_none(struct credentials_provider *provider,
                       const struct credentials_tools *tools,
                       struct credentials *credentials, struct error *err)
{
    (void)provider;
    (void)tools;
    (void)credentials;
    return error_set(err, ERROR_DENIED,
                     "there are none: set AWS_ACCESS_KEY_ID and "
                     "AWS_SECRET_ACCESS_KEY, or a profile");
}

static void destroy(struct credentials_provider *provider)
{
    struct fixed *fixed = (struct fixed *)provider;

    credentials_finish(&fixed->credentials);
    free(fixed);
}

static const struct credentials_provider_ops environment_ops = {
    .name = "the environment",
    .is_local = true,
    .is_fixed = true,
    .fetch = fetch,
    .destroy = destroy};

static const struct credentials_provider_ops dummy_ops = {
    .name = "nowhere, made up for a server that is not AWS",
    .is_local = true,
    .is_fixed = true,
    .fetch = fetch,
    .destroy = destroy};

static const struct credentials_provider_ops none_ops = {
    .name = "anywhere", .fetch = fetch_none, .destroy = destroy};

static struct fixed *create(const struct credentials_provider_ops *ops)
{
    struct fixed *fixed = mem_calloc(1, sizeof(*fixed));

    fixed->base.ops = ops;
    return fixed;
}

bool credentials_environment_create(struct credentials_provider **provider,
                                    struct error *err)
{
    const char *access_key = environment_get("AWS_ACCESS_KEY_ID");
    const char *secret_key = environment_get("AWS_SECRET_ACCESS_KEY");
    const char *token = environment_get("AWS_SESSION_TOKEN");
    struct fixed *fixed;

    *provider = NULL;
    if (!access_key && !secret_key)
        return true;
    if (!access_key || !secret_key)
        return error_set(
            err, ERROR_INVALID,
            "%s is set and %s is not; credentials need both",
            access_key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
            access_key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    if (!token)
        token = environment_get("AWS_SECURITY_TOKEN");
    fixed = create(&environment_ops);
    fixed->credentials =
        (struct credentials){.access_key = mem_strdup(access_key),
                             .secret_key = mem_strdup(secret_key),
                             .session_token = mem_strdup(token)};
    *provider = &fixed->base;
    return true;
}

// An access key of twelve digits: some servers make it the account.
struct credentials_provider *credentials_dummy_create(void)
{
    struct fixed *fixed = create(&dummy_ops);

    fixed->credentials =
        (struct credentials){.access_key = mem_strdup("000000000000"),
                             .secret_key = mem_strdup("pollard")};
    return &fixed->base;
}

struct credentials_provider *credentials_none_create(void)
{
    return &create(&none_ops)->base;
}
