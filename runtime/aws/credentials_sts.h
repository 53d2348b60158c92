/*
 * credentials_sts: from STS: AssumeRole, signed with another provider's
 * credentials, or AssumeRoleWithWebIdentity, with a token from a file that is
 * read anew each time (wire.md section 7.3).
 */
#ifndef POLLARD_CREDENTIALS_STS_H
#define POLLARD_CREDENTIALS_STS_H

#include <stdint.h>

struct credentials_provider;
struct endpoint;

struct credentials_role {
    const struct endpoint *endpoint; // of STS; borrowed, outlives the provider
    const char *region;              // borrowed, outlives the provider
    const char *arn;                 // from here on copied
    const char *session_name;        // NULL: one is made up
    const char *external_id;         // NULL: none
    int64_t duration_s;              // 0: STS decides
};

/* source is taken over. */
struct credentials_provider *
credentials_sts_create_role(const struct credentials_role *role,
                            struct credentials_provider *source);

struct credentials_provider *
credentials_sts_create_web_identity(const struct credentials_role *role,
                                    const char *token_file);

#endif
