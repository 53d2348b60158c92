#include "aws/credentials.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "base/mem.h"

#define MINUTE_MS (60 * 1000)

void credentials_finish(struct credentials *credentials)
{
    mem_wipe_text(credentials->access_key);
    mem_wipe_text(credentials->secret_key);
    mem_wipe_text(credentials->session_token);
    free(credentials->account);
    *credentials = (struct credentials){0};
}

void credentials_copy(struct credentials *to, const struct credentials *from)
{
    *to = (struct credentials){
        .access_key = mem_strdup(from->access_key),
        .secret_key = mem_strdup(from->secret_key),
        .session_token = mem_strdup(from->session_token),
        .account = mem_strdup(from->account),
        .expires_at_ms = from->expires_at_ms,
    };
}

static bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

bool credentials_equal(const struct credentials *a, const struct credentials *b)
{
    return text_equal(a->access_key, b->access_key) &&
           text_equal(a->secret_key, b->secret_key) &&
           text_equal(a->session_token, b->session_token);
}

// strptime reads the seconds; what follows is ".123", "Z" or "+01:30".
bool credentials_read_time(const char *text, int64_t *wall_ms)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    int hours = 0, minutes = 0, used = 0;
    char sign;

    if (!rest)
        return false;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) == 3 &&
        (sign == '+' || sign == '-'))
        rest += used;
    else if (*rest == 'Z' || *rest == 'z')
        rest++;
    else if (*rest)
        return false;
    if (*rest)
        return false;
    *wall_ms = (int64_t)timegm(&parts) * 1000;
    if (used)
        *wall_ms -= (sign == '-' ? -1 : 1) * (int64_t)(hours * 60 + minutes) *
                    MINUTE_MS;
    return true;
}

static bool take(const json_t *root, const char *name, char **place)
{
    const char *value = json_string_value(json_object_get(root, name));

    if (!value || !value[0])
        return false;
    *place = mem_strdup(value);
    return true;
}

static bool read_members(const json_t *root, const char *token_name,
                         struct credentials *credentials, struct error *err)
{
    const json_t *expiration = json_object_get(root, "Expiration");

    if (!take(root, "AccessKeyId", &credentials->access_key) ||
        !take(root, "SecretAccessKey", &credentials->secret_key))
        return error_set(err, ERROR_INVALID,
                         "the answer lacks AccessKeyId or SecretAccessKey");
    (void)take(root, token_name, &credentials->session_token);
    (void)take(root, "AccountId", &credentials->account);
    if (!expiration || json_is_null(expiration))
        return true;
    return (json_is_string(expiration) &&
            credentials_read_time(json_string_value(expiration),
                                  &credentials->expires_at_ms)) ||
           error_set(err, ERROR_INVALID, "the answer's Expiration is no time");
}

bool credentials_read_json(struct bytes json, const char *token_name,
                           struct credentials *credentials, struct error *err)
{
    json_auto_t *root = json_loadb(json.data, json.size, 0, NULL);

    if (!json_is_object(root))
        return error_set(err, ERROR_INVALID, "the answer is not a JSON object");
    if (read_members(root, token_name, credentials, err))
        return true;
    credentials_finish(credentials);
    return false;
}

// The advisory window grows with the lifetime; the last minute is mandatory.
enum credentials_window
credentials_window(const struct credentials *credentials, int64_t fetched_at_ms,
                   int64_t wall_ms)
{
    int64_t lifetime = credentials->expires_at_ms - fetched_at_ms;
    int64_t left = credentials->expires_at_ms - wall_ms;
    int64_t advisory = 60 * MINUTE_MS;

    if (!credentials->expires_at_ms)
        return CREDENTIALS_FRESH;
    if (lifetime <= 20 * MINUTE_MS)
        advisory = 5 * MINUTE_MS;
    else if (lifetime < 90 * MINUTE_MS)
        advisory = 15 * MINUTE_MS;
    if (left <= MINUTE_MS)
        return CREDENTIALS_MANDATORY;
    return left <= advisory ? CREDENTIALS_ADVISORY : CREDENTIALS_FRESH;
}

// They become header lines.
static bool is_header_text(const char *text)
{
    for (; text && *text; text++)
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    return true;
}

static bool check(struct credentials *credentials, struct error *err)
{
    if (is_header_text(credentials->access_key) &&
        is_header_text(credentials->secret_key) &&
        is_header_text(credentials->session_token))
        return true;
    credentials_finish(credentials);
    return error_set(err, ERROR_INVALID,
                     "a key or token has a character that none has");
}

bool credentials_provider_fetch(struct credentials_provider *provider,
                                const struct credentials_tools *tools,
                                struct credentials *credentials,
                                struct error *err)
{
    *credentials = (struct credentials){0};
    return (provider->ops->fetch(provider, tools, credentials, err) &&
            check(credentials, err)) ||
           error_wrap(err, "credentials from %s", provider->ops->name);
}

void credentials_provider_destroy(struct credentials_provider *provider)
{
    if (provider)
        provider->ops->destroy(provider);
}
