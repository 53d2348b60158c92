/*
 * credentials_chain: which provider it is: the environment, what the profile
 * says, web identity, a container's endpoint, in the SDKs' order (wire.md
 * section 7.1). A source that is not configured is passed over; one that is
 * configured wrongly is an error. No network.
 *
 * The instance's metadata, which needs no configuration, is not in here: who
 * wants it last asks credentials_imds.
 */
#ifndef POLLARD_CREDENTIALS_CHAIN_H
#define POLLARD_CREDENTIALS_CHAIN_H

#include <stdbool.h>

struct credentials_provider;
struct endpoint;
struct error;
struct profiles;

struct credentials_places {          // all borrowed
    const struct profiles *profiles; // read only while the provider is found
    const char *config_path, *credentials_path; // NULL: no such file
    const char *profile;
    bool profile_is_ours; // named in our configuration: it goes before the
                          // environment
    const struct endpoint *sts; // outlive the provider
    const char *region;
};

/* *provider is owned by the caller; NULL when nothing is configured. False:
 * something is, and it is wrong. */
bool credentials_chain_find(const struct credentials_places *places,
                            struct credentials_provider **provider,
                            struct error *err);

#endif
