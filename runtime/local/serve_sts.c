#include "local/input.h"
#include "local/server.h"
#include "local/services.h"

static const struct input_fields no_fields = {.size = 1};

static enum step get_caller_identity(struct request *request)
{
    const char *account = request->server->account;

    writer_text(&request->writer, "Arn",
                bytes_of(arena_printf(&request->arena, "arn:aws:iam::%s:root",
                                      account)));
    writer_text(&request->writer, "UserId", bytes_of(account));
    writer_text(&request->writer, "Account", bytes_of(account));
    return STEP_REPLY;
}

static struct bytes no_resource(const struct request *request)
{
    (void)request;
    return (struct bytes){0};
}

static const struct operation operations[] = {
    {"GetCallerIdentity", get_caller_identity},
};

const struct service serve_sts_service = {
    .json_type = "application/json",
    .error_prefix = "",
    .xml_namespace = "https://sts.amazonaws.com/doc/2011-06-15/",
    .operations = operations,
    .count = sizeof(operations) / sizeof(operations[0]),
    .input = &no_fields,
    .resource = no_resource,
};
