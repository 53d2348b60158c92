/*
 * load: from a path to a handler's checked table. A loaded library stays loaded
 * to the end of the process (there is no dlclose), so what is returned here is
 * never freed.
 *
 * A file that is loaded already (the same inode) gives the same library. A new
 * build under the old path is a new library beside the old one, which goes on
 * working: a reload may pick it up.
 *
 * Threads: one at a time, the supervisor's. A library may be read by all.
 */
#ifndef POLLARD_LOAD_H
#define POLLARD_LOAD_H

#include <pollard/handler.h>

struct error;

struct library {
    struct pollard_handler table; // our copy; members they lack are NULL
    char *path;                   // without symbolic links
};

/* Check the file (owner, permissions, architecture), load it, and adopt its
 * table. ERROR_INVALID with one clear sentence. */
const struct library *load_library(const char *path,
                                   const struct pollard_host *host,
                                   struct error *err);

#endif
