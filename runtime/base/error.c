#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
    va_list args;

    err->code = code;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    return false;
}

bool error_wrap(struct error *err, const char *format, ...)
{
    char inner[sizeof(err->message)];
    va_list args;
    int used;

    memcpy(inner, err->message, sizeof(inner));
    va_start(args, format);
    used = vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof(err->message))
        (void)snprintf(err->message + used, sizeof(err->message) - (size_t)used,
                       ": %s", inner);
    return false;
}

const char *error_code_name(enum error_code code)
{
    switch (code) {
    case ERROR_NONE:
        return "none";
    case ERROR_INVALID:
        return "invalid";
    case ERROR_DENIED:
        return "denied";
    case ERROR_NOT_FOUND:
        return "not_found";
    case ERROR_LOST:
        return "lost";
    case ERROR_THROTTLED:
        return "throttled";
    case ERROR_TRANSIENT:
        return "transient";
    case ERROR_STOPPED:
        return "stopped";
    }
    return "unknown";
}
