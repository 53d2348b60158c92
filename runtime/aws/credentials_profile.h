/*
 * credentials_profile: the keys that a profile has in the shared files. Read
 * again when a server refuses them, since others renew what is in there.
 */
#ifndef POLLARD_CREDENTIALS_PROFILE_H
#define POLLARD_CREDENTIALS_PROFILE_H

struct credentials_provider;

/* Everything is copied. */
struct credentials_provider *
credentials_profile_create(const char *config_path,
                           const char *credentials_path, const char *profile);

#endif
