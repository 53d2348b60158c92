/*
 * sim_clock: a clock that moves only when a test moves it.
 */
#ifndef POLLARD_SIM_CLOCK_H
#define POLLARD_SIM_CLOCK_H

#include <stdint.h>

#include "base/clock.h"

struct sim_clock {
    struct clock clock; // first
    int64_t now_ms, wall_ms;
};

/* Starts at 1000000 ms monotonic, 2026-11-22T15:00:00Z on the wall. */
void sim_clock_init(struct sim_clock *clock);
void sim_clock_advance(struct sim_clock *clock, int64_t ms);

#endif
