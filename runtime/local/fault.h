/*
 * fault: errors, delays and damage on request, so that clients can be tested
 * against what real services do on bad days. The grammar is in docs/local.md:
 *
 *     OPERATION[@RESOURCE]:ACTION[=VALUE][:rate=R][:after=N][:times=N][:status=N]
 *
 * Threads: the server thread only. Chance is seeded: the same requests in the
 * same order meet the same faults.
 */
#ifndef POLLARD_LOCAL_FAULT_H
#define POLLARD_LOCAL_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/random.h"
#include "local/list.h"

struct error;

enum fault_action {
    // Once for each request.
    FAULT_ERROR,         // =CODE: answer with this error
    FAULT_ERROR_IN_200,  // =CODE: the same with status 200
    FAULT_LATENCY,       // =MS before executing
    FAULT_LATENCY_AFTER, // =MS between executing and answering
    FAULT_DROP,          // =before or after executing: close the connection
    FAULT_TRUNCATE,      // the answer's body ends half-way
    FAULT_HTML,          // a proxy's error page instead
    FAULT_EMPTY,         // nothing received though there is something
    FAULT_EXPIRED,       // the shard iterator has expired

    // Once for each entry or message.
    FAULT_PARTIAL,    // =CODE: this entry of the batch fails
    FAULT_DUPLICATE,  // the message will be delivered again
    FAULT_BROKEN_MD5, // the body's MD5 is wrong
};

struct fault {
    struct list link;
    char *spec;                 // as given, owned
    char *operation, *resource; // patterns, owned
    enum fault_action action;
    char *code;          // an error's name, owned; NULL: none
    int64_t ms;          // of a latency
    bool after;          // of a drop
    double rate;         // 0 to 1
    int64_t skip, times; // matches to let pass first; most hits (-1: any)
    int status;          // 0: the error's own
    int64_t matches, hits;
};

struct faults {
    struct list list; // struct fault, in the order given
    struct random random;
};

void faults_init(struct faults *faults, uint64_t seed);
void faults_finish(struct faults *faults);

/* Add one or several, separated by semicolons or white space: all or none. */
bool faults_add(struct faults *faults, struct bytes specs, struct error *err);

void faults_clear(struct faults *faults);

/* The first fault of this action that strikes now, or NULL. */
const struct fault *faults_strike(struct faults *faults,
                                  enum fault_action action,
                                  struct bytes operation,
                                  struct bytes resource);

#endif
