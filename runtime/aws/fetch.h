/*
 * fetch: one blocking HTTP request of a credentials provider, with a
 * deadline, ended early when the session is closed.
 */
#ifndef POLLARD_FETCH_H
#define POLLARD_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct credentials_tools;
struct error;

struct fetch { // all borrowed
    const char *method;
    const char *url;
    const char *headers[8]; // "Name: value"; NULL ends them
    struct bytes body;
    int64_t timeout_ms;
    bool bypass_proxy; // link-local addresses are behind none
};

/* True when an answer came, whatever its status. The caller finishes body,
 * which is initialised here. ERROR_STOPPED: the session is closed. */
bool fetch_run(const struct fetch *fetch, const struct credentials_tools *tools,
               int *status, struct buffer *body, struct error *err);

/* A pause between two tries. False, with ERROR_STOPPED: the session is closed.
 */
bool fetch_pause(const struct credentials_tools *tools, int64_t pause_ms,
                 struct error *err);

#endif
