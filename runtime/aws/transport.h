/*
 * transport: what all HTTP of the process shares below the requests: libcurl's
 * DNS and TLS session caches, the trusted CAs, and the options that keep a
 * transfer safe. Connections themselves are not shared: each client has its
 * own.
 *
 * The CAs are read once and handed to every connection: libcurl by itself
 * keeps a copy of the whole bundle, about a megabyte, for each of them.
 *
 * Threads: created and destroyed by one; used by any.
 */
#ifndef POLLARD_TRANSPORT_H
#define POLLARD_TRANSPORT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct error;
struct transport;

/* curl_global_init for a process of many threads. Call it before any of them;
 * curl_global_cleanup undoes it. */
void transport_global_init(void);

struct transport_options {
    const char *ca_bundle;      // a PEM file; NULL: the system's CAs. Copied
    int64_t connect_timeout_ms; // 0: 5 s
    bool uses_tls;              // surely: read the bundle now, not when needed
};

/* ERROR_INVALID: the bundle cannot be read. */
struct transport *transport_create(const struct transport_options *options,
                                   struct error *err);

/* Requires that no prepared handle is left. NULL is fine. */
void transport_destroy(struct transport *transport);

/* Set on a fresh easy handle what is the same for every transfer. */
void transport_prepare(struct transport *transport, CURL *easy);

/* Say in err what went wrong with a transfer. `detail` is libcurl's error
 * buffer. The code tells whether trying again makes sense. */
bool transport_explain(CURL *easy, CURLcode rc, const char *detail,
                       struct error *err);

#endif
