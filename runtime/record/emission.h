/*
 * emission: a result record that a handler emits, on its way to the trigger's
 * on_success destination. Handlers make them, destinations take them; neither
 * knows the other.
 */
#ifndef POLLARD_EMISSION_H
#define POLLARD_EMISSION_H

#include "base/bytes.h"

struct emission {
    struct emission *next;
    struct bytes data, key; // both behind this struct, in the same allocation
};

#endif
