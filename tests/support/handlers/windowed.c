// Leaves as its window's state all that it saw of the window.
#include <pollard/handler.h>

#include <inttypes.h>
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
    const struct pollard_window *window = batch->window;
    char text[256];

    if (!window)
        return 1;
    (void)snprintf(text, sizeof(text),
                   "{\"was\":%.*s,\"records\":%zu,\"from\":%" PRId64
                   ",\"to\":%" PRId64
                   ",\"final\":%u,\"early\":%u,\"shard\":\"%s\"}",
                   (int)window->state_size, window->state, batch->count,
                   window->start_ms, window->end_ms, window->is_final,
                   window->is_terminated_early, batch->shard);
    return instance->host->set_state(batch, text, strlen(text));
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "windowed",
        .create = create,
        .handle = handle,
        .destroy = free,
    };

    return POLLARD_HAS(host, struct pollard_host, set_state) ? &handler : NULL;
}
