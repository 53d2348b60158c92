#include "fake_aws.h"

#include "test.h"

#include <stdio.h>

void fake_aws_init(struct fake_aws *fake)
{
    *fake = (struct fake_aws){0};
}

void fake_aws_finish(struct fake_aws *fake)
{
    for (size_t i = 0; i < fake->count; i++)
        fake_call_finish(&fake->calls[i]);
    fake->count = 0;
}

struct aws_client *fake_aws_client(struct fake_aws *fake)
{
    return (struct aws_client *)(void *)fake;
}

void fake_aws_send(struct aws_client *client, struct aws_request *request)
{
    struct fake_aws *fake = (struct fake_aws *)(void *)client;
    struct fake_call *call = &fake->calls[fake->count++];

    assert_true(fake->count <= sizeof(fake->calls) / sizeof(fake->calls[0]));
    assert_true(buffer_ok(&request->body));
    fake->sent++;
    call->request = *request;
    call->body = buffer_text(&call->request.body);
    buffer_init(&request->body, request->body.limit);
}

size_t fake_aws_waiting(const struct fake_aws *fake, const char *operation)
{
    size_t waiting = 0;

    for (size_t i = 0; i < fake->count; i++)
        waiting += !strcmp(fake->calls[i].request.operation, operation);
    return waiting;
}

struct fake_call fake_aws_take(struct fake_aws *fake, const char *operation)
{
    struct fake_call call = {0};
    size_t i = 0;

    while (i < fake->count &&
           strcmp(fake->calls[i].request.operation, operation) != 0)
        i++;
    if (i == fake->count)
        fail_msg("no %s was sent", operation);
    call = fake->calls[i];
    fake->count--;
    memmove(&fake->calls[i], &fake->calls[i + 1],
            (fake->count - i) * sizeof(fake->calls[0]));
    return call;
}

void fake_call_finish(struct fake_call *call)
{
    buffer_finish(&call->request.body);
}

struct aws_reply fake_reply(const struct fake_call *call, const char *body,
                            int64_t now_ms)
{
    struct aws_reply reply = {.owner = call->request.owner,
                              .tag = call->request.tag,
                              .kind = call->request.kind,
                              .ok = true,
                              .status = 200,
                              .sent_ms = now_ms,
                              .received_ms = now_ms};

    buffer_init(&reply.body, 16 * 1024 * 1024);
    buffer_append_text(&reply.body, body);
    return reply;
}

struct aws_reply fake_failure(const struct fake_call *call, int status,
                              enum error_code reaction, const char *code,
                              int64_t now_ms)
{
    struct aws_reply reply = fake_reply(call, "", now_ms);

    reply.ok = false;
    reply.status = status;
    (void)snprintf(reply.code, sizeof(reply.code), "%s", code);
    error_set(&reply.error, reaction, "%s http://fake: %s: as the test says",
              call->request.operation, code);
    return reply;
}
