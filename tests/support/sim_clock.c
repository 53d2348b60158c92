#include "sim_clock.h"

static int64_t sim_monotonic_ms(const struct clock *clock)
{
    return ((const struct sim_clock *)(const void *)clock)->now_ms;
}

static int64_t sim_wall_ms(const struct clock *clock)
{
    return ((const struct sim_clock *)(const void *)clock)->wall_ms;
}

void sim_clock_init(struct sim_clock *clock)
{
    *clock = (struct sim_clock){
        .clock = {.monotonic_ms = sim_monotonic_ms, .wall_ms = sim_wall_ms},
        .now_ms = 1000000,
        .wall_ms = 1795359600000};
}

void sim_clock_advance(struct sim_clock *clock, int64_t ms)
{
    clock->now_ms += ms;
    clock->wall_ms += ms;
}
