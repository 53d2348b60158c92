/*
 * The floor: a program that does nothing but what every program on libcurl and
 * libcrypto does. One hash, one request, and it waits for the answer. What it
 * takes to load and to hold is Debian's libraries', not pollard's.
 *
 * usage: bench_floor URL
 */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>

#define TIMEOUT_MS 60000L

static bool hash(void)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size;

    return EVP_Digest("floor", 5, digest, &size, EVP_sha256(), NULL);
}

static CURLcode ask(const char *url)
{
    CURL *easy = curl_easy_init();
    CURLcode rc;

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{}");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    rc = curl_easy_perform(easy);
    curl_easy_cleanup(easy);
    return rc;
}

int main(int argc, char **argv)
{
    CURLcode rc;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: bench_floor URL\n");
        return 64;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) || !hash())
        return 1;
    rc = ask(argv[1]);
    curl_global_cleanup();
    return rc ? 1 : 0;
}
