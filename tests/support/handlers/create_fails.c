// Its create() always fails, and tells the settings it got.
#include "plain.h"

#include <stdio.h>

static void *create(const struct pollard_host *host, const char *settings_json,
                    char *reason, size_t reason_size)
{
    (void)host;
    (void)snprintf(reason, reason_size, "no database for %s", settings_json);
    return NULL;
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "create_fails",
        .create = create,
        .handle = plain_handle,
        .destroy = plain_destroy,
    };

    (void)host;
    return &handler;
}
