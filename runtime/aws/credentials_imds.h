/*
 * credentials_imds: from the metadata of an EC2 instance, by IMDSv2, and by
 * IMDSv1 where the token is refused or does not get through (wire.md section
 * 7.3).
 */
#ifndef POLLARD_CREDENTIALS_IMDS_H
#define POLLARD_CREDENTIALS_IMDS_H

#include <stdbool.h>

struct credentials_provider;
struct error;
struct profiles;

/* *provider is NULL where AWS_EC2_METADATA_DISABLED says so. */
bool credentials_imds_create(const struct profiles *profiles,
                             const char *profile,
                             struct credentials_provider **provider,
                             struct error *err);

#endif
