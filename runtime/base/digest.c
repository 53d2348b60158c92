#include "base/digest.h"

#include <assert.h>
#include <openssl/evp.h>

#include "base/mem.h"

struct digest {
    EVP_MD *md5; // NULL where the provider refuses it
    EVP_MD *sha256;
    EVP_MD_CTX *context;
};

struct digest *digest_create(void)
{
    struct digest *digest = mem_calloc(1, sizeof(*digest));

    digest->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    digest->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    digest->context = EVP_MD_CTX_new();
    assert(digest->sha256 && digest->context);
    return digest;
}

void digest_destroy(struct digest *digest)
{
    if (!digest)
        return;
    EVP_MD_free(digest->md5);
    EVP_MD_free(digest->sha256);
    EVP_MD_CTX_free(digest->context);
    mem_wipe_free(digest, sizeof(*digest));
}

bool digest_md5(struct digest *digest, struct bytes data,
                uint8_t out[DIGEST_MD5_SIZE])
{
    return digest->md5 &&
           EVP_DigestInit_ex2(digest->context, digest->md5, NULL) &&
           EVP_DigestUpdate(digest->context, data.data, data.size) &&
           EVP_DigestFinal_ex(digest->context, out, NULL);
}

void digest_sha256(struct digest *digest, struct bytes data,
                   uint8_t out[DIGEST_SHA256_SIZE])
{
    int ok = EVP_DigestInit_ex2(digest->context, digest->sha256, NULL) &&
             EVP_DigestUpdate(digest->context, data.data, data.size) &&
             EVP_DigestFinal_ex(digest->context, out, NULL);

    assert(ok);
    (void)ok;
}

// RFC 2104 over the reused context: EVP_MAC costs twice as much to re-key.
void digest_hmac_sha256(struct digest *digest, struct bytes key,
                        struct bytes data, uint8_t out[DIGEST_SHA256_SIZE])
{
    uint8_t block[64] = {0}, inner[DIGEST_SHA256_SIZE];
    int ok;

    if (key.size > sizeof(block))
        digest_sha256(digest, key, block);
    else if (key.size)
        memcpy(block, key.data, key.size);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36;
    ok = EVP_DigestInit_ex2(digest->context, digest->sha256, NULL) &&
         EVP_DigestUpdate(digest->context, block, sizeof(block)) &&
         EVP_DigestUpdate(digest->context, data.data, data.size) &&
         EVP_DigestFinal_ex(digest->context, inner, NULL);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36 ^ 0x5c;
    ok = ok && EVP_DigestInit_ex2(digest->context, digest->sha256, NULL) &&
         EVP_DigestUpdate(digest->context, block, sizeof(block)) &&
         EVP_DigestUpdate(digest->context, inner, sizeof(inner)) &&
         EVP_DigestFinal_ex(digest->context, out, NULL);
    explicit_bzero(block, sizeof(block));
    assert(ok);
    (void)ok;
}
