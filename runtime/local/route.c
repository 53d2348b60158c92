#include "local/exchange.h"
#include "local/input.h"
#include "local/services.h"

#define ADMIN_PATH "/_pollard/"

static const struct service *const services[] = {
    &serve_sqs_service,
    &serve_kinesis_service,
    &sts_service,
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

static enum protocol protocol_of(const struct exchange_request *request)
{
    if (starts_with(request->path, ADMIN_PATH))
        return PROTOCOL_ADMIN;
    if (starts_with(request->content_type, "application/x-amz-cbor"))
        return PROTOCOL_CBOR;
    if (request->target.size ||
        starts_with(request->content_type, "application/x-amz-json"))
        return PROTOCOL_JSON;
    return PROTOCOL_QUERY;
}

static bool route_admin(struct exchange *exchange)
{
    const struct exchange_request *request = &exchange->request;
    struct bytes path = request->path;
    const char *name;

    path.data += sizeof(ADMIN_PATH) - 1;
    path.size -= sizeof(ADMIN_PATH) - 1;
    name = arena_printf(&exchange->arena, "%.*s %.*s",
                        BYTES_ARGS(request->method), BYTES_ARGS(path));
    exchange->service = &admin_service;
    exchange->operation = find_operation(&admin_service, bytes_of(name));
    if (exchange->operation)
        return true;
    (void)exchange_fail(exchange, API_UNKNOWN_OPERATION,
                        "\"%s\" is nothing that this server does", name);
    exchange->status = 404;
    return false;
}

static bool route_target(struct exchange *exchange)
{
    struct bytes name = exchange->request.target;

    for (size_t i = 0; i < SERVICES; i++) {
        const char *target = services[i]->target;

        if (!target || !starts_with(name, target))
            continue;
        exchange->service = services[i];
        name.data += strlen(target);
        name.size -= strlen(target);
        exchange->operation = find_operation(services[i], name);
        break;
    }
    if (exchange->operation)
        return true;
    (void)exchange_fail(exchange, API_UNKNOWN_OPERATION,
                        "no operation \"%.*s\" here",
                        BYTES_ARGS(exchange->request.target));
    return false;
}

// Several services have an Action of the same name, so the scope of the
// signature decides, if it is there: Credential=KEY/DATE/REGION/SERVICE/...
static bool scope_allows(const struct service *service,
                         struct bytes authorization)
{
    if (contains(authorization, "/sts/aws4_request"))
        return service == &sts_service;
    return service != &sts_service ||
           !contains(authorization, "/sqs/aws4_request");
}

// A GET has its parameters in the URL.
static void move_query_to_body(struct exchange *exchange)
{
    if (!exchange->body.size && exchange->request.query.size)
        buffer_append_bytes(&exchange->body, exchange->request.query);
}

static bool route_action(struct exchange *exchange)
{
    struct bytes action;

    move_query_to_body(exchange);
    action = input_peek_form(buffer_bytes(&exchange->body), "Action");
    for (size_t i = 0; i < SERVICES && !exchange->operation; i++) {
        if (!services[i]->xml_namespace ||
            !scope_allows(services[i], exchange->request.authorization))
            continue;
        exchange->service = services[i];
        exchange->operation = find_operation(services[i], action);
    }
    if (exchange->operation)
        return true;
    if (action.size)
        (void)exchange_fail(exchange, API_UNKNOWN_OPERATION,
                            "The action %.*s is not valid for this endpoint.",
                            BYTES_ARGS(action));
    else
        (void)exchange_fail(exchange, API_UNKNOWN_OPERATION,
                            "neither X-Amz-Target nor Action says what to do");
    return false;
}

// Any credentials do, but there must be some: clients that forget to sign
// should find out here rather than in AWS.
static bool authenticate(struct exchange *exchange)
{
    struct bytes authorization = exchange->request.authorization;
    bool query = exchange->protocol == PROTOCOL_QUERY;

    if (contains(exchange->request.query, "X-Amz-Signature="))
        return true;
    if (contains(authorization, "Credential=") &&
        contains(authorization, "Signature="))
        return true;
    if (authorization.size)
        (void)exchange_fail(exchange, API_INCOMPLETE_SIGNATURE,
                            "Authorization header requires 'Credential' and "
                            "'Signature' parameters.");
    else
        (void)exchange_fail(exchange, API_MISSING_AUTHENTICATION,
                            "Request is missing Authentication Token");
    if (query)
        exchange->status = 403;
    return false;
}

bool exchange_route(struct exchange *exchange)
{
    exchange->protocol = protocol_of(&exchange->request);
    if (exchange->protocol == PROTOCOL_ADMIN)
        return route_admin(exchange);
    if (exchange->protocol == PROTOCOL_QUERY)
        return route_action(exchange) && authenticate(exchange);
    return route_target(exchange) && authenticate(exchange);
}
