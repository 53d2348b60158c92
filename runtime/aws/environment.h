/*
 * environment: variables as the SDKs see them: an empty one is not set. Read
 * while a session is created, before threads start.
 */
#ifndef POLLARD_ENVIRONMENT_H
#define POLLARD_ENVIRONMENT_H

#include <stdbool.h>
#include <stdlib.h>
#include <strings.h>

static inline const char *environment_get(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

static inline bool environment_is_true(const char *value)
{
    return value && !strcasecmp(value, "true");
}

#endif
