/* null: handles everything at once, so that what is measured is pollard. */
#include <pollard/handler.h>

static void *null_create(const struct pollard_host *host, const char *settings,
                         char *reason, size_t reason_size)
{
    static char instance;

    (void)host;
    (void)settings;
    (void)reason;
    (void)reason_size;
    return &instance;
}

static int null_handle(void *instance, const struct pollard_batch *batch)
{
    (void)instance;
    (void)batch;
    return 0;
}

static void null_destroy(void *instance)
{
    (void)instance;
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "null",
        .create = null_create,
        .handle = null_handle,
        .destroy = null_destroy,
    };

    (void)host;
    return &handler;
}
