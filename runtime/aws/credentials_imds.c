#include "aws/credentials_imds.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials.h"
#include "aws/environment.h"
#include "aws/fetch.h"
#include "aws/profiles.h"
#include "base/error.h"
#include "base/mem.h"

#define ROLES_PATH "/latest/meta-data/iam/security-credentials/"
#define DEFAULT_TIMEOUT_S 1
#define DEFAULT_TRIES 1
#define PAUSE_MS 200

struct imds {
    struct credentials_provider base;
    char *url; // without a slash at the end
    bool v1_disabled;
    int64_t timeout_ms;
    long tries;
};

// One request's way through this file.
struct visit {
    const struct imds *imds;
    const struct credentials_tools *tools;
    char *token_header; // owned; NULL: IMDSv1
};

static bool ask(const struct visit *visit, const char *method, const char *path,
                const char *header, int *status, struct buffer *body,
                struct error *err)
{
    AUTO_FREE char *url = mem_printf("%s%s", visit->imds->url, path);
    const struct fetch fetch = {.method = method,
                                .url = url,
                                .headers = {header},
                                .timeout_ms = visit->imds->timeout_ms,
                                .bypass_proxy = true};

    for (long i = 1; !fetch_run(&fetch, visit->tools, status, body, err); i++) {
        buffer_wipe(body);
        if (i >= visit->imds->tries || err->code != ERROR_TRANSIENT ||
            !fetch_pause(visit->tools, PAUSE_MS, err))
            return false;
    }
    return true;
}

static bool refused(const char *what, int status, struct error *err)
{
    return error_set(err, status >= 500 ? ERROR_TRANSIENT : ERROR_DENIED,
                     "the instance's metadata answers HTTP %d to %s", status,
                     what);
}

// A token that cannot be had is no failure while IMDSv1 is allowed: inside a
// container the answer may not survive the hop limit of 1.
static bool get_token(struct visit *visit, struct error *err)
{
    struct buffer body;
    int status = 0;
    bool ok =
        ask(visit, "PUT", "/latest/api/token",
            "X-aws-ec2-metadata-token-ttl-seconds: 21600", &status, &body, err);
    bool may_use_v1 = !visit->imds->v1_disabled;

    if (!ok)
        return may_use_v1 && err->code != ERROR_STOPPED;
    if (status == 200)
        visit->token_header =
            mem_printf("X-aws-ec2-metadata-token: %s", buffer_text(&body));
    else if (!may_use_v1 || (status != 403 && status != 404 && status != 405))
        ok = refused("the token's PUT", status, err);
    buffer_wipe(&body);
    return ok;
}

// The instance's role, which may be none.
static bool get_role(struct visit *visit, char **role, struct error *err)
{
    struct buffer body;
    int status = 0;

    if (!ask(visit, "GET", ROLES_PATH, visit->token_header, &status, &body,
             err))
        return false;
    if (status == 200 && body.size) {
        (void)buffer_text(&body);
        *role = mem_strndup(body.data, strcspn(body.data, "\r\n"));
    } else if (status == 404 || status == 200) {
        error_set(err, ERROR_DENIED, "the instance has no role");
    } else {
        refused("GET " ROLES_PATH, status, err);
    }
    buffer_finish(&body);
    return *role != NULL;
}

static bool is_success(struct bytes body)
{
    json_auto_t *root = json_loadb(body.data, body.size, 0, NULL);
    const char *code = json_string_value(json_object_get(root, "Code"));

    return !code || !strcmp(code, "Success");
}

static bool get_credentials(struct visit *visit, const char *role,
                            struct credentials *credentials, struct error *err)
{
    AUTO_FREE char *path = mem_printf(ROLES_PATH "%s", role);
    struct buffer body;
    int status = 0;
    bool ok;

    if (!ask(visit, "GET", path, visit->token_header, &status, &body, err))
        return false;
    if (status != 200)
        ok = refused("the role's GET", status, err);
    else if (!is_success(buffer_bytes(&body)))
        ok = error_set(err, ERROR_TRANSIENT,
                       "the instance's metadata has no keys for role %s (yet)",
                       role);
    else
        ok = credentials_read_json(buffer_bytes(&body), "Token", credentials,
                                   err);
    buffer_wipe(&body);
    return ok;
}

static bool fetch(struct credentials_provider *provider,
                  const struct credentials_tools *tools,
                  struct credentials *credentials, struct error *err)
{
    struct visit visit = {.imds = (struct imds *)provider, .tools = tools};
    AUTO_FREE char *role = NULL;
    bool ok = get_token(&visit, err) && get_role(&visit, &role, err) &&
              get_credentials(&visit, role, credentials, err);

    mem_wipe_text(visit.token_header);
    return ok;
}

static void destroy(struct credentials_provider *provider)
{
    struct imds *imds = (struct imds *)provider;

    free(imds->url);
    free(imds);
}

static const struct credentials_provider_ops ops = {
    .name = "the instance's metadata (nothing else is configured)",
    .is_stable = true,
    .fetch = fetch,
    .destroy = destroy};

static const char *setting(const char *variable,
                           const struct profiles *profiles, const char *profile,
                           const char *key)
{
    const char *value = environment_get(variable);

    return value ? value : profiles_get(profiles, profile, key);
}

static bool read_count(const char *variable, long fallback, long *count,
                       struct error *err)
{
    const char *text = environment_get(variable);
    char *end;

    *count = fallback;
    if (!text)
        return true;
    *count = strtol(text, &end, 10);
    return (!*end && *count >= 1 && *count <= 60) ||
           error_set(err, ERROR_INVALID, "%s=\"%s\" is not 1 to 60", variable,
                     text);
}

static char *find_url(const struct profiles *profiles, const char *profile)
{
    const char *url = setting("AWS_EC2_METADATA_SERVICE_ENDPOINT", profiles,
                              profile, "ec2_metadata_service_endpoint");
    const char *mode =
        setting("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", profiles, profile,
                "ec2_metadata_service_endpoint_mode");
    size_t size;

    if (!url)
        url = mode && !strcasecmp(mode, "IPv6") ? "http://[fd00:ec2::254]"
                                                : "http://169.254.169.254";
    size = strlen(url);
    while (size && url[size - 1] == '/')
        size--;
    return mem_strndup(url, size);
}

bool credentials_imds_create(const struct profiles *profiles,
                             const char *profile,
                             struct credentials_provider **provider,
                             struct error *err)
{
    struct imds *imds;
    long timeout_s, tries;

    *provider = NULL;
    if (environment_is_true(environment_get("AWS_EC2_METADATA_DISABLED")))
        return true;
    if (!read_count("AWS_METADATA_SERVICE_TIMEOUT", DEFAULT_TIMEOUT_S,
                    &timeout_s, err) ||
        !read_count("AWS_METADATA_SERVICE_NUM_ATTEMPTS", DEFAULT_TRIES, &tries,
                    err))
        return false;
    imds = mem_calloc(1, sizeof(*imds));
    imds->base.ops = &ops;
    imds->url = find_url(profiles, profile);
    imds->timeout_ms = timeout_s * 1000;
    imds->tries = tries;
    imds->v1_disabled =
        environment_is_true(setting("AWS_EC2_METADATA_V1_DISABLED", profiles,
                                    profile, "ec2_metadata_v1_disabled"));
    *provider = &imds->base;
    return true;
}
