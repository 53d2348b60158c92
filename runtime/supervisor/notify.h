/*
 * notify: the service manager's side of a daemon: readiness, status and
 * watchdog over $NOTIFY_SOCKET (sd_notify(3), whose page documents the protocol
 * for reimplementation). Without the variable every call does nothing.
 *
 * Threads: the supervisor's.
 */
#ifndef POLLARD_NOTIFY_H
#define POLLARD_NOTIFY_H

#include <stdint.h>

struct notify {
    int fd;              // -1: no manager listens
    int64_t watchdog_ms; // how often to beat; 0: no watchdog is asked for
};

/* Reads and removes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, so that
 * children do not speak in our name. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

/* "READY=1", "STATUS=...", "WATCHDOG=1"; several lines are joined by '\n'. */
void notify_send(const struct notify *notify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* CLOCK_MONOTONIC in microseconds, for RELOADING=1. */
int64_t notify_monotonic_usec(void);

#endif
