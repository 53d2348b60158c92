/*
 * failed_inner: what list, show and replay share. For the files failed*.c only.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_FAILED_INNER_H
#define POLLARD_FAILED_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "destination/failure_read.h"

struct error;
struct settings;
struct trigger_config;

struct failed_arguments {
    bool json, dry_run;
    const struct settings *settings;      // NULL: no trigger was named
    const struct trigger_config *trigger; // the same
    char *const *paths;
    size_t path_count;
};

/* One stored report, without its records. All text is owned. */
struct failed_entry {
    char *path;
    char *when, *source, *shard, *condition, *first, *last;
    int64_t count;
};

struct failed_list {
    struct failed_entry *entries; // owned; by time, then path
    size_t count, capacity;
    size_t bad;       // files that are no reports; said on stderr
    const char *hint; // said of a path that cannot be entered
};

/* The reports of the paths, files or folders, or else of the trigger's own
 * folder. What cannot be read is said. Returns an enum command_exit; the list
 * is to be finished in any case. */
int failed_list_read(struct failed_list *list,
                     const struct failed_arguments *arguments);
void failed_list_finish(struct failed_list *list);

/* Read a report. The caller finishes it in any case. */
bool failed_open(const char *path, struct failure_read *read,
                 struct error *err);

int failed_do_list(const struct failed_arguments *arguments);
int failed_do_show(const struct failed_arguments *arguments);
int failed_do_replay(const struct failed_arguments *arguments);

#endif
