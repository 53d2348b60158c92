/*
 * profiles: ~/.aws/config and ~/.aws/credentials, merged: where both have a
 * profile's key, the credentials file wins (wire.md section 7.2).
 *
 * Threads: built by one, then read by any; never changed.
 */
#ifndef POLLARD_PROFILES_H
#define POLLARD_PROFILES_H

#include <stdbool.h>

struct error;
struct profiles;

/* Read both files; one that does not exist is empty. NULL: one cannot be read
 * or is malformed (ERROR_INVALID). Caller destroys. */
struct profiles *profiles_load(const char *config_path,
                               const char *credentials_path, struct error *err);

/* Values are wiped. NULL is fine. */
void profiles_destroy(struct profiles *profiles);

bool profiles_has(const struct profiles *profiles, const char *profile);

/* A key's value, or NULL (also where it is empty). Borrowed. */
const char *profiles_get(const struct profiles *profiles, const char *profile,
                         const char *key);

/* A key of one service in the [services] section that the profile names, as in
 * `sqs = <indented> endpoint_url = ...`; or NULL. Borrowed. */
const char *profiles_get_service(const struct profiles *profiles,
                                 const char *profile, const char *service,
                                 const char *key);

#endif
