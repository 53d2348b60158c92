// Its table lacks handle().
#include "plain.h"

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "empty_member",
        .create = plain_create,
        .destroy = plain_destroy,
    };

    (void)host;
    return &handler;
}
