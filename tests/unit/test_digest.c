#include "base/digest.h"

#include "base/codec.h"

#include "test.h"

static const char twenty_0b[] = "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
                                "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b";

// RFC 1321 section A.5.
static struct digest_case {
    const char *name, *hex;
} md5_cases[] = {
    {"", "d41d8cd98f00b204e9800998ecf8427e"},
    {"a", "0cc175b9c0f1b6a831c399e269772661"},
    {"abc", "900150983cd24fb0d6963f7d28e17f72"},
    {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    {"1234567890123456789012345678901234567890123456789012345678901234567890123"
     "4567890",
     "57edf4a22be3c955ac49da2e2107b67a"},
};

// FIPS 180-2 appendix B.
static struct digest_case sha256_cases[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void test_md5(void **state)
{
    const struct digest_case *c = *state;
    struct digest *digest = digest_create();
    uint8_t out[DIGEST_MD5_SIZE];
    char hex[2 * DIGEST_MD5_SIZE + 1];

    assert_true(digest_md5(digest, bytes_of(c->name), out));
    codec_hex_encode((struct bytes){(char *)out, sizeof(out)}, hex);
    assert_string_equal(hex, c->hex);
    digest_destroy(digest);
}

static void test_sha256(void **state)
{
    const struct digest_case *c = *state;
    struct digest *digest = digest_create();
    uint8_t out[DIGEST_SHA256_SIZE];
    char hex[2 * DIGEST_SHA256_SIZE + 1];

    digest_sha256(digest, bytes_of(c->name), out);
    codec_hex_encode((struct bytes){(char *)out, sizeof(out)}, hex);
    assert_string_equal(hex, c->hex);
    digest_destroy(digest);
}

// RFC 4231 section 4; 0xaa repeated stands in for its long keys.
static struct hmac_case {
    const char *name, *key, *data, *hex;
    size_t repeat; // key is this many 0xaa
} hmac_cases[] = {
    {"case 1", twenty_0b, "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", 0},
    {"case 2", "Jefe", "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", 0},
    {"case 6: a key over one block", NULL,
     "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", 131},
    {"case 7: key and data over one block", NULL,
     "This is a test using a larger than block-size key and a larger than "
     "block-size data. The key needs to be hashed before being used by the "
     "HMAC algorithm.",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2", 131},
    {"an empty key", "", "",
     "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", 0},
};

static void test_hmac_sha256(void **state)
{
    const struct hmac_case *c = *state;
    struct digest *digest = digest_create();
    uint8_t out[DIGEST_SHA256_SIZE];
    char key[131], hex[2 * DIGEST_SHA256_SIZE + 1];

    memset(key, 0xaa, sizeof(key));
    digest_hmac_sha256(
        digest, c->key ? bytes_of(c->key) : (struct bytes){key, c->repeat},
        bytes_of(c->data), out);
    codec_hex_encode((struct bytes){(char *)out, sizeof(out)}, hex);
    assert_string_equal(hex, c->hex);
    digest_destroy(digest);
}

static void test_one_digest_serves_all_in_turn(void **state)
{
    struct digest *digest = digest_create();
    uint8_t first[DIGEST_SHA256_SIZE], again[DIGEST_SHA256_SIZE];
    uint8_t md5[DIGEST_MD5_SIZE];

    (void)state;
    digest_sha256(digest, BYTES("abc"), first);
    assert_true(digest_md5(digest, BYTES("x"), md5));
    digest_hmac_sha256(digest, BYTES("k"), BYTES("x"), again);
    digest_sha256(digest, BYTES("abc"), again);
    assert_memory_equal(first, again, sizeof(first));
    digest_destroy(digest);
    digest_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_digest_serves_all_in_turn),
    };
    int failed = run_table("md5", md5_cases, test_md5);

    failed += run_table("sha256", sha256_cases, test_sha256);
    failed += run_table("hmac", hmac_cases, test_hmac_sha256);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
