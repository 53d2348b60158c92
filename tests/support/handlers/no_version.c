// Its table ends before its version.
#include "plain.h"

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(size_t),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "no_version",
        .create = plain_create,
        .handle = plain_handle,
        .destroy = plain_destroy,
    };

    (void)host;
    return &handler;
}
