#include "aws/credentials_chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials.h"
#include "aws/credentials_container.h"
#include "aws/credentials_imds.h"
#include "aws/credentials_process.h"
#include "aws/credentials_profile.h"
#include "aws/credentials_static.h"
#include "aws/credentials_sts.h"
#include "aws/environment.h"
#include "aws/profiles.h"
#include "base/error.h"

#define DEPTH_LIMIT 8 // roles assumed from roles

// A way through profiles that name each other.
struct path {
    const char *profile;
    const struct path *from; // NULL: the profile we started with
    int depth;
};

static bool find_in_profile(const struct credentials_places *places,
                            const struct path *path,
                            struct credentials_provider **provider,
                            struct error *err);

static const char *get(const struct credentials_places *places,
                       const struct path *path, const char *key)
{
    return profiles_get(places->profiles, path->profile, key);
}

static bool find_keys(const struct credentials_places *places,
                      const struct path *path,
                      struct credentials_provider **provider, struct error *err)
{
    const char *access_key = get(places, path, "aws_access_key_id");
    const char *secret_key = get(places, path, "aws_secret_access_key");

    if (!access_key && !secret_key)
        return true;
    if (!access_key || !secret_key)
        return error_set(err, ERROR_INVALID, "%s is missing",
                         access_key ? "aws_secret_access_key"
                                    : "aws_access_key_id");
    *provider = credentials_profile_create(
        places->config_path, places->credentials_path, path->profile);
    return true;
}

static bool read_role(const struct credentials_places *places,
                      const struct path *path, struct credentials_role *role,
                      struct error *err)
{
    const char *duration = get(places, path, "duration_seconds");
    char *end = NULL;

    *role = (struct credentials_role){
        .endpoint = places->sts,
        .region = places->region,
        .arn = get(places, path, "role_arn"),
        .session_name = get(places, path, "role_session_name"),
        .external_id = get(places, path, "external_id")};
    if (!duration)
        return true;
    role->duration_s = strtol(duration, &end, 10);
    return (!*end && role->duration_s >= 900 && role->duration_s <= 43200) ||
           error_set(err, ERROR_INVALID,
                     "duration_seconds \"%s\" is not 900 to 43200", duration);
}

static bool find_web_identity(const struct credentials_places *places,
                              const struct path *path, const char *token_file,
                              struct credentials_provider **provider,
                              struct error *err)
{
    struct credentials_role role;

    if (!read_role(places, path, &role, err))
        return false;
    *provider = credentials_sts_create_web_identity(&role, token_file);
    return true;
}

static bool find_named_source(const struct credentials_places *places,
                              const char *name,
                              struct credentials_provider **source,
                              struct error *err)
{
    bool ok;

    if (!strcmp(name, "Environment"))
        ok = credentials_environment_create(source, err);
    else if (!strcmp(name, "EcsContainer"))
        ok = credentials_container_create(source, err);
    else if (!strcmp(name, "Ec2InstanceMetadata"))
        ok = credentials_imds_create(places->profiles, places->profile, source,
                                     err);
    else
        return error_set(err, ERROR_INVALID,
                         "credential_source \"%s\" is not Environment, "
                         "Ec2InstanceMetadata or EcsContainer",
                         name);
    if (ok && !*source)
        ok = error_set(err, ERROR_INVALID,
                       "credential_source %s has no credentials here", name);
    return ok;
}

static bool is_on_path(const struct path *path, const char *profile)
{
    for (; path; path = path->from)
        if (!strcmp(path->profile, profile))
            return true;
    return false;
}

// A profile may name itself for its own keys; any other way back is a loop.
static bool find_source_profile(const struct credentials_places *places,
                                const struct path *path, const char *name,
                                struct credentials_provider **source,
                                struct error *err)
{
    const struct path next = {name, path, path->depth + 1};
    bool ok;

    if (!profiles_has(places->profiles, name))
        return error_set(err, ERROR_INVALID,
                         "source_profile \"%s\" does not exist", name);
    if (!strcmp(name, path->profile))
        ok = find_keys(places, path, source, err);
    else if (is_on_path(path, name) || next.depth > DEPTH_LIMIT)
        return error_set(err, ERROR_INVALID,
                         "source_profile \"%s\" leads back to where it came "
                         "from",
                         name);
    else
        ok = find_in_profile(places, &next, source, err);
    if (ok && !*source)
        ok = error_set(err, ERROR_INVALID,
                       "source_profile \"%s\" has no credentials", name);
    return ok;
}

static bool find_source(const struct credentials_places *places,
                        const struct path *path,
                        struct credentials_provider **source, struct error *err)
{
    const char *profile = get(places, path, "source_profile");
    const char *named = get(places, path, "credential_source");

    *source = NULL;
    if (!profile == !named)
        return error_set(err, ERROR_INVALID,
                         "role_arn needs exactly one of source_profile and "
                         "credential_source");
    if (profile)
        return find_source_profile(places, path, profile, source, err);
    return find_named_source(places, named, source, err);
}

static bool find_role(const struct credentials_places *places,
                      const struct path *path,
                      struct credentials_provider **provider, struct error *err)
{
    struct credentials_provider *source;
    struct credentials_role role;

    if (get(places, path, "mfa_serial"))
        return error_set(err, ERROR_INVALID,
                         "mfa_serial asks a person for a code, which a daemon "
                         "cannot");
    if (!read_role(places, path, &role, err) ||
        !find_source(places, path, &source, err))
        return false;
    *provider = credentials_sts_create_role(&role, source);
    return true;
}

static bool find_process(const char *command,
                         struct credentials_provider **provider,
                         struct error *err)
{
    *provider = credentials_process_create(command, err);
    return *provider != NULL;
}

// The first of these that the profile has.
static bool find_kind(const struct credentials_places *places,
                      const struct path *path,
                      struct credentials_provider **provider, struct error *err)
{
    const char *token_file = get(places, path, "web_identity_token_file");
    const char *command = get(places, path, "credential_process");

    if (get(places, path, "role_arn"))
        return token_file
                   ? find_web_identity(places, path, token_file, provider, err)
                   : find_role(places, path, provider, err);
    if (!find_keys(places, path, provider, err))
        return false;
    if (*provider)
        return true;
    if (command)
        return find_process(command, provider, err);
    if (get(places, path, "sso_session") || get(places, path, "sso_start_url"))
        return error_set(err, ERROR_INVALID,
                         "signing in by SSO is left to the AWS CLI: set "
                         "credential_process = aws configure "
                         "export-credentials --profile %s --format process "
                         "in a profile of its own",
                         path->profile);
    return true;
}

static bool find_in_profile(const struct credentials_places *places,
                            const struct path *path,
                            struct credentials_provider **provider,
                            struct error *err)
{
    *provider = NULL;
    return find_kind(places, path, provider, err) ||
           error_wrap(err, "profile %s", path->profile);
}

static bool
find_environment_web_identity(const struct credentials_places *places,
                              struct credentials_provider **provider,
                              struct error *err)
{
    const char *token_file = environment_get("AWS_WEB_IDENTITY_TOKEN_FILE");
    const struct credentials_role role = {
        .endpoint = places->sts,
        .region = places->region,
        .arn = environment_get("AWS_ROLE_ARN"),
        .session_name = environment_get("AWS_ROLE_SESSION_NAME")};

    if (!token_file)
        return true;
    if (!role.arn)
        return error_set(err, ERROR_INVALID,
                         "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN "
                         "is not");
    *provider = credentials_sts_create_web_identity(&role, token_file);
    return true;
}

bool credentials_chain_find(const struct credentials_places *places,
                            struct credentials_provider **provider,
                            struct error *err)
{
    const struct path start = {.profile = places->profile};

    *provider = NULL;
    if (!places->profile_is_ours &&
        !credentials_environment_create(provider, err))
        return false;
    if (*provider)
        return true;
    if (!find_in_profile(places, &start, provider, err))
        return false;
    if (*provider)
        return true;
    if (!find_environment_web_identity(places, provider, err))
        return false;
    return *provider || credentials_container_create(provider, err);
}
