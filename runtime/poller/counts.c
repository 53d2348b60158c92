#include "poller/counts.h"

void pipeline_counts_add(struct pipeline_counts *sum,
                         const struct pipeline_counts *counts)
{
    sum->polled += counts->polled;
    sum->filtered += counts->filtered;
    sum->dispatched += counts->dispatched;
    sum->failed_error += counts->failed_error;
    sum->failed_timeout += counts->failed_timeout;
    sum->failed_records += counts->failed_records;
    sum->failed_response += counts->failed_response;
    sum->invalid_responses += counts->invalid_responses;
    sum->dropped_attempts += counts->dropped_attempts;
    sum->dropped_age += counts->dropped_age;
    sum->reported += counts->reported;
    sum->moved += counts->moved;
    sum->breaker_opened += counts->breaker_opened;
    sum->breakers_open += counts->breakers_open;
    if (counts->lag_ms > sum->lag_ms)
        sum->lag_ms = counts->lag_ms;
}

void pipeline_counts_end(struct pipeline_counts *counts)
{
    counts->breakers_open = 0;
    counts->lag_ms = 0;
}
