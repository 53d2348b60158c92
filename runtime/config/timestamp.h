/*
 * timestamp: a point in time as people and AWS write it: ISO 8601 with a zone
 * ("2026-11-22T15:00:00.5Z", "2026-11-22T16:00:00+01:00") or seconds since 1970
 * ("1795359600.5").
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_TIMESTAMP_H
#define POLLARD_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds since 1970, UTC. False when malformed or without a zone. */
bool timestamp_parse(const char *text, int64_t *wall_ms);

#endif
