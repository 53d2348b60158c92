// Built for a later minor version, whose table is longer.
#include "plain.h"

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct {
        struct pollard_handler known;
        const char *later;
    } handler = {
        .known =
            {
                .size = sizeof(handler),
                .major = POLLARD_HANDLER_MAJOR,
                .minor = POLLARD_HANDLER_MINOR + 5,
                .name = "longer_table",
                .create = plain_create,
                .handle = plain_handle,
                .destroy = plain_destroy,
            },
        .later = "what this pollard has never heard of",
    };

    (void)host;
    return &handler.known;
}
