/*
 * credentials_chain: which provider it is: the environment, what the profile
 * says, web identity, a container's endpoint, the instance's metadata, in the
 * SDKs' order (wire.md section 7.1). A source that is not configured is passed
 * over; one that is configured wrongly is an error. No network.
 */
#ifndef POLLARD_CREDENTIALS_CHAIN_H
#define POLLARD_CREDENTIALS_CHAIN_H

#include <stdbool.h>

struct credentials_provider;
struct error;
struct profiles;

struct credentials_places { // all borrowed; must outlive the provider
    const struct profiles *profiles;
    const char *profile;
    bool profile_is_ours; // named in our configuration: it goes before the
                          // environment
};

/* *provider is owned by the caller; NULL when nothing is configured. False:
 * something is, and it is wrong. */
bool credentials_chain_find(const struct credentials_places *places,
                            struct credentials_provider **provider,
                            struct error *err);

#endif
