#include "config/timestamp.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

// Exactly so many digits.
static bool take_digits(const char **at, int digits, int *number)
{
    *number = 0;
    for (; digits > 0; digits--, ++*at) {
        if (!isdigit((unsigned char)**at))
            return false;
        *number = *number * 10 + (**at - '0');
    }
    return true;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

// ".5" as milliseconds; further digits are cut off. Nothing is zero.
static bool take_fraction(const char **at, int *ms)
{
    int weight = 100;

    *ms = 0;
    if (!take_char(at, '.'))
        return true;
    if (!isdigit((unsigned char)**at))
        return false;
    for (; isdigit((unsigned char)**at); ++*at, weight /= 10)
        *ms += (**at - '0') * weight;
    return true;
}

// "Z", "+01:00" or "-0330", as seconds east of Greenwich.
static bool take_zone(const char **at, int *seconds)
{
    bool west = **at == '-';
    int hours, minutes;

    *seconds = 0;
    if (take_char(at, 'Z'))
        return true;
    if (!west && **at != '+')
        return false;
    ++*at;
    if (!take_digits(at, 2, &hours))
        return false;
    (void)take_char(at, ':');
    if (!take_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *seconds = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
    return true;
}

static bool take_date(const char **at, struct tm *parts)
{
    return take_digits(at, 4, &parts->tm_year) && take_char(at, '-') &&
           take_digits(at, 2, &parts->tm_mon) && take_char(at, '-') &&
           take_digits(at, 2, &parts->tm_mday);
}

static bool take_time(const char **at, struct tm *parts)
{
    return take_digits(at, 2, &parts->tm_hour) && take_char(at, ':') &&
           take_digits(at, 2, &parts->tm_min) && take_char(at, ':') &&
           take_digits(at, 2, &parts->tm_sec);
}

// timegm(3) would turn 31 February into 3 March.
static bool to_seconds(const struct tm *parts, int64_t *seconds)
{
    struct tm copy = *parts;

    copy.tm_year -= 1900;
    copy.tm_mon -= 1;
    *seconds = timegm(&copy);
    return copy.tm_year == parts->tm_year - 1900 &&
           copy.tm_mon == parts->tm_mon - 1 && copy.tm_mday == parts->tm_mday &&
           copy.tm_hour == parts->tm_hour && copy.tm_min == parts->tm_min &&
           copy.tm_sec == parts->tm_sec;
}

static bool parse_iso(const char *at, int64_t *wall_ms)
{
    struct tm parts;
    int ms, zone;
    int64_t seconds;

    memset(&parts, 0, sizeof(parts));
    if (!take_date(&at, &parts) ||
        !(take_char(&at, 'T') || take_char(&at, ' ')) ||
        !take_time(&at, &parts) || !take_fraction(&at, &ms) ||
        !take_zone(&at, &zone) || *at || !to_seconds(&parts, &seconds))
        return false;
    *wall_ms = (seconds - zone) * 1000 + ms;
    return true;
}

static bool parse_epoch(const char *at, int64_t *wall_ms)
{
    size_t digits = strspn(at, "0123456789");
    int64_t seconds = 0;
    int ms;

    if (!digits || digits > 12)
        return false;
    for (; digits > 0; digits--)
        seconds = seconds * 10 + (*at++ - '0');
    if (!take_fraction(&at, &ms) || *at)
        return false;
    *wall_ms = seconds * 1000 + ms;
    return true;
}

bool timestamp_parse(const char *text, int64_t *wall_ms)
{
    return parse_epoch(text, wall_ms) || parse_iso(text, wall_ms);
}
