/*
 * credentials_static: a set that was given and stays: the environment's, or
 * one made up for servers that check the form of a signature, not its value.
 * Also the set that there is not, as an error for whoever needs one.
 */
#ifndef POLLARD_CREDENTIALS_STATIC_H
#define POLLARD_CREDENTIALS_STATIC_H

#include <stdbool.h>

struct credentials_provider;
struct error;

/* *provider is NULL when the environment has none. ERROR_INVALID: half a set.
 */
bool credentials_environment_create(struct credentials_provider **provider,
                                    struct error *err);

struct credentials_provider *credentials_dummy_create(void);

struct credentials_provider *credentials_none_create(void);

#endif
