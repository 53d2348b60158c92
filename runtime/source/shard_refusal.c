#include "source/shard_refusal.h"

#include <stddef.h>
#include <string.h>

#include "base/error.h"

static const struct {
    const char *code;
    enum shard_reaction reaction;
} reactions[] = {
    {"ProvisionedThroughputExceededException", SHARD_SLOW},
    {"LimitExceededException", SHARD_SLOW},
    {"ThrottlingException", SHARD_SLOW},
    {"KMSThrottlingException", SHARD_SLOW},
    {"ExpiredIteratorException", SHARD_RENEW},
    {"InvalidArgumentException", SHARD_DOUBT},
    {"TrimmedDataAccessException", SHARD_TRIMMED},
    {"KMSDisabledException", SHARD_PAUSE},
    {"KMSInvalidStateException", SHARD_PAUSE},
    {"KMSAccessDeniedException", SHARD_PAUSE},
    {"KMSNotFoundException", SHARD_PAUSE},
    {"KMSOptInRequired", SHARD_PAUSE},
};

static enum shard_reaction by_error(enum error_code code)
{
    switch (code) {
    case ERROR_THROTTLED:
        return SHARD_SLOW;
    case ERROR_TRANSIENT:
    case ERROR_STOPPED:
        return SHARD_RETRY;
    case ERROR_NONE:
    case ERROR_INVALID:
    case ERROR_DENIED:
    case ERROR_NOT_FOUND:
    case ERROR_LOST:
        break;
    }
    return SHARD_FAIL;
}

enum shard_reaction shard_refusal_reaction(const struct shard_refusal *refusal)
{
    for (size_t i = 0; i < sizeof(reactions) / sizeof(reactions[0]); i++)
        if (!strcmp(refusal->code, reactions[i].code))
            return reactions[i].reaction;
    return by_error(refusal->error->code);
}
