#include "aws/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/codec.h"
#include "base/digest.h"
#include "base/mem.h"

#define KEYS 4 // a client speaks with a service or two
#define DATE_SIZE 8
#define HEX_SIZE (2 * DIGEST_SHA256_SIZE)

struct day_key {
    char *secret, *region, *service; // owned; secret is wiped
    char date[DATE_SIZE];
    uint8_t key[DIGEST_SHA256_SIZE];
};

struct sigv4 {
    struct digest *digest; // owned
    struct buffer text;    // what is being hashed
    struct day_key keys[KEYS];
    unsigned next_key; // replaced next
};

struct sigv4 *sigv4_create(void)
{
    struct sigv4 *sigv4 = mem_calloc(1, sizeof(*sigv4));

    sigv4->digest = digest_create();
    // More than any source of header values gives.
    buffer_init(&sigv4->text, 4 * 1024 * 1024);
    return sigv4;
}

static void forget(struct day_key *key)
{
    mem_wipe_text(key->secret);
    free(key->region);
    free(key->service);
    explicit_bzero(key, sizeof(*key));
}

void sigv4_destroy(struct sigv4 *sigv4)
{
    if (!sigv4)
        return;
    for (size_t i = 0; i < KEYS; i++)
        forget(&sigv4->keys[i]);
    digest_destroy(sigv4->digest);
    // The canonical request holds the session token.
    buffer_wipe(&sigv4->text);
    free(sigv4);
}

void sigv4_time(int64_t wall_ms, char text[SIGV4_TIME_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts = {0};

    (void)gmtime_r(&seconds, &parts);
    if (!strftime(text, SIGV4_TIME_SIZE, "%Y%m%dT%H%M%SZ", &parts))
        text[0] = '\0';
}

static bool key_matches(const struct day_key *key,
                        const struct sigv4_request *request)
{
    return key->secret && !memcmp(key->date, request->time, DATE_SIZE) &&
           !strcmp(key->service, request->service) &&
           !strcmp(key->region, request->region) &&
           !strcmp(key->secret, request->secret_key);
}

static void derive(struct digest *digest, struct day_key *key)
{
    static const char prefix[] = "AWS4";
    size_t size = strlen(key->secret) + sizeof(prefix) - 1;
    char *first = mem_calloc(size + 1, 1);
    struct bytes step = {(const char *)key->key, sizeof(key->key)};

    memcpy(first, prefix, sizeof(prefix) - 1);
    memcpy(first + sizeof(prefix) - 1, key->secret, strlen(key->secret));
    digest_hmac_sha256(digest, (struct bytes){first, size},
                       (struct bytes){key->date, DATE_SIZE}, key->key);
    mem_wipe_free(first, size);
    digest_hmac_sha256(digest, step, bytes_of(key->region), key->key);
    digest_hmac_sha256(digest, step, bytes_of(key->service), key->key);
    digest_hmac_sha256(digest, step, BYTES("aws4_request"), key->key);
}

static const struct day_key *day_key(struct sigv4 *sigv4,
                                     const struct sigv4_request *request)
{
    struct day_key *key;

    for (size_t i = 0; i < KEYS; i++)
        if (key_matches(&sigv4->keys[i], request))
            return &sigv4->keys[i];
    key = &sigv4->keys[sigv4->next_key++ % KEYS];
    forget(key);
    key->secret = mem_strdup(request->secret_key);
    key->region = mem_strdup(request->region);
    key->service = mem_strdup(request->service);
    memcpy(key->date, request->time, DATE_SIZE);
    derive(sigv4->digest, key);
    return key;
}

void sigv4_hash(struct sigv4 *sigv4, struct bytes data, uint8_t hash[32])
{
    digest_sha256(sigv4->digest, data, hash);
}

static void put_hash(struct sigv4 *sigv4, struct buffer *out, struct bytes data)
{
    uint8_t hash[DIGEST_SHA256_SIZE];
    char hex[HEX_SIZE + 1];

    digest_sha256(sigv4->digest, data, hash);
    codec_hex_encode((struct bytes){(const char *)hash, sizeof(hash)}, hex);
    buffer_append(out, hex, HEX_SIZE);
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || strchr("-._~", c);
}

// The path is encoded once more than it is on the wire, S3 apart.
static void put_path(struct buffer *out, struct bytes path)
{
    for (size_t i = 0; i < path.size; i++) {
        char c = path.data[i];

        if (c == '/' || (c && is_unreserved(c)))
            buffer_append_char(out, c);
        else
            buffer_printf(out, "%%%02X", (unsigned char)c);
    }
}

// Ends trimmed, inner runs of spaces made one. Most values have no space.
static void put_value(struct buffer *out, struct bytes value)
{
    bool gap = false, any = false;

    if (!memchr(value.data, ' ', value.size)) {
        buffer_append_bytes(out, value);
        return;
    }
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == ' ') {
            gap = any;
            continue;
        }
        if (gap)
            buffer_append_char(out, ' ');
        buffer_append_char(out, value.data[i]);
        gap = false;
        any = true;
    }
}

static void put_signed_headers(struct buffer *out,
                               const struct sigv4_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (i)
            buffer_append_char(out, ';');
        buffer_append_bytes(out, request->headers[i].name);
    }
}

static void put_canonical_request(struct sigv4 *sigv4, struct buffer *out,
                                  const struct sigv4_request *request)
{
    buffer_append_text(out, request->method);
    buffer_append_char(out, '\n');
    if (request->path_is_final)
        buffer_append_bytes(out, request->path);
    else
        put_path(out, request->path);
    buffer_append_text(out, "\n\n"); // no query string
    for (size_t i = 0; i < request->header_count; i++) {
        buffer_append_bytes(out, request->headers[i].name);
        buffer_append_char(out, ':');
        put_value(out, request->headers[i].value);
        buffer_append_char(out, '\n');
    }
    buffer_append_char(out, '\n');
    put_signed_headers(out, request);
    buffer_append_char(out, '\n');
    put_hash(sigv4, out, request->body);
}

static void put_scope(struct buffer *out, const struct sigv4_request *request)
{
    buffer_append(out, request->time, DATE_SIZE);
    buffer_append_char(out, '/');
    buffer_append_text(out, request->region);
    buffer_append_char(out, '/');
    buffer_append_text(out, request->service);
    buffer_append_text(out, "/aws4_request");
}

// The text is rebuilt in place: first the canonical request, then, in its
// place, the string to sign.
static void put_signature(struct sigv4 *sigv4, struct buffer *out,
                          const struct sigv4_request *request)
{
    const struct day_key *key = day_key(sigv4, request);
    struct buffer *text = &sigv4->text;
    uint8_t hash[DIGEST_SHA256_SIZE];
    char hex[HEX_SIZE + 1];

    buffer_clear(text);
    put_canonical_request(sigv4, text, request);
    digest_sha256(sigv4->digest, buffer_bytes(text), hash);
    codec_hex_encode((struct bytes){(const char *)hash, sizeof(hash)}, hex);

    buffer_clear(text);
    buffer_append_text(text, "AWS4-HMAC-SHA256\n");
    buffer_append_text(text, request->time);
    buffer_append_char(text, '\n');
    put_scope(text, request);
    buffer_append_char(text, '\n');
    buffer_append(text, hex, HEX_SIZE);
    digest_hmac_sha256(sigv4->digest,
                       (struct bytes){(const char *)key->key, sizeof(key->key)},
                       buffer_bytes(text), hash);
    codec_hex_encode((struct bytes){(const char *)hash, sizeof(hash)}, hex);
    buffer_append(out, hex, HEX_SIZE);
}

void sigv4_sign(struct sigv4 *sigv4, const struct sigv4_request *request,
                struct buffer *authorization)
{
    buffer_append_text(authorization, "AWS4-HMAC-SHA256 Credential=");
    buffer_append_text(authorization, request->access_key);
    buffer_append_char(authorization, '/');
    put_scope(authorization, request);
    buffer_append_text(authorization, ", SignedHeaders=");
    put_signed_headers(authorization, request);
    buffer_append_text(authorization, ", Signature=");
    put_signature(sigv4, authorization, request);
}
