/*
 * credentials_cache: the credentials in use, shared by all clients. One thread,
 * started when it is first needed, asks the provider; everybody else goes on
 * with the old set, or waits in its own loop and is woken (wire.md section
 * 7.4).
 *
 * Threads: created and destroyed by the session; everything else any thread's.
 * A struct credentials_user belongs to its client.
 */
#ifndef POLLARD_CREDENTIALS_CACHE_H
#define POLLARD_CREDENTIALS_CACHE_H

#include <stdint.h>

#include "aws/credentials.h"

struct credentials_cache;
struct log;

struct credentials_cache_options {
    struct credentials_provider *provider; // taken over
    struct transport *transport;           // borrowed
    const struct clock *clock;
    const struct log *log; // copied
    uint64_t seed;
};

struct credentials_cache *
credentials_cache_create(const struct credentials_cache_options *options);

/* Ends a fetch that is under way. Requires that no user is left. NULL is fine.
 */
void credentials_cache_destroy(struct credentials_cache *cache);

/* One client's copy. */
struct credentials_user {
    struct credentials credentials; // the user's own
    uint64_t generation;            // of the copy; 0: none yet

    /* Any thread, with the cache's lock held: must not block or call back. */
    void (*wake)(void *context);
    void *context;

    struct credentials_user *next; // the cache's, guarded by its lock
};

/* Sign a user on and off; the second wipes its copy. */
void credentials_cache_enter(struct credentials_cache *cache,
                             struct credentials_user *user);
void credentials_cache_leave(struct credentials_cache *cache,
                             struct credentials_user *user);

enum credentials_state {
    CREDENTIALS_READY,   // user->credentials may be used
    CREDENTIALS_PENDING, // wake will be called; then ask again
    CREDENTIALS_FAILED,  // err says why; asking again later may help
};

/* Bring the user's copy up to date. Starts a refresh that is due. Never
 * blocks. */
enum credentials_state credentials_cache_use(struct credentials_cache *cache,
                                             struct credentials_user *user,
                                             struct error *err);

/* A server refused the set of this generation: fetch another, unless one is
 * newer already or this was tried just now. */
void credentials_cache_reject(struct credentials_cache *cache,
                              uint64_t generation);

/* Fetch now and wait for it. */
bool credentials_cache_check(struct credentials_cache *cache,
                             struct error *err);

/* "the environment": where they come from. */
const char *credentials_cache_source(const struct credentials_cache *cache);

/* The account the provider named, or NULL. Caller frees. */
char *credentials_cache_account(struct credentials_cache *cache);

#endif
