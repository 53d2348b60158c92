#include "aws/fetch.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdlib.h>

#include "aws/credentials.h"
#include "aws/transport.h"
#include "base/error.h"

#define BODY_LIMIT (256 * 1024)

static size_t on_body(char *data, size_t unit, size_t count, void *context)
{
    struct buffer *body = context;

    (void)unit;
    buffer_append(body, data, count);
    return buffer_ok(body) ? count : 0;
}

static struct curl_slist *header_list(const struct fetch *fetch)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");

    for (size_t i = 0; fetch->headers[i]; i++)
        list = curl_slist_append(list, fetch->headers[i]);
    return list;
}

static void prepare(CURL *easy, const struct fetch *fetch,
                    struct curl_slist *headers, struct buffer *body,
                    char *detail)
{
    curl_easy_setopt(easy, CURLOPT_URL, fetch->url);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, fetch->method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (fetch->body.data) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)fetch->body.size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, fetch->body.data);
    }
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)fetch->timeout_ms);
    if (fetch->bypass_proxy)
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
}

// False: the session is being closed.
static bool run(CURLM *multi, int stop_fd, CURLcode *rc)
{
    struct curl_waitfd stop = {.fd = stop_fd, .events = CURL_WAIT_POLLIN};
    const CURLMsg *message;
    int running = 1, left;

    while (running) {
        (void)curl_multi_perform(multi, &running);
        if (running)
            (void)curl_multi_poll(multi, &stop, 1, 1000, NULL);
        if (stop.revents)
            return false;
    }
    message = curl_multi_info_read(multi, &left);
    *rc = message ? message->data.result : CURLE_RECV_ERROR;
    return true;
}

static bool conclude(CURL *easy, CURLcode rc, const char *detail,
                     const struct buffer *body, int *status, struct error *err)
{
    long code = 0;

    if (!buffer_ok(body))
        return error_set(err, ERROR_INVALID, "answer over %d bytes",
                         BODY_LIMIT);
    if (rc != CURLE_OK)
        return transport_explain(easy, rc, detail, err);
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    *status = (int)code;
    return true;
}

bool fetch_run(const struct fetch *fetch, const struct credentials_tools *tools,
               int *status, struct buffer *body, struct error *err)
{
    CURL *easy = curl_easy_init();
    CURLM *multi = curl_multi_init();
    struct curl_slist *headers = header_list(fetch);
    char detail[CURL_ERROR_SIZE] = "";
    CURLcode rc = CURLE_OK;
    bool ok;

    if (!easy || !multi || !headers)
        abort(); // only for want of memory
    buffer_init(body, BODY_LIMIT);
    transport_prepare(tools->transport, easy);
    prepare(easy, fetch, headers, body, detail);
    (void)curl_multi_add_handle(multi, easy);
    ok = run(multi, tools->stop_fd, &rc)
             ? conclude(easy, rc, detail, body, status, err)
             : error_set(err, ERROR_STOPPED, "stopped");
    (void)curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    (void)curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    return ok || error_wrap(err, "%s %s", fetch->method, fetch->url);
}

bool fetch_pause(const struct credentials_tools *tools, int64_t pause_ms,
                 struct error *err)
{
    struct pollfd stop = {.fd = tools->stop_fd, .events = POLLIN};

    if (poll(&stop, 1, (int)pause_ms) > 0)
        return error_set(err, ERROR_STOPPED, "stopped");
    return true;
}
