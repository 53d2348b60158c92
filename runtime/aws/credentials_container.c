#include "aws/credentials_container.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials.h"
#include "aws/environment.h"
#include "aws/fetch.h"
#include "aws/files.h"
#include "base/error.h"
#include "base/mem.h"

#define TIMEOUT_MS 2000
#define TRIES 3
#define PAUSE_MS 200

struct container {
    struct credentials_provider base;
    char *url;
    char *token, *token_file; // NULL: none; the file goes before the token
};

// Sent as it is; a line break in it would be a header of its own.
static bool read_token(const struct container *container, char **token,
                       struct error *err)
{
    *token = mem_strdup(container->token);
    if (container->token_file) {
        mem_wipe_text(*token);
        *token = NULL;
        if (!files_read_token(container->token_file, token, err))
            return false;
    }
    if (!*token || !strpbrk(*token, "\r\n"))
        return true;
    mem_wipe_text(*token);
    return error_set(err, ERROR_INVALID,
                     "the authorization token has a line break in it");
}

static bool try_once(const struct container *container,
                     const struct credentials_tools *tools,
                     const char *authorization, struct credentials *credentials,
                     struct error *err)
{
    const struct fetch fetch = {.method = "GET",
                                .url = container->url,
                                .headers = {authorization},
                                .timeout_ms = TIMEOUT_MS,
                                .bypass_proxy = true};
    struct buffer body;
    int status = 0;
    bool ok = fetch_run(&fetch, tools, &status, &body, err);

    if (ok && status != 200)
        ok = error_set(err, status >= 500 ? ERROR_TRANSIENT : ERROR_DENIED,
                       "GET %s: HTTP %d", container->url, status);
    if (ok)
        ok = credentials_read_json(buffer_bytes(&body), "Token", credentials,
                                   err) ||
             error_wrap(err, "GET %s", container->url);
    buffer_wipe(&body);
    return ok;
}

static bool fetch(struct credentials_provider *provider,
                  const struct credentials_tools *tools,
                  struct credentials *credentials, struct error *err)
{
    const struct container *container = (struct container *)provider;
    char *token, *authorization;
    bool ok = false;

    if (!read_token(container, &token, err))
        return false;
    authorization = token ? mem_printf("Authorization: %s", token) : NULL;
    for (int i = 0; i < TRIES && !ok; i++) {
        if (i && (err->code != ERROR_TRANSIENT ||
                  !fetch_pause(tools, PAUSE_MS, err)))
            break;
        ok = try_once(container, tools, authorization, credentials, err);
    }
    mem_wipe_text(authorization);
    mem_wipe_text(token);
    return ok;
}

static void destroy(struct credentials_provider *provider)
{
    struct container *container = (struct container *)provider;

    free(container->url);
    mem_wipe_text(container->token);
    free(container->token_file);
    free(container);
}

static const struct credentials_provider_ops ops = {
    .name = "the container's endpoint",
    .is_stable = true,
    .fetch = fetch,
    .destroy = destroy};

static bool is_trusted_host(const char *host)
{
    static const char *const hosts[] = {"169.254.170.2", "169.254.170.23",
                                        "[fd00:ec2::23]", "[::1]", "localhost"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        if (!strcasecmp(host, hosts[i]))
            return true;
    // 127.0.0.0/8, but no name that begins like it.
    return !strncmp(host, "127.", 4) && !host[strspn(host, "0123456789.")];
}

// Plain HTTP would show the token to the network.
static bool check_url(const char *url, struct error *err)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL;
    bool ok = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              (!strcmp(scheme, "https") ||
               (!strcmp(scheme, "http") && is_trusted_host(host)));

    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return ok || error_set(err, ERROR_INVALID,
                           "AWS_CONTAINER_CREDENTIALS_FULL_URI \"%s\" must be "
                           "https://, or http:// to this host",
                           url);
}

bool credentials_container_create(struct credentials_provider **provider,
                                  struct error *err)
{
    const char *relative =
        environment_get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = environment_get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    struct container *container;

    *provider = NULL;
    if (!relative && !full)
        return true;
    if (!relative && !check_url(full, err))
        return false;
    container = mem_calloc(1, sizeof(*container));
    container->base.ops = &ops;
    container->url = relative ? mem_printf("http://169.254.170.2%s", relative)
                              : mem_strdup(full);
    container->token =
        mem_strdup(environment_get("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    container->token_file =
        mem_strdup(environment_get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
    *provider = &container->base;
    return true;
}
