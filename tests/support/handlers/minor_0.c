// Built for ABI 1.0, whose header is kept beside it: it knows of no window, and
// leaves a state by its response.
#include "handler_1_0.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct instance {
    const struct pollard_host *host;
};

static void *create(const struct pollard_host *host, const char *settings_json,
                    char *reason, size_t reason_size)
{
    struct instance *instance = calloc(1, sizeof(*instance));

    (void)settings_json;
    (void)reason;
    (void)reason_size;
    instance->host = host;
    return instance;
}

static int handle(void *state, const struct pollard_batch *batch)
{
    const struct instance *instance = state;
    const char *event;
    char response[64];
    size_t size;

    if (batch->size < sizeof(*batch) ||
        instance->host->event_json(batch, &event, &size) ||
        !strstr(event, "\"isFinalInvokeForWindow\":"))
        return 1;
    (void)snprintf(response, sizeof(response), "{\"state\":{\"records\":%zu}}",
                   batch->count);
    return instance->host->respond(batch, response, strlen(response));
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "minor_0",
        .create = create,
        .handle = handle,
        .destroy = free,
    };

    return host->size < sizeof(*host) ? NULL : &handler;
}
