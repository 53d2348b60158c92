#include "aws/credentials_sts.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/arn.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/errors.h"
#include "aws/fetch.h"
#include "aws/files.h"
#include "aws/sigv4.h"
#include "aws/sts_answer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

#define TIMEOUT_MS 10000
#define TRIES 3
#define PAUSE_MS 500
#define BODY_LIMIT (256 * 1024)
#define FORM "application/x-www-form-urlencoded; charset=utf-8"

struct role {
    struct credentials_provider base;
    const struct endpoint *endpoint; // borrowed
    const char *region;              // borrowed
    char *arn, *session_name, *external_id;
    int64_t duration_s;
    struct credentials_provider *source; // owned; of AssumeRole
    char *token_file;                    // of AssumeRoleWithWebIdentity
};

static void put_encoded(struct buffer *form, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            (c >= '0' && c <= '9') || strchr("-._~", c))
            buffer_append_char(form, (char)c);
        else
            buffer_printf(form, "%%%02X", c);
    }
}

static void put_field(struct buffer *form, const char *name, const char *value)
{
    if (!value)
        return;
    buffer_append_char(form, '&');
    buffer_append_text(form, name);
    buffer_append_char(form, '=');
    put_encoded(form, value);
}

static void put_form(struct buffer *form, const struct role *role,
                     const char *token, const struct credentials_tools *tools)
{
    AUTO_FREE char *made_up =
        mem_printf("pollard-%lld", (long long)clock_wall_ms(tools->clock));
    AUTO_FREE char *duration =
        role->duration_s ? mem_printf("%lld", (long long)role->duration_s)
                         : NULL;

    buffer_init(form, BODY_LIMIT);
    buffer_printf(form, "Action=%s&Version=2011-06-15",
                  token ? "AssumeRoleWithWebIdentity" : "AssumeRole");
    put_field(form, "RoleArn", role->arn);
    put_field(form, "RoleSessionName",
              role->session_name ? role->session_name : made_up);
    put_field(form, "DurationSeconds", duration);
    put_field(form, "ExternalId", role->external_id);
    put_field(form, "WebIdentityToken", token);
}

// The three header lines of a signed request.
struct signature {
    struct buffer authorization, token;
    char date[32];
};

static void sign(const struct role *role, const struct credentials *source,
                 struct bytes body, const struct credentials_tools *tools,
                 struct signature *signature)
{
    struct sigv4 *sigv4 = sigv4_create();
    AUTO_FREE char *path = mem_printf("%s/", role->endpoint->path);
    char time[SIGV4_TIME_SIZE];
    const char *token = source->session_token ? source->session_token : "";
    const struct sigv4_header headers[] = {
        {BYTES("content-type"), BYTES(FORM)},
        {BYTES("host"), bytes_of(role->endpoint->host)},
        {BYTES("x-amz-date"), {time, SIGV4_TIME_SIZE - 1}},
        {BYTES("x-amz-security-token"), bytes_of(token)}};

    sigv4_time(clock_wall_ms(tools->clock), time);
    buffer_init(&signature->authorization, BODY_LIMIT);
    buffer_init(&signature->token, BODY_LIMIT);
    buffer_append_text(&signature->authorization, "Authorization: ");
    sigv4_sign(sigv4,
               &(struct sigv4_request){.method = "POST",
                                       .path = bytes_of(path),
                                       .headers = headers,
                                       .header_count = token[0] ? 4 : 3,
                                       .body = body,
                                       .access_key = source->access_key,
                                       .secret_key = source->secret_key,
                                       .region = role->region,
                                       .service = "sts",
                                       .time = time},
               &signature->authorization);
    if (token[0])
        buffer_printf(&signature->token, "X-Amz-Security-Token: %s", token);
    (void)snprintf(signature->date, sizeof(signature->date), "X-Amz-Date: %s",
                   time);
    sigv4_destroy(sigv4);
}

static bool read_answer(const char *url, int status, struct bytes body,
                        struct credentials *credentials, struct error *err)
{
    struct errors_finding finding;

    if (errors_find(&(struct errors_answer){.status = status,
                                            .body = body,
                                            .error_type = "",
                                            .query_error = "",
                                            .wants_xml = true},
                    &finding))
        return error_set(err, finding.reaction, "POST %s: %s%s%s", url,
                         finding.code, finding.code[0] ? ": " : "",
                         finding.text);
    return sts_answer_read(body, credentials, err) ||
           error_wrap(err, "POST %s", url);
}

// signature may be NULL.
static bool post(const struct role *role, struct signature *signature,
                 struct bytes form, const struct credentials_tools *tools,
                 struct credentials *credentials, struct error *err)
{
    AUTO_FREE char *url = mem_printf("%s/", role->endpoint->url);
    struct fetch fetch = {.method = "POST",
                          .url = url,
                          .headers = {"Content-Type: " FORM},
                          .body = form,
                          .timeout_ms = TIMEOUT_MS};
    struct buffer body;
    int status = 0;
    bool ok;

    if (signature) {
        fetch.headers[1] = buffer_text(&signature->authorization);
        fetch.headers[2] = signature->date;
        if (signature->token.size)
            fetch.headers[3] = buffer_text(&signature->token);
    }
    ok = fetch_run(&fetch, tools, &status, &body, err) &&
         read_answer(url, status, buffer_bytes(&body), credentials, err);
    buffer_wipe(&body);
    return ok;
}

static bool post_again(const struct role *role, struct signature *signature,
                       struct bytes form, const struct credentials_tools *tools,
                       struct credentials *credentials, struct error *err)
{
    for (int i = 1; !post(role, signature, form, tools, credentials, err); i++)
        if (i == TRIES ||
            (err->code != ERROR_TRANSIENT && err->code != ERROR_THROTTLED) ||
            !fetch_pause(tools, i * PAUSE_MS, err))
            return false;
    return true;
}

static void take_account(const struct role *role,
                         struct credentials *credentials)
{
    struct error err;
    struct arn arn;

    if (arn_parse(role->arn, &arn, &err) && arn.account.size == 12)
        credentials->account = mem_strndup(arn.account.data, arn.account.size);
}

static bool fetch_role(struct credentials_provider *provider,
                       const struct credentials_tools *tools,
                       struct credentials *credentials, struct error *err)
{
    const struct role *role = (struct role *)provider;
    struct credentials source;
    struct signature signature;
    struct buffer form;
    bool ok;

    if (!credentials_provider_fetch(role->source, tools, &source, err))
        return error_wrap(err, "%s", role->arn);
    put_form(&form, role, NULL, tools);
    sign(role, &source, buffer_bytes(&form), tools, &signature);
    credentials_finish(&source);
    ok = post_again(role, &signature, buffer_bytes(&form), tools, credentials,
                    err);
    buffer_wipe(&signature.authorization);
    buffer_wipe(&signature.token);
    buffer_finish(&form);
    if (ok)
        take_account(role, credentials);
    return ok || error_wrap(err, "%s", role->arn);
}

static bool fetch_web_identity(struct credentials_provider *provider,
                               const struct credentials_tools *tools,
                               struct credentials *credentials,
                               struct error *err)
{
    const struct role *role = (struct role *)provider;
    struct buffer form;
    char *token;
    bool ok;

    if (!files_read_token(role->token_file, &token, err))
        return error_wrap(err, "%s", role->arn);
    put_form(&form, role, token, tools);
    mem_wipe_text(token);
    ok = post_again(role, NULL, buffer_bytes(&form), tools, credentials, err);
    buffer_wipe(&form);
    if (ok)
        take_account(role, credentials);
    return ok || error_wrap(err, "%s", role->arn);
}

static void destroy(struct credentials_provider *provider)
{
    struct role *role = (struct role *)provider;

    credentials_provider_destroy(role->source);
    free(role->arn);
    free(role->session_name);
    free(role->external_id);
    free(role->token_file);
    free(role);
}

static const struct credentials_provider_ops role_ops = {.name =
                                                             "STS AssumeRole",
                                                         .is_stable = true,
                                                         .fetch = fetch_role,
                                                         .destroy = destroy};

static const struct credentials_provider_ops web_identity_ops = {
    .name = "STS AssumeRoleWithWebIdentity",
    .is_stable = true,
    .fetch = fetch_web_identity,
    .destroy = destroy};

static struct role *create(const struct credentials_provider_ops *ops,
                           const struct credentials_role *from)
{
    struct role *role = mem_calloc(1, sizeof(*role));

    role->base.ops = ops;
    role->endpoint = from->endpoint;
    role->region = from->region;
    role->arn = mem_strdup(from->arn);
    role->session_name = mem_strdup(from->session_name);
    role->external_id = mem_strdup(from->external_id);
    role->duration_s = from->duration_s;
    return role;
}

struct credentials_provider *
credentials_sts_create_role(const struct credentials_role *role,
                            struct credentials_provider *source)
{
    struct role *made = create(&role_ops, role);

    made->source = source;
    return &made->base;
}

struct credentials_provider *
credentials_sts_create_web_identity(const struct credentials_role *role,
                                    const char *token_file)
{
    struct role *made = create(&web_identity_ops, role);

    made->token_file = mem_strdup(token_file);
    return &made->base;
}
