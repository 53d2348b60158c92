#include "aws/credentials_profile.h"

#include <stdlib.h>

#include "aws/credentials.h"
#include "aws/profiles.h"
#include "base/error.h"
#include "base/mem.h"

struct keys {
    struct credentials_provider base;
    char *config_path, *credentials_path, *profile;
};

static bool read_keys(const struct profiles *profiles, const char *profile,
                      struct credentials *credentials, struct error *err)
{
    const char *access_key =
        profiles_get(profiles, profile, "aws_access_key_id");
    const char *secret_key =
        profiles_get(profiles, profile, "aws_secret_access_key");

    if (!access_key || !secret_key)
        return error_set(
            err, ERROR_INVALID, "profile %s: %s is missing", profile,
            access_key ? "aws_secret_access_key" : "aws_access_key_id");
    *credentials = (struct credentials){
        .access_key = mem_strdup(access_key),
        .secret_key = mem_strdup(secret_key),
        .session_token =
            mem_strdup(profiles_get(profiles, profile, "aws_session_token")),
        .account =
            mem_strdup(profiles_get(profiles, profile, "aws_account_id"))};
    return true;
}

static bool fetch(struct credentials_provider *provider,
                  const struct credentials_tools *tools,
                  struct credentials *credentials, struct error *err)
{
    const struct keys *keys = (struct keys *)provider;
    struct profiles *profiles =
        profiles_load(keys->config_path, keys->credentials_path, err);
    bool ok;

    (void)tools;
    if (!profiles)
        return false;
    ok = read_keys(profiles, keys->profile, credentials, err);
    profiles_destroy(profiles);
    return ok;
}

static void destroy(struct credentials_provider *provider)
{
    struct keys *keys = (struct keys *)provider;

    free(keys->config_path);
    free(keys->credentials_path);
    free(keys->profile);
    free(keys);
}

static const struct credentials_provider_ops ops = {.name =
                                                        "the profile's keys",
                                                    .is_local = true,
                                                    .is_stable = true,
                                                    .fetch = fetch,
                                                    .destroy = destroy};

struct credentials_provider *
credentials_profile_create(const char *config_path,
                           const char *credentials_path, const char *profile)
{
    struct keys *keys = mem_calloc(1, sizeof(*keys));

    keys->base.ops = &ops;
    keys->config_path = mem_strdup(config_path);
    keys->credentials_path = mem_strdup(credentials_path);
    keys->profile = mem_strdup(profile);
    return &keys->base;
}
