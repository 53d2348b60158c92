/*
 * sqs_digest: the MD5s that SQS sends along with a message (wire.md section
 * 1.6).
 *
 * Threads: the digest's owner's.
 */
#ifndef POLLARD_SQS_DIGEST_H
#define POLLARD_SQS_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct digest;
struct record_message_attribute;

#define SQS_DIGEST_TEXT 33 // 32 hex digits and a terminator

/* Of a body. False where OpenSSL has no MD5 (FIPS mode). */
bool sqs_digest_body(struct digest *digest, struct bytes body,
                     char text[SQS_DIGEST_TEXT]);

/* Of user attributes, in any order. `scratch` is overwritten. */
bool sqs_digest_attributes(struct digest *digest,
                           const struct record_message_attribute *attributes,
                           size_t count, struct buffer *scratch,
                           char text[SQS_DIGEST_TEXT]);

#endif
