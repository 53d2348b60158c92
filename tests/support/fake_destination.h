/*
 * fake_destination: a destination that accepts when the test says so. A test
 * that uses it is linked with --wrap, so it must mention
 *     __wrap_destination_open (which refuses: a test hands the fake over)
 *     __wrap_destination_deliver
 *     __wrap_destination_withdraw
 *     __wrap_destination_reply
 *     __wrap_destination_poll
 *     __wrap_destination_deadline_ms
 *     __wrap_destination_next
 *     __wrap_destination_close
 */
#ifndef POLLARD_FAKE_DESTINATION_H
#define POLLARD_FAKE_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>

#include "destination/destination.h"

struct fake_destination {
    bool down;
    struct delivery *waiting; // borrowed, as deliveries are
    size_t accepted;          // emissions
    size_t withdrawn;         // deliveries
    bool closed;
};

struct destination *fake_destination(struct fake_destination *fake);

#endif
