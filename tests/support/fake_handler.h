/*
 * fake_handler: the handler room's face, held in the test's hand: invocations
 * stay with it until the test says how they end, in virtual time and on one
 * thread. A test that uses it is linked with --wrap, so it must mention
 *     __wrap_handler_start
 *     __wrap_handler_concurrency
 */
#ifndef POLLARD_FAKE_HANDLER_H
#define POLLARD_FAKE_HANDLER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "handler/handler.h"

#define FAKE_HANDLER_MOST 64

struct fake_handler {
    size_t concurrency;
    bool automatic; // each invocation succeeds at once, on the caller's thread

    // Shared.
    pthread_mutex_t lock;
    struct invocation *running[FAKE_HANDLER_MOST]; // guarded by lock
    size_t count;                                  // guarded by lock
    size_t started;                                // guarded by lock
};

void fake_handler_init(struct fake_handler *fake, size_t concurrency);
void fake_handler_finish(struct fake_handler *fake);
struct handler *fake_handler(struct fake_handler *fake);
size_t fake_handler_running(struct fake_handler *fake);

/* The running invocation whose first record's data is this. Fails the test when
 * there is none. */
struct invocation *fake_handler_find(struct fake_handler *fake,
                                     const char *data);

/* Let it end: as `kind`, but for the records whose data stands in `failed`,
 * separated by blanks (NULL: none), having emitted as many records. */
void fake_handler_end(struct fake_handler *fake, const char *data,
                      enum outcome_kind kind, const char *failed,
                      size_t emissions);

#endif
