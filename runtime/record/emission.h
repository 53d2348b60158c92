/*
 * emission: a result record that a handler emits, on its way to the trigger's
 * on_success destination. Handlers make them, destinations take them; neither
 * knows the other.
 */
#ifndef POLLARD_EMISSION_H
#define POLLARD_EMISSION_H

#include "base/bytes.h"

struct record;

struct emission {
    struct emission *next;
    struct bytes data, key; // both behind this struct, in the same allocation

    // Of the reports of on_failure, all borrowed; a handler's results have
    // none.
    struct bytes name;              // in a bucket or a folder
    const struct emission *smaller; // goes in its place once it is refused
    const struct record *record;    // a message goes on with its attributes
};

#endif
