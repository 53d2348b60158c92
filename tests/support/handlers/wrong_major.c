// Built for an ABI of the future.
#include "plain.h"

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = 7,
        .minor = 3,
        .name = "wrong_major",
        .create = plain_create,
        .handle = plain_handle,
        .destroy = plain_destroy,
    };

    (void)host;
    return &handler;
}
