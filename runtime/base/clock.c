#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_monotonic_ms(const struct clock *clock)
{
    (void)clock;
    return read_ms(CLOCK_BOOTTIME);
}

static int64_t system_wall_ms(const struct clock *clock)
{
    (void)clock;
    return read_ms(CLOCK_REALTIME);
}

const struct clock *clock_system(void)
{
    static const struct clock clock = {.monotonic_ms = system_monotonic_ms,
                                       .wall_ms = system_wall_ms};

    return &clock;
}

int64_t clock_now_ms(const struct clock *clock)
{
    return clock->monotonic_ms(clock);
}

int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock);
}

int64_t clock_until_ms(int64_t deadline_ms, int64_t now_ms, int64_t limit_ms)
{
    if (deadline_ms <= now_ms)
        return 0;
    return deadline_ms - now_ms < limit_ms ? deadline_ms - now_ms : limit_ms;
}

void clock_format_utc(int64_t wall_ms, char text[25])
{
    // Floor, so that a time before 1970 keeps its milliseconds positive.
    int64_t ms = (wall_ms % 1000 + 1000) % 1000;
    time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
    struct tm parts;
    size_t used;

    text[0] = '\0';
    if (!gmtime_r(&seconds, &parts) || parts.tm_year > 9999 - 1900 ||
        parts.tm_year < -1900)
        return;
    used = strftime(text, 25, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + used, 25 - used, ".%03dZ", (int)ms);
}
