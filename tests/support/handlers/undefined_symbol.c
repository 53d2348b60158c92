// Calls what no library has: loading must find it, not the first batch.
#include <pollard/handler.h>

int nobody_defines_this(void);

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    (void)host;
    return nobody_defines_this() ? NULL : NULL;
}
