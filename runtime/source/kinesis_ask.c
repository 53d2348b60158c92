#include "source/kinesis_ask.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"

struct aws_request kinesis_ask_begin(const char *operation)
{
    struct aws_request request = {.service = AWS_KINESIS,
                                  .protocol = AWS_JSON_11,
                                  .operation = operation};

    buffer_init(&request.body, KINESIS_ASK_LIMIT);
    return request;
}

json_t *kinesis_ask(struct aws_client *client, struct aws_request *request,
                    const bool *stop, const char *name, char code[96],
                    struct error *err)
{
    struct aws_reply reply = {0};
    json_auto_t *root = NULL;
    json_t *member;

    (void)aws_client_call(client, request, stop, &reply);
    memcpy(code, reply.code, sizeof(reply.code));
    if (reply.ok && reply.body.size)
        root = json_loadb(reply.body.data, reply.body.size, 0, NULL);
    member = json_incref(json_object_get(root, name));
    if (!reply.ok)
        *err = reply.error;
    else if (!member)
        error_set(err, ERROR_TRANSIENT, "%s: no %s in the answer",
                  request->operation, name);
    aws_reply_finish(&reply);
    return member;
}
