/*
 * key_path: where in the tree a value stands, as messages name it:
 * `triggers.orders.filters[2]`. A chain of frames on the callers' stacks.
 *
 * Threads: plain values.
 */
#ifndef POLLARD_KEY_PATH_H
#define POLLARD_KEY_PATH_H

#include <stddef.h>

struct key_path {
    const struct key_path *up; // borrowed; NULL: the root
    const char *key;           // borrowed; NULL: an item of a list
    size_t index;              // of an item
};

/* "triggers.orders"; long keys are cut. Caller frees. */
char *key_path_text(const struct key_path *path);

#endif
