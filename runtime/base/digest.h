/*
 * digest: MD5 (of message bodies), SHA-256 and HMAC-SHA-256, each fetched from
 * OpenSSL once and reused: a one-shot call costs several times the hashing.
 *
 * Threads: a struct digest belongs to one thread.
 */
#ifndef POLLARD_DIGEST_H
#define POLLARD_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define DIGEST_MD5_SIZE 16
#define DIGEST_SHA256_SIZE 32

struct digest;

struct digest *digest_create(void);
void digest_destroy(struct digest *digest);

/* False where the OpenSSL provider has no MD5 (FIPS mode). */
bool digest_md5(struct digest *digest, struct bytes data,
                uint8_t out[DIGEST_MD5_SIZE]);
void digest_sha256(struct digest *digest, struct bytes data,
                   uint8_t out[DIGEST_SHA256_SIZE]);
void digest_hmac_sha256(struct digest *digest, struct bytes key,
                        struct bytes data, uint8_t out[DIGEST_SHA256_SIZE]);

#endif
