#include "local/request.h"
#include "local/input.h"
#include "local/services.h"

#define ADMIN_PATH "/_pollard/"

static const struct service *const services[] = {
    &serve_sqs_service,
    &serve_kinesis_service,
    &serve_sts_service,
};

#define SERVICES (sizeof(services) / sizeof(services[0]))

static bool starts_with(struct bytes text, const char *start)
{
    size_t size = strlen(start);

    return text.size >= size && memcmp(text.data, start, size) == 0;
}

static bool contains(struct bytes text, const char *part)
{
    return text.size && memmem(text.data, text.size, part, strlen(part));
}

static const struct operation *find_operation(const struct service *service,
                                              struct bytes name)
{
    for (size_t i = 0; i < service->count; i++)
        if (bytes_equal(name, bytes_of(service->operations[i].name)))
            return &service->operations[i];
    return NULL;
}

static enum protocol protocol_of(const struct request_head *head)
{
    if (starts_with(head->path, ADMIN_PATH))
        return PROTOCOL_ADMIN;
    if (starts_with(head->content_type, "application/x-amz-cbor"))
        return PROTOCOL_CBOR;
    if (head->target.size ||
        starts_with(head->content_type, "application/x-amz-json"))
        return PROTOCOL_JSON;
    return PROTOCOL_QUERY;
}

static bool route_admin(struct request *request)
{
    const struct request_head *head = &request->head;
    struct bytes path = head->path;
    const char *name;

    path.data += sizeof(ADMIN_PATH) - 1;
    path.size -= sizeof(ADMIN_PATH) - 1;
    name = arena_printf(&request->arena, "%.*s %.*s", BYTES_ARGS(head->method),
                        BYTES_ARGS(path));
    request->service = &serve_admin_service;
    request->operation = find_operation(&serve_admin_service, bytes_of(name));
    if (request->operation)
        return true;
    (void)request_fail(request, API_UNKNOWN_OPERATION,
                       "\"%s\" is nothing that this server does", name);
    request->status = 404;
    return false;
}

static bool route_target(struct request *request)
{
    struct bytes name = request->head.target;

    for (size_t i = 0; i < SERVICES; i++) {
        const char *target = services[i]->target;

        if (!target || !starts_with(name, target))
            continue;
        request->service = services[i];
        name.data += strlen(target);
        name.size -= strlen(target);
        request->operation = find_operation(services[i], name);
        break;
    }
    if (request->operation)
        return true;
    (void)request_fail(request, API_UNKNOWN_OPERATION,
                       "no operation \"%.*s\" here",
                       BYTES_ARGS(request->head.target));
    return false;
}

// Several services have an Action of the same name, so the scope of the
// signature decides, if it is there: Credential=KEY/DATE/REGION/SERVICE/...
static bool scope_allows(const struct service *service,
                         struct bytes authorization)
{
    if (contains(authorization, "/sts/aws4_request"))
        return service == &serve_sts_service;
    return service != &serve_sts_service ||
           !contains(authorization, "/sqs/aws4_request");
}

// A GET has its parameters in the URL.
static void move_query_to_body(struct request *request)
{
    if (!request->body.size && request->head.query.size)
        buffer_append_bytes(&request->body, request->head.query);
}

static bool route_action(struct request *request)
{
    struct bytes action;

    move_query_to_body(request);
    action = input_peek_form(buffer_bytes(&request->body), "Action");
    for (size_t i = 0; i < SERVICES && !request->operation; i++) {
        if (!services[i]->xml_namespace ||
            !scope_allows(services[i], request->head.authorization))
            continue;
        request->service = services[i];
        request->operation = find_operation(services[i], action);
    }
    if (request->operation)
        return true;
    if (action.size)
        (void)request_fail(request, API_UNKNOWN_OPERATION,
                           "The action %.*s is not valid for this endpoint.",
                           BYTES_ARGS(action));
    else
        (void)request_fail(request, API_UNKNOWN_OPERATION,
                           "neither X-Amz-Target nor Action says what to do");
    return false;
}

// Any credentials do, but there must be some: clients that forget to sign
// should find out here rather than in AWS.
static bool authenticate(struct request *request)
{
    struct bytes authorization = request->head.authorization;
    bool query = request->protocol == PROTOCOL_QUERY;

    if (contains(request->head.query, "X-Amz-Signature="))
        return true;
    if (contains(authorization, "Credential=") &&
        contains(authorization, "Signature="))
        return true;
    if (authorization.size)
        (void)request_fail(request, API_INCOMPLETE_SIGNATURE,
                           "Authorization header requires 'Credential' and "
                           "'Signature' parameters.");
    else
        (void)request_fail(request, API_MISSING_AUTHENTICATION,
                           "Request is missing Authentication Token");
    if (query)
        request->status = 403;
    return false;
}

bool request_route(struct request *request)
{
    request->protocol = protocol_of(&request->head);
    if (request->protocol == PROTOCOL_ADMIN)
        return route_admin(request);
    if (request->protocol == PROTOCOL_QUERY)
        return route_action(request) && authenticate(request);
    return route_target(request) && authenticate(request);
}
