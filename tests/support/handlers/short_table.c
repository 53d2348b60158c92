// Its table ends before destroy.
#include "plain.h"

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = offsetof(struct pollard_handler, destroy),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "short_table",
        .create = plain_create,
        .handle = plain_handle,
        .destroy = plain_destroy,
    };

    (void)host;
    return &handler;
}
