#include "aws/credentials_chain.h"

#include "aws/credentials.h"
#include "aws/credentials_imds.h"
#include "aws/endpoint.h"
#include "aws/profiles.h"
#include "aws_environment.h"
#include "test.h"
#include "text_file.h"

#define KEYS "aws_access_key_id = a\naws_secret_access_key = s\n"
#define ENVIRONMENT                  \
    {"AWS_ACCESS_KEY_ID", "a"},      \
    {                                \
        "AWS_SECRET_ACCESS_KEY", "s" \
    }

static struct chain_case {
    const char *name;
    const char *config;
    const char *profile; // NULL: default
    bool profile_is_ours;
    const char *variables[4][2];
    const char *provider; // its name; NULL: none
    const char *error;    // a part of the message; NULL: fine
} cases[] = {
    {"nothing", .config = "", .provider = NULL},
    {"a profile without credentials", .config = "[default]\nregion = r\n",
     .provider = NULL},
    {"the environment", .config = "[default]\n" KEYS,
     .variables = {ENVIRONMENT}, .provider = "the environment"},
    {"half of the environment", .config = "",
     .variables = {{"AWS_ACCESS_KEY_ID", "a"}},
     .error = "AWS_SECRET_ACCESS_KEY is not"},
    {"our own profile goes before the environment",
     .config = "[default]\n" KEYS, .profile_is_ours = true,
     .variables = {ENVIRONMENT}, .provider = "the profile's keys"},
    {"a profile's keys", .config = "[profile x]\n" KEYS, .profile = "x",
     .provider = "the profile's keys"},
    {"half of a profile's keys", .config = "[default]\naws_access_key_id = a\n",
     .error = "profile default: aws_secret_access_key is missing"},
    {"a process", .config = "[default]\ncredential_process = get keys\n",
     .provider = "credential_process"},
    {"a process with an open quote",
     .config = "[default]\ncredential_process = get 'keys\n",
     .error = "has an open quote"},
    {"a role",
     .config = "[default]\nrole_arn = r\nsource_profile = x\n"
               "[profile x]\n" KEYS,
     .provider = "STS AssumeRole"},
    {"a role from the profile's own keys",
     .config = "[default]\nrole_arn = r\nsource_profile = default\n" KEYS,
     .provider = "STS AssumeRole"},
    {"a chain of roles",
     .config = "[default]\nrole_arn = r\nsource_profile = x\n"
               "[profile x]\nrole_arn = q\nsource_profile = y\n"
               "[profile y]\n" KEYS,
     .provider = "STS AssumeRole"},
    {"a loop of roles",
     .config = "[default]\nrole_arn = r\nsource_profile = x\n"
               "[profile x]\nrole_arn = q\nsource_profile = default\n",
     .error = "leads back"},
    {"a role from itself without keys",
     .config = "[default]\nrole_arn = r\nsource_profile = default\n",
     .error = "has no credentials"},
    {"a role without a source", .config = "[default]\nrole_arn = r\n",
     .error = "exactly one of"},
    {"a role with two sources",
     .config = "[default]\nrole_arn = r\nsource_profile = x\n"
               "credential_source = Environment\n[profile x]\n" KEYS,
     .error = "exactly one of"},
    {"a role from a profile that is not there",
     .config = "[default]\nrole_arn = r\nsource_profile = x\n",
     .error = "\"x\" does not exist"},
    {"a role from the environment",
     .config = "[default]\nrole_arn = r\ncredential_source = Environment\n",
     .profile_is_ours = true, .variables = {ENVIRONMENT},
     .provider = "STS AssumeRole"},
    {"a role from an environment that has none",
     .config = "[default]\nrole_arn = r\ncredential_source = Environment\n",
     .error = "Environment has no credentials"},
    {"a role from nowhere",
     .config = "[default]\nrole_arn = r\ncredential_source = Moon\n",
     .error = "\"Moon\" is not"},
    {"a role that asks for a code",
     .config = "[default]\nrole_arn = r\nmfa_serial = m\n"
               "source_profile = default\n" KEYS,
     .error = "mfa_serial"},
    {"a duration that is none",
     .config = "[default]\nrole_arn = r\nduration_seconds = 5\n"
               "source_profile = default\n" KEYS,
     .error = "900 to 43200"},
    {"a profile's web identity",
     .config = "[default]\nrole_arn = r\nweb_identity_token_file = /f\n",
     .provider = "STS AssumeRoleWithWebIdentity"},
    {"sign-in by SSO", .config = "[default]\nsso_session = s\n",
     .error = "export-credentials --profile default"},
    {"the environment's web identity", .config = "",
     .variables = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/f"},
                   {"AWS_ROLE_ARN", "r"}},
     .provider = "STS AssumeRoleWithWebIdentity"},
    {"half of a web identity", .config = "",
     .variables = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/f"}},
     .error = "AWS_ROLE_ARN is not"},
    {"a container", .config = "",
     .variables = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"}},
     .provider = "the container's endpoint"},
    {"a container's endpoint on this host", .config = "",
     .variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "http://127.0.0.1:80/x"}},
     .provider = "the container's endpoint"},
    {"a container's endpoint by TLS", .config = "",
     .variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "https://keys.example/x"}},
     .provider = "the container's endpoint"},
    {"a container's endpoint in the open", .config = "",
     .variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "http://keys.example/x"}},
     .error = "must be https://"},
    {"a host that begins like this one", .config = "",
     .variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "http://127.evil.example/x"}},
     .error = "must be https://"},
};

static void test_chain(void **state)
{
    const struct chain_case *c = *state;
    char *folder = test_folder_create();
    char *path = text_file_write(folder, "config", c->config);
    struct error err = {0};
    struct profiles *profiles = profiles_load(path, NULL, &err);
    const struct endpoint sts = {.url = path};
    const struct credentials_places places = {
        .profiles = profiles,
        .config_path = path,
        .profile = c->profile ? c->profile : "default",
        .profile_is_ours = c->profile_is_ours,
        .sts = &sts,
        .region = "us-east-1"};
    struct credentials_provider *provider;
    bool ok;

    aws_environment_clear();
    for (size_t i = 0; i < 4 && c->variables[i][0]; i++)
        aws_environment_set(c->variables[i][0], c->variables[i][1]);
    ok = credentials_chain_find(&places, &provider, &err);
    if (c->error) {
        assert_fails(ok, &err, ERROR_INVALID);
        assert_contains(err.message, c->error);
    } else {
        assert_ok(ok, &err);
        assert_int_equal(!provider, !c->provider);
        if (provider)
            assert_string_equal(provider->ops->name, c->provider);
    }
    credentials_provider_destroy(provider);
    profiles_destroy(profiles);
    test_folder_remove(folder);
    free(path);
}

static void test_the_instance_can_be_ruled_out(void **state)
{
    struct error err = {0};
    struct profiles *profiles = profiles_load(NULL, NULL, &err);
    struct credentials_provider *provider;

    (void)state;
    aws_environment_clear();
    assert_ok(credentials_imds_create(profiles, "default", &provider, &err),
              &err);
    assert_non_null(provider);
    credentials_provider_destroy(provider);
    aws_environment_set("AWS_METADATA_SERVICE_TIMEOUT", "soon");
    assert_fails(credentials_imds_create(profiles, "default", &provider, &err),
                 &err, ERROR_INVALID);
    aws_environment_set("AWS_EC2_METADATA_DISABLED", "true");
    assert_ok(credentials_imds_create(profiles, "default", &provider, &err),
              &err);
    assert_null(provider);
    profiles_destroy(profiles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_instance_can_be_ruled_out),
    };

    return run_table("chain", cases, test_chain) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
