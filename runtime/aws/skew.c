#include "aws/skew.h"

#define ROUND_TRIP_LIMIT_MS (15 * 60 * 1000)
#define TOLERANCE_MS (4 * 60 * 1000) // servers allow five minutes

bool skew_measure(const struct skew_sample *sample, int64_t *offset_ms)
{
    if (sample->date_ms < 0 || sample->has_age || sample->round_trip_ms < 0 ||
        sample->round_trip_ms > ROUND_TRIP_LIMIT_MS)
        return false;
    *offset_ms =
        sample->date_ms - (sample->received_ms - sample->round_trip_ms / 2);
    return true;
}

bool skew_explains(int64_t used_ms, int64_t measured_ms)
{
    int64_t gap = measured_ms - used_ms;

    return gap > TOLERANCE_MS || gap < -TOLERANCE_MS;
}
