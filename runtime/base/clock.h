/*
 * clock: time as an argument. Durations and deadlines use the monotonic clock
 * (CLOCK_BOOTTIME, so that a suspended machine notices), the wall clock serves
 * signatures and people. Tests step a simulated clock (tests/support).
 *
 * Threads: the system clock is immutable and shared by all.
 */
#ifndef POLLARD_CLOCK_H
#define POLLARD_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX // a deadline that does not come

struct clock {
    int64_t (*monotonic_ms)(const struct clock *clock);
    int64_t (*wall_ms)(const struct clock *clock); // since 1970, UTC
};

const struct clock *clock_system(void);

/* Milliseconds on the monotonic clock. Never goes back. */
int64_t clock_now_ms(const struct clock *clock);

/* Milliseconds since 1970-01-01 UTC. May jump. */
int64_t clock_wall_ms(const struct clock *clock);

/* How long until deadline_ms: 0 when past, limit_ms at the most. */
int64_t clock_until_ms(int64_t deadline_ms, int64_t now_ms, int64_t limit_ms);

/* The earlier of two deadlines. */
static inline int64_t clock_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* "2026-11-22T15:00:00.123Z"; empty outside the years 0 to 9999. */
void clock_format_utc(int64_t wall_ms, char text[25]);

#endif
