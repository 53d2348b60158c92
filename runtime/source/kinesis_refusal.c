#include "source/kinesis_refusal.h"

#include <stddef.h>
#include <string.h>

#include "base/error.h"

static const struct {
    const char *code;
    enum kinesis_reaction reaction;
} reactions[] = {
    {"ProvisionedThroughputExceededException", KINESIS_SLOW},
    {"LimitExceededException", KINESIS_SLOW},
    {"ThrottlingException", KINESIS_SLOW},
    {"KMSThrottlingException", KINESIS_SLOW},
    {"ExpiredIteratorException", KINESIS_RENEW},
    {"InvalidArgumentException", KINESIS_DOUBT},
    {"KMSDisabledException", KINESIS_PAUSE},
    {"KMSInvalidStateException", KINESIS_PAUSE},
    {"KMSAccessDeniedException", KINESIS_PAUSE},
    {"KMSNotFoundException", KINESIS_PAUSE},
    {"KMSOptInRequired", KINESIS_PAUSE},
};

static enum kinesis_reaction by_error(enum error_code code)
{
    switch (code) {
    case ERROR_THROTTLED:
        return KINESIS_SLOW;
    case ERROR_TRANSIENT:
    case ERROR_STOPPED:
        return KINESIS_RETRY;
    case ERROR_NONE:
    case ERROR_INVALID:
    case ERROR_DENIED:
    case ERROR_NOT_FOUND:
    case ERROR_LOST:
        break;
    }
    return KINESIS_FAIL;
}

enum kinesis_reaction
kinesis_refusal_reaction(const struct kinesis_refusal *refusal)
{
    for (size_t i = 0; i < sizeof(reactions) / sizeof(reactions[0]); i++)
        if (!strcmp(refusal->code, reactions[i].code))
            return reactions[i].reaction;
    return by_error(refusal->error->code);
}
