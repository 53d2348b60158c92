// Does what the test says; see script.h. Settings: {"instances":N} lets
// create() fail while N instances exist.
#include "script.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct instance {
    const struct pollard_host *host;
    atomic_int entered; // two threads at once would be a bug of the pool's
};

static atomic_int alive;

static int limit_of(const char *settings_json)
{
    const char *found = strstr(settings_json, "\"instances\":");

    return found ? atoi(found + strlen("\"instances\":")) : 1000;
}

static void *create(const struct pollard_host *host, const char *settings_json,
                    char *reason, size_t reason_size)
{
    struct instance *instance;

    if (atomic_fetch_add(&alive, 1) >= limit_of(settings_json)) {
        atomic_fetch_sub(&alive, 1);
        (void)snprintf(reason, reason_size, "too many connections");
        return NULL;
    }
    instance = calloc(1, sizeof(*instance));
    instance->host = host;
    host->log(POLLARD_LOG_INFO, "instance created");
    return instance;
}

static int handle(void *state, const struct pollard_batch *batch)
{
    struct instance *instance = state;
    const struct script *script;
    int result;

    if (atomic_fetch_add(&instance->entered, 1))
        abort();
    memcpy(&script, batch->records[0]->data, sizeof(script));
    result = script->run(instance->host, batch, script->context);
    atomic_fetch_sub(&instance->entered, 1);
    return result;
}

static void destroy(void *instance)
{
    atomic_fetch_sub(&alive, 1);
    free(instance);
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "script",
        .create = create,
        .handle = handle,
        .destroy = destroy,
    };

    (void)host;
    return &handler;
}
