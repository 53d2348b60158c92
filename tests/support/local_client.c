#include "local_client.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "local/local.h"
#include "test.h"

#define DEADLINE_MS 10000
#define AUTHORIZATION                                                      \
    "Authorization: AWS4-HMAC-SHA256 Credential=AK/20261122/us-east-1/%s/" \
    "aws4_request, SignedHeaders=host, Signature=00"

static size_t collect(char *data, size_t size, size_t count, void *buffer)
{
    buffer_append(buffer, data, size * count);
    return size * count;
}

static struct local_client *create(struct local *server, bool owner)
{
    struct local_client *client = mem_calloc(1, sizeof(*client));

    client->server = server;
    client->owner = owner;
    client->port = local_port(server);
    client->curl = curl_easy_init();
    buffer_init(&client->answer, 128 << 20);
    buffer_init(&client->head, 1 << 20);
    return client;
}

struct local_client *local_client_start(const char *faults)
{
    struct error err = {0};
    struct local *server = local_start(
        &(struct local_options){
            .address = "127.0.0.1", .faults = faults, .seed = 42},
        &err);

    assert_ok(server != NULL, &err);
    return create(server, true);
}

struct local_client *local_client_join(const struct local_client *other)
{
    return create(other->server, false);
}

void local_client_stop(struct local_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    if (client->owner)
        local_stop(client->server);
    json_decref(client->json);
    buffer_finish(&client->answer);
    buffer_finish(&client->head);
    free(client);
}

static void read_answer(struct local_client *client)
{
    const char *type, *hash;

    json_decref(client->json);
    client->json = json_loadb(client->answer.data ? client->answer.data : "",
                              client->answer.size, 0, NULL);
    type = json_string_value(json_object_get(client->json, "__type"));
    hash = type ? strchr(type, '#') : NULL;
    (void)snprintf(client->code, sizeof(client->code), "%s",
                   hash   ? hash + 1
                   : type ? type
                          : "");
}

struct call {
    const char *method, *path, *type, *target, *service;
    struct bytes body;
};

static struct curl_slist *headers_of(const struct local_client *client,
                                     const struct call *call)
{
    char text[512];
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");

    (void)snprintf(text, sizeof(text), "Content-Type: %s", call->type);
    headers = curl_slist_append(headers, text);
    if (call->target) {
        (void)snprintf(text, sizeof(text), "X-Amz-Target: %s", call->target);
        headers = curl_slist_append(headers, text);
    }
    (void)snprintf(text, sizeof(text), AUTHORIZATION, call->service);
    return client->unsigned_too ? headers : curl_slist_append(headers, text);
}

static void perform(struct local_client *client, const struct call *call)
{
    struct curl_slist *headers = headers_of(client, call);
    char url[256];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", client->port,
                   call->path);
    buffer_clear(&client->answer);
    buffer_clear(&client->head);
    curl_easy_reset(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &client->answer);
    curl_easy_setopt(client->curl, CURLOPT_HEADERDATA, &client->head);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, 60000L);
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_FRESH_CONNECT, (long)client->fresh);
    if (call->body.data) {
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE,
                         (long)call->body.size);
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, call->body.data);
    }
    client->status = 0;
    if (curl_easy_perform(client->curl) == CURLE_OK)
        curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE,
                          &client->status);
    curl_slist_free_all(headers);
    read_answer(client);
}

__attribute__((format(printf, 6, 0))) static json_t *
call_json(struct local_client *client, const char *service, const char *prefix,
          const char *operation, const char *type, const char *format,
          va_list args)
{
    AUTO_FREE char *target = mem_printf("%s%s", prefix, operation);
    char *body = NULL;

    assert_true(vasprintf(&body, format, args) >= 0);
    perform(client, &(struct call){.method = "POST",
                                   .path = "/",
                                   .type = type,
                                   .target = target,
                                   .service = service,
                                   .body = bytes_of(body)});
    free(body);
    return client->json;
}

json_t *local_client_sqs(struct local_client *client, const char *operation,
                         const char *format, ...)
{
    va_list args;
    json_t *json;

    va_start(args, format);
    json = call_json(client, "sqs", "AmazonSQS.", operation,
                     "application/x-amz-json-1.0", format, args);
    va_end(args);
    return json;
}

json_t *local_client_kinesis(struct local_client *client, const char *operation,
                             const char *format, ...)
{
    va_list args;
    json_t *json;

    va_start(args, format);
    json = call_json(client, "kinesis", "Kinesis_20131202.", operation,
                     "application/x-amz-json-1.1", format, args);
    va_end(args);
    return json;
}

struct bytes local_client_cbor(struct local_client *client,
                               const char *operation, struct bytes body)
{
    AUTO_FREE char *target = mem_printf("Kinesis_20131202.%s", operation);

    perform(client, &(struct call){.method = "POST",
                                   .path = "/",
                                   .type = "application/x-amz-cbor-1.1",
                                   .target = target,
                                   .service = "kinesis",
                                   .body = body});
    return buffer_bytes(&client->answer);
}

const char *local_client_query(struct local_client *client, const char *form)
{
    perform(client, &(struct call){.method = "POST",
                                   .path = "/",
                                   .type = "application/x-www-form-urlencoded",
                                   .service = "sqs",
                                   .body = bytes_of(form)});
    return buffer_text(&client->answer);
}

json_t *local_client_admin(struct local_client *client, const char *method,
                           const char *path, const char *body)
{
    AUTO_FREE char *whole = mem_printf("/_pollard/%s", path);

    perform(client, &(struct call){.method = method,
                                   .path = whole,
                                   .type = "application/json",
                                   .service = "none",
                                   .body = bytes_of(body)});
    return client->json;
}

void local_client_advance(struct local_client *client, int64_t ms)
{
    AUTO_FREE char *body = mem_printf("{\"advance_ms\":%lld}", (long long)ms);

    (void)local_client_admin(client, "POST", "clock", body);
    assert_int_equal(client->status, 200);
}

int64_t local_client_count(struct local_client *client, const char *queue,
                           const char *name)
{
    const json_t *queues = json_object_get(
        local_client_admin(client, "GET", "stats", NULL), "queues");

    return json_integer_value(
        json_object_get(json_object_get(queues, queue), name));
}

void local_client_await(struct local_client *client, const char *queue,
                        const char *name, int64_t count)
{
    int64_t end_ms = clock_now_ms(clock_system()) + DEADLINE_MS;

    while (local_client_count(client, queue, name) != count)
        if (clock_now_ms(clock_system()) > end_ms)
            fail_msg("%s of %s did not become %lld", name, queue,
                     (long long)count);
}

const char *local_client_each(struct local_client *client, const char *list,
                              const char *member)
{
    const json_t *items = json_object_get(client->json, list), *item;
    size_t i;

    buffer_clear(&client->head);
    json_array_foreach(items, i, item)
    {
        const char *text = json_string_value(json_object_get(item, member));

        if (i)
            buffer_append_char(&client->head, ' ');
        buffer_append_text(&client->head, text ? text : "-");
    }
    return buffer_text(&client->head);
}
