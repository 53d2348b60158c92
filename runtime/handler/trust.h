/*
 * trust: may others change this file? What pollard loads runs with pollard's
 * rights, so the library and its folder must belong to root or to the user that
 * runs pollard, and nobody else may write to them, nor replace a folder above.
 *
 * A folder like /tmp, where everybody writes but only owners rename (sticky),
 * is fine above the library's own folder. A group that is its owner's alone
 * (Debian gives each user one, and may set umask 002 for it) is no stranger.
 *
 * Threads: pure functions on the file system.
 */
#ifndef POLLARD_TRUST_H
#define POLLARD_TRUST_H

#include <stdbool.h>

struct error;

/* path is absolute, without symbolic links. ERROR_INVALID names the path at
 * fault and the command that mends it. */
bool trust_check(const char *path, struct error *err);

#endif
