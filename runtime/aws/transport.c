#include "aws/transport.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

struct transport {
    // Never changed.
    char *ca_bundle;
    long connect_timeout_ms;
    CURLSH *share; // owned

    // Shared.
    pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST]; // one a kind of data
    pthread_mutex_t store_lock;
    X509_STORE *store; // guarded by store_lock; NULL until TLS is used
};

#define SMALL_SIZE 4096

// libcurl lets its strings grow by realloc, which in glibc takes memory past
// the thread's cache of free chunks and puts the old piece into it: an idle
// thread keeps some 12 KiB there that nobody asks for. malloc asks for it.
static void *resize(void *memory, size_t size)
{
    size_t old_size = memory ? malloc_usable_size(memory) : 0;
    void *moved;

    if (!memory || !size || size > SMALL_SIZE)
        return realloc(memory, size);
    moved = malloc(size);
    if (!moved)
        return NULL;
    memcpy(moved, memory, old_size < size ? old_size : size);
    free(memory);
    return moved;
}

void transport_global_init(void)
{
    (void)curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, free, resize,
                               strdup, calloc);
}

static void lock_share(CURL *easy, curl_lock_data data, curl_lock_access access,
                       void *context)
{
    struct transport *transport = context;

    (void)easy;
    (void)access;
    pthread_mutex_lock(&transport->share_locks[data]);
}

static void unlock_share(CURL *easy, curl_lock_data data, void *context)
{
    struct transport *transport = context;

    (void)easy;
    pthread_mutex_unlock(&transport->share_locks[data]);
}

static CURLSH *share_create(struct transport *transport)
{
    CURLSH *share = curl_share_init();

    curl_share_setopt(share, CURLSHOPT_LOCKFUNC, lock_share);
    curl_share_setopt(share, CURLSHOPT_UNLOCKFUNC, unlock_share);
    curl_share_setopt(share, CURLSHOPT_USERDATA, transport);
    curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return share;
}

// What libcurl was built to trust, and what OpenSSL was (SSL_CERT_FILE).
static void trust_system(X509_STORE *store)
{
    const curl_version_info_data *built = curl_version_info(CURLVERSION_NOW);

    (void)X509_STORE_set_default_paths(store);
    if (built->age >= CURLVERSION_SEVENTH && built->cainfo)
        (void)X509_STORE_load_file(store, built->cainfo);
    if (built->age >= CURLVERSION_SEVENTH && built->capath)
        (void)X509_STORE_load_path(store, built->capath);
    ERR_clear_error();
}

// A chain may end at any certificate that is trusted, as curl has it.
static X509_STORE *store_create(const char *ca_bundle)
{
    X509_STORE *store = X509_STORE_new();

    X509_STORE_set_flags(store,
                         X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    if (!ca_bundle) {
        trust_system(store);
    } else if (!X509_STORE_load_file(store, ca_bundle)) {
        ERR_clear_error();
        X509_STORE_free(store);
        return NULL;
    }
    return store;
}

static bool complain(const char *ca_bundle, const char *why, struct error *err)
{
    return error_set(err, ERROR_INVALID, "CA bundle %s: %s", ca_bundle, why);
}

// The certificates take a few megabytes, which a process without TLS does not
// need: where none is in sight the file is only looked for.
static bool check_bundle(struct transport *transport, bool uses_tls,
                         struct error *err)
{
    if (access(transport->ca_bundle, R_OK))
        return complain(transport->ca_bundle, strerror(errno), err);
    if (uses_tls)
        transport->store = store_create(transport->ca_bundle);
    return !uses_tls || transport->store ||
           complain(transport->ca_bundle, "no PEM certificate in it", err);
}

struct transport *transport_create(const struct transport_options *options,
                                   struct error *err)
{
    struct transport *transport = mem_calloc(1, sizeof(*transport));

    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_init(&transport->share_locks[i], NULL);
    pthread_mutex_init(&transport->store_lock, NULL);
    transport->ca_bundle = mem_strdup(options->ca_bundle);
    transport->connect_timeout_ms =
        options->connect_timeout_ms ? (long)options->connect_timeout_ms : 5000;
    transport->share = share_create(transport);
    if (!transport->ca_bundle ||
        check_bundle(transport, options->uses_tls, err))
        return transport;
    transport_destroy(transport);
    return NULL;
}

void transport_destroy(struct transport *transport)
{
    if (!transport)
        return;
    (void)curl_share_cleanup(transport->share);
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_destroy(&transport->share_locks[i]);
    pthread_mutex_destroy(&transport->store_lock);
    X509_STORE_free(transport->store);
    free(transport->ca_bundle);
    free(transport);
}

// Called by libcurl before each TLS handshake; the first reads the
// certificates.
static CURLcode trust(CURL *easy, void *tls, void *context)
{
    struct transport *transport = context;
    X509_STORE *store;

    (void)easy;
    pthread_mutex_lock(&transport->store_lock);
    if (!transport->store)
        transport->store = store_create(transport->ca_bundle);
    store = transport->store;
    pthread_mutex_unlock(&transport->store_lock);
    if (!store)
        return CURLE_SSL_CACERT_BADFILE;
    SSL_CTX_set1_cert_store(tls, store);
    return CURLE_OK;
}

static void prepare_trust(struct transport *transport, CURL *easy)
{
    if (curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, trust) == CURLE_OK) {
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, transport);
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    } else if (transport->ca_bundle) { // a libcurl without OpenSSL
        curl_easy_setopt(easy, CURLOPT_CAINFO, transport->ca_bundle);
    }
}

void transport_prepare(struct transport *transport, CURL *easy)
{
    prepare_trust(transport, easy);
    curl_easy_setopt(easy, CURLOPT_SHARE, transport->share);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     transport->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); // it is signed
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "pollard/" POLLARD_VERSION);
}

static bool explain_connect(CURL *easy, const char *detail, struct error *err)
{
    long os_error = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
    return error_set(err, ERROR_TRANSIENT, "cannot connect: %s",
                     os_error ? strerror((int)os_error) : detail);
}

bool transport_explain(CURL *easy, CURLcode rc, const char *detail,
                       struct error *err)
{
    if (!detail[0])
        detail = curl_easy_strerror(rc);
    if (rc == CURLE_COULDNT_CONNECT)
        return explain_connect(easy, detail, err);
    if (rc == CURLE_PEER_FAILED_VERIFICATION)
        return error_set(err, ERROR_INVALID,
                         "the server's TLS certificate is not trusted (%s); "
                         "aws.ca_bundle or AWS_CA_BUNDLE names a PEM file of "
                         "CAs to trust",
                         detail);
    if (rc == CURLE_SSL_CONNECT_ERROR && strstr(detail, "wrong version number"))
        return error_set(err, ERROR_INVALID,
                         "the server does not speak TLS on this port; is it "
                         "http:// instead of https://?");
    if (rc == CURLE_SSL_CACERT_BADFILE)
        return error_set(err, ERROR_INVALID,
                         "the CA bundle has no PEM certificate in it");
    if (rc == CURLE_URL_MALFORMAT)
        return error_set(err, ERROR_INVALID, "%s", detail);
    if (rc == CURLE_UNSUPPORTED_PROTOCOL || rc == CURLE_WEIRD_SERVER_REPLY)
        return error_set(err, ERROR_INVALID,
                         "the server does not speak HTTP (%s)", detail);
    if (rc == CURLE_GOT_NOTHING)
        return error_set(err, ERROR_TRANSIENT,
                         "the server closed the connection without an answer");
    if (rc == CURLE_PARTIAL_FILE)
        return error_set(err, ERROR_TRANSIENT, "the answer was cut off (%s)",
                         detail);
    return error_set(err, ERROR_TRANSIENT, "%s", detail);
}
