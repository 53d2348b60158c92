/*
 * credentials: one set of AWS credentials, what can provide it, and when it is
 * due for a refresh (wire.md sections 7.1 to 7.4).
 *
 * A provider is one source: the environment, a profile, a process, STS, a
 * container's endpoint, the instance's metadata. It may block for as long as
 * its own timeouts say, so only the credentials_cache's thread asks it.
 */
#ifndef POLLARD_CREDENTIALS_H
#define POLLARD_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct clock;
struct error;
struct transport;

struct credentials { // all owned, all wiped
    char *access_key, *secret_key;
    char *session_token;   // NULL: none
    char *account;         // NULL: not known
    int64_t expires_at_ms; // wall clock; 0: never
};

void credentials_finish(struct credentials *credentials);
void credentials_copy(struct credentials *to, const struct credentials *from);
bool credentials_equal(const struct credentials *a,
                       const struct credentials *b);

/* From the JSON that processes and metadata servers write. token_name is
 * "SessionToken" or "Token". `from` is zeroed by the caller. */
bool credentials_read_json(struct bytes json, const char *token_name,
                           struct credentials *credentials, struct error *err);

/* "2026-11-22T15:00:00Z", also with a fraction or an offset, to ms since 1970.
 */
bool credentials_read_time(const char *text, int64_t *wall_ms);

/* How urgent a refresh is. */
enum credentials_window {
    CREDENTIALS_FRESH,
    CREDENTIALS_ADVISORY,  // somebody should; the others go on
    CREDENTIALS_MANDATORY, // wait for it
};
enum credentials_window
credentials_window(const struct credentials *credentials, int64_t fetched_at_ms,
                   int64_t wall_ms);

/* What a provider may use while it works. All borrowed. */
struct credentials_tools {
    struct transport *transport;
    const struct clock *clock;
    int stop_fd; // readable: give up
};

struct credentials_provider {
    const struct credentials_provider_ops *ops;
};

struct credentials_provider_ops {
    const char *name; // for people: "the environment"
    bool is_local;    // fetching is quick: no network, no process
    bool is_fixed;    // fetching again gives the same

    /* A failed refresh leaves the old set in use, even past its expiry. */
    bool is_stable;

    /* Fill credentials, which is zeroed. ERROR_TRANSIENT: may work later. */
    bool (*fetch)(struct credentials_provider *provider,
                  const struct credentials_tools *tools,
                  struct credentials *credentials, struct error *err);

    void (*destroy)(struct credentials_provider *provider);
};

bool credentials_provider_fetch(struct credentials_provider *provider,
                                const struct credentials_tools *tools,
                                struct credentials *credentials,
                                struct error *err);
void credentials_provider_destroy(struct credentials_provider *provider);

#endif
