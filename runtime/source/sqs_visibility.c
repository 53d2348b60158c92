#include "source/sqs_visibility.h"

#include "record/record.h"

#define VISIBILITY_DEFAULT_S 30 // SQS's own, where the queue does not tell
#define VISIBILITY_SPARE_S 30

static int64_t without_window_s(const struct sqs_visibility *visibility,
                                int64_t own_s)
{
    if (visibility->configured_s >= 0)
        return visibility->configured_s;
    return own_s >= 0 ? own_s : VISIBILITY_DEFAULT_S;
}

static int64_t with_spare_s(int64_t needed_s)
{
    int64_t s = needed_s + VISIBILITY_SPARE_S;

    return s < SQS_VISIBILITY_MOST_S ? s : SQS_VISIBILITY_MOST_S;
}

int64_t sqs_visibility_asked_s(const struct sqs_visibility *visibility,
                               int64_t own_s)
{
    if (visibility->needed_s > without_window_s(visibility, own_s))
        return with_spare_s(visibility->needed_s);
    return visibility->configured_s;
}

int64_t sqs_visibility_s(const struct sqs_visibility *visibility, int64_t own_s)
{
    int64_t asked_s = sqs_visibility_asked_s(visibility, own_s);

    return asked_s >= 0 ? asked_s : without_window_s(visibility, own_s);
}

bool sqs_visibility_is_short(const struct sqs_visibility *visibility,
                             int64_t own_s)
{
    return sqs_visibility_s(visibility, own_s) < visibility->batch_s;
}

int64_t sqs_visibility_delay_s(const struct record *record, int64_t delay_ms,
                               int64_t now_ms)
{
    int64_t most_s =
        SQS_VISIBILITY_MOST_S - (now_ms - record->received_ms) / 1000 - 1;
    int64_t wanted_s = (delay_ms + 999) / 1000;

    if (wanted_s > most_s)
        wanted_s = most_s;
    return wanted_s > 0 ? wanted_s : 0;
}
