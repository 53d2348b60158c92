#include "aws/credentials_chain.h"

#include <stdlib.h>

#include "aws/credentials.h"
#include "aws/credentials_static.h"
#include "aws/profiles.h"
#include "base/error.h"
#include "base/mem.h"

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

static bool from_environment(struct credentials_provider **provider,
                             struct error *err)
{
    const char *access_key = environment("AWS_ACCESS_KEY_ID");
    const char *secret_key = environment("AWS_SECRET_ACCESS_KEY");
    const char *token = environment("AWS_SESSION_TOKEN");
    struct credentials credentials = {0};

    if (!access_key && !secret_key)
        return true;
    if (!access_key || !secret_key)
        return error_set(
            err, ERROR_INVALID,
            "%s is set and %s is not; credentials need both",
            access_key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
            access_key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    credentials.access_key = mem_strdup(access_key);
    credentials.secret_key = mem_strdup(secret_key);
    credentials.session_token =
        mem_strdup(token ? token : environment("AWS_SECURITY_TOKEN"));
    *provider =
        credentials_static_create(CREDENTIALS_ENVIRONMENT, &credentials);
    return true;
}

static bool from_profile_keys(const struct credentials_places *places,
                              const char *profile,
                              struct credentials_provider **provider,
                              struct error *err)
{
    const char *access_key =
        profiles_get(places->profiles, profile, "aws_access_key_id");
    const char *secret_key =
        profiles_get(places->profiles, profile, "aws_secret_access_key");
    struct credentials credentials = {0};

    if (!access_key && !secret_key)
        return true;
    if (!access_key || !secret_key)
        return error_set(err, ERROR_INVALID, "%s is missing",
                         access_key ? "aws_secret_access_key"
                                    : "aws_access_key_id");
    credentials.access_key = mem_strdup(access_key);
    credentials.secret_key = mem_strdup(secret_key);
    credentials.session_token = mem_strdup(
        profiles_get(places->profiles, profile, "aws_session_token"));
    *provider = credentials_static_create(CREDENTIALS_PROFILE, &credentials);
    return true;
}

static bool from_profile(const struct credentials_places *places,
                         struct credentials_provider **provider,
                         struct error *err)
{
    return from_profile_keys(places, places->profile, provider, err) ||
           error_wrap(err, "profile %s", places->profile);
}

bool credentials_chain_find(const struct credentials_places *places,
                            struct credentials_provider **provider,
                            struct error *err)
{
    *provider = NULL;
    if (!places->profile_is_ours && !from_environment(provider, err))
        return false;
    return *provider || from_profile(places, provider, err);
}
