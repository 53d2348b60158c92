/*
 * credentials_static: a set that was given: by the environment, by a profile's
 * keys, or made up for servers that check the form of a signature and not its
 * value. Fetching it is a copy.
 */
#ifndef POLLARD_CREDENTIALS_STATIC_H
#define POLLARD_CREDENTIALS_STATIC_H

struct credentials;
struct credentials_provider;

enum credentials_origin {
    CREDENTIALS_ENVIRONMENT,
    CREDENTIALS_PROFILE,
    CREDENTIALS_DUMMY,
};

/* Takes what is in credentials and leaves it empty. */
struct credentials_provider *
credentials_static_create(enum credentials_origin origin,
                          struct credentials *credentials);

#endif
