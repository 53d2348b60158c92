#include "destination/object_name.h"

#include <ctype.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/digest.h"

void object_uuid(const uint8_t bytes[16], unsigned version,
                 char uuid[UUID_SIZE])
{
    uint8_t own[16];
    char hex[33];

    memcpy(own, bytes, sizeof(own));
    own[6] = (uint8_t)((own[6] & 0x0f) | (version << 4));
    own[8] = (uint8_t)((own[8] & 0x3f) | 0x80);
    codec_hex_encode((struct bytes){(const char *)own, sizeof(own)}, hex);
    (void)snprintf(uuid, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
                   hex + 12, hex + 16, hex + 20);
}

void object_uuid_of_trigger(const char *trigger, char uuid[UUID_SIZE])
{
    struct digest *digest = digest_create();
    uint8_t hash[DIGEST_SHA256_SIZE];
    struct buffer text;

    buffer_init(&text, 64 * 1024);
    buffer_printf(&text, "pollard trigger %.1024s", trigger);
    digest_sha256(digest, buffer_bytes(&text), hash);
    object_uuid(hash, 8, uuid);
    buffer_finish(&text);
    digest_destroy(digest);
}

void object_name_result(struct buffer *out, int64_t wall_ms, const char *uuid)
{
    char at[25];

    clock_format_utc(wall_ms, at);
    buffer_printf(out, "%.4s/%.2s/%.2s/%.13s.%.2s.%.2s-%s", at, at + 5, at + 8,
                  at, at + 14, at + 17, uuid);
}

void object_name_report(struct buffer *out, const char *mapping,
                        const char *shard, int64_t wall_ms, const char *uuid)
{
    buffer_printf(out, "aws/lambda/%s/", mapping);
    if (!*shard)
        buffer_append_char(out, '_');
    for (const char *c = shard; *c; c++) {
        bool fits = isalnum((unsigned char)*c) || *c == '-' || *c == '_' ||
                    (*c == '.' && c > shard);

        buffer_append_char(out, fits ? *c : '_');
    }
    buffer_append_char(out, '/');
    object_name_result(out, wall_ms, uuid);
}
