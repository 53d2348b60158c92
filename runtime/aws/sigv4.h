/*
 * sigv4: AWS Signature Version 4 (wire.md section 6.1). Pure: time, region and
 * credentials come in, the value of the Authorization header goes out.
 *
 * The day key is cached by (secret, date, region, service), a few at a time, so
 * that a signature costs two SHA-256 and one HMAC.
 *
 * Threads: a struct sigv4 belongs to one thread.
 */
#ifndef POLLARD_SIGV4_H
#define POLLARD_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct sigv4;

struct sigv4 *sigv4_create(void);

/* Keys are wiped. NULL is fine. */
void sigv4_destroy(struct sigv4 *sigv4);

struct sigv4_header {
    struct bytes name; // lower case
    struct bytes value;
};

struct sigv4_request { // all borrowed
    const char *method;
    struct bytes path;  // as sent; "/" at the least
    bool path_is_final; // S3 signs it as it is sent, all others encode it again
    const struct sigv4_header *headers; // all that are signed, sorted by name
    size_t header_count;
    struct bytes body;

    const char *access_key, *secret_key;
    const char *region, *service;
    const char *time; // as sigv4_time writes it; also sent as x-amz-date
};

#define SIGV4_TIME_SIZE 17

/* "20150830T123600Z" */
void sigv4_time(int64_t wall_ms, char text[SIGV4_TIME_SIZE]);

/* For x-amz-content-sha256. */
void sigv4_hash(struct sigv4 *sigv4, struct bytes data, uint8_t hash[32]);

/* Append "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...".
 */
void sigv4_sign(struct sigv4 *sigv4, const struct sigv4_request *request,
                struct buffer *authorization);

#endif
