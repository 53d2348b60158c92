#include "aws/session.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "aws/aws_config.h"
#include "aws/credentials.h"
#include "aws/credentials_cache.h"
#include "aws/credentials_chain.h"
#include "aws/credentials_imds.h"
#include "aws/credentials_static.h"
#include "aws/endpoint.h"
#include "aws/environment.h"
#include "aws/profiles.h"
#include "aws/session_inner.h"
#include "aws/skew.h"
#include "aws/transport.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#define RESPONSE_LIMIT (64 * 1024 * 1024) // where the config says nothing
#define MAX_ATTEMPTS 3
#define NO_ACCOUNT "000000000000"

// What is learnt on the way, by any thread.
struct learnt {
    _Atomic int64_t offsets_ms[AWS_SERVICE_COUNT];
    _Atomic(char *) account;     // owned; set once
    atomic_int sqs_protocol;     // AWS_SQS_AUTO: not yet
    atomic_int kinesis_protocol; // AWS_KINESIS_AUTO: not yet
};

struct aws_session {                 // never changed after creation
    const struct aws_config *config; // borrowed
    const struct clock *clock;
    struct log log;
    char *profile, *region;
    char *config_path, *credentials_path;
    struct profiles *profiles; // owned
    struct endpoint endpoints[AWS_SERVICE_COUNT];
    struct transport *transport;                 // owned
    struct credentials_cache *credentials;       // owned
    struct credentials_cache *dummy_credentials; // owned; for servers that are
                                                 // not AWS; NULL: not needed
    bool corrects_skew;
    unsigned max_attempts;
    struct learnt *learnt; // owned
};

static char *home_path(const char *variable, const char *rest)
{
    const char *path = environment_get(variable);
    const char *home = environment_get("HOME");

    if (path)
        return mem_strdup(path);
    return home ? mem_printf("%s/%s", home, rest) : NULL;
}

static bool load_profiles(struct aws_session *session, struct error *err)
{
    const char *named = session->config->profile;

    if (!named)
        named = environment_get("AWS_PROFILE");
    if (!named)
        named = environment_get("AWS_DEFAULT_PROFILE");
    session->profile = mem_strdup(named ? named : "default");
    session->config_path = home_path("AWS_CONFIG_FILE", ".aws/config");
    session->credentials_path =
        home_path("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
    session->profiles =
        profiles_load(session->config_path, session->credentials_path, err);
    if (!session->profiles)
        return false;
    if (named && !profiles_has(session->profiles, named))
        return error_set(
            err, ERROR_INVALID, "profile \"%s\" is in neither %s nor %s", named,
            session->config_path ? session->config_path : "~/.aws/config",
            session->credentials_path ? session->credentials_path
                                      : "~/.aws/credentials");
    return true;
}

static const char *profile_get(const struct aws_session *session,
                               const char *key)
{
    return profiles_get(session->profiles, session->profile, key);
}

static struct endpoint_places places_of(const struct aws_session *session)
{
    return (struct endpoint_places){.config = session->config,
                                    .profiles = session->profiles,
                                    .profile = session->profile,
                                    .region = session->region};
}

static bool has_configured_endpoint(const struct aws_session *session)
{
    const struct endpoint_places places = places_of(session);

    return endpoint_configured(&places, AWS_SQS) ||
           endpoint_configured(&places, AWS_KINESIS);
}

// It becomes part of a header and of host names.
static bool is_region(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    return text[0] && strlen(text) < 64 && !text[strspn(text, allowed)];
}

static bool find_region(struct aws_session *session, struct error *err)
{
    const char *region = session->config->region;

    if (!region)
        region = environment_get("AWS_REGION");
    if (!region)
        region = environment_get("AWS_DEFAULT_REGION");
    if (!region)
        region = profile_get(session, "region");
    if (!region && has_configured_endpoint(session))
        region = "us-east-1";
    if (!region)
        return error_set(err, ERROR_INVALID,
                         "no region: set aws.region, AWS_REGION or the "
                         "profile's region, or an endpoint");
    if (!is_region(region))
        return error_set(err, ERROR_INVALID, "region \"%s\" is no region name",
                         region);
    session->region = mem_strdup(region);
    return true;
}

static bool find_endpoints(struct aws_session *session, struct error *err)
{
    const struct endpoint_places places = places_of(session);

    for (enum aws_service i = 0; i < AWS_SERVICE_COUNT; i++)
        if (!endpoint_find(&places, i, &session->endpoints[i], err))
            return false;
    return true;
}

static bool is_tls(const struct aws_session *session, enum aws_service service)
{
    return !strncmp(session->endpoints[service].url, "https:", 6);
}

static bool open_transport(struct aws_session *session, struct error *err)
{
    const char *bundle = session->config->ca_bundle;

    if (!bundle)
        bundle = environment_get("AWS_CA_BUNDLE");
    if (!bundle)
        bundle = profile_get(session, "ca_bundle");
    session->transport = transport_create(
        &(struct transport_options){.ca_bundle = bundle,
                                    .connect_timeout_ms =
                                        session->config->connect_timeout_ms,
                                    .uses_tls = is_tls(session, AWS_SQS) ||
                                                is_tls(session, AWS_KINESIS)},
        err);
    return session->transport != NULL;
}

static struct credentials_cache *cache(struct aws_session *session,
                                       struct credentials_provider *provider)
{
    return credentials_cache_create(
        &(struct credentials_cache_options){.provider = provider,
                                            .transport = session->transport,
                                            .clock = session->clock,
                                            .log = &session->log,
                                            .seed = random_seed()});
}

// Without configured credentials there are those of the instance we may run on,
// and made-up ones for servers that are not AWS.
static bool find_implicit(struct aws_session *session,
                          struct credentials_provider **provider,
                          struct error *err)
{
    session->dummy_credentials = cache(session, credentials_dummy_create());
    if (!credentials_imds_create(session->profiles, session->profile, provider,
                                 err))
        return false;
    if (!*provider)
        *provider = credentials_none_create();
    return true;
}

static bool find_credentials(struct aws_session *session, struct error *err)
{
    const struct credentials_places places = {
        .profiles = session->profiles,
        .config_path = session->config_path,
        .credentials_path = session->credentials_path,
        .profile = session->profile,
        .profile_is_ours = session->config->profile != NULL,
        .sts = &session->endpoints[AWS_STS],
        .region = session->region};
    struct credentials_provider *provider;

    if (!credentials_chain_find(&places, &provider, err) ||
        (!provider && !find_implicit(session, &provider, err)))
        return false;
    session->credentials = cache(session, provider);
    return true;
}

static void find_account(struct aws_session *session)
{
    const char *account = environment_get("AWS_ACCOUNT_ID");

    if (!account)
        account = profile_get(session, "aws_account_id");
    atomic_store(&session->learnt->account, mem_strdup(account));
}

static bool skew_correction_is_on(const struct aws_session *session)
{
    const char *off = environment_get("AWS_DISABLE_CLOCK_SKEW_CORRECTION");

    return !environment_is_true(
        off ? off : profile_get(session, "disable_clock_skew_correction"));
}

static bool find_max_attempts(struct aws_session *session, struct error *err)
{
    const char *text = environment_get("AWS_MAX_ATTEMPTS");
    char *end = NULL;
    long count;

    session->max_attempts = MAX_ATTEMPTS;
    if (!text)
        text = profile_get(session, "max_attempts");
    if (!text)
        return true;
    count = strtol(text, &end, 10);
    if (*end || count < 1 || count > 100)
        return error_set(err, ERROR_INVALID,
                         "AWS_MAX_ATTEMPTS or max_attempts \"%s\" is not 1 to "
                         "100",
                         text);
    session->max_attempts = (unsigned)count;
    return true;
}

struct aws_session *
aws_session_create(const struct aws_session_options *options, struct error *err)
{
    struct aws_session *session = mem_calloc(1, sizeof(*session));

    session->learnt = mem_calloc(1, sizeof(*session->learnt));
    session->config = options->config;
    session->clock = options->clock;
    session->log = *options->log;
    if (!load_profiles(session, err) || !find_region(session, err) ||
        !find_endpoints(session, err) || !open_transport(session, err) ||
        !find_max_attempts(session, err) || !find_credentials(session, err))
        goto fail;
    find_account(session);
    session->corrects_skew = skew_correction_is_on(session);
    return session;

fail:
    error_wrap(err, "aws");
    aws_session_destroy(session);
    return NULL;
}

void aws_session_destroy(struct aws_session *session)
{
    if (!session)
        return;
    credentials_cache_destroy(session->credentials);
    credentials_cache_destroy(session->dummy_credentials);
    transport_destroy(session->transport);
    for (size_t i = 0; i < AWS_SERVICE_COUNT; i++)
        endpoint_finish(&session->endpoints[i]);
    profiles_destroy(session->profiles);
    free(atomic_load(&session->learnt->account));
    free(session->learnt);
    free(session->config_path);
    free(session->credentials_path);
    free(session->profile);
    free(session->region);
    free(session);
}

const char *aws_session_region(const struct aws_session *session)
{
    return session->region;
}

bool aws_session_is_redirected(const struct aws_session *session,
                               enum aws_service service)
{
    return session->endpoints[service].is_custom;
}

const char *aws_session_endpoint(const struct aws_session *session,
                                 enum aws_service service)
{
    return session->endpoints[service].url;
}

// Never changed once it is known, so that it can be lent out.
static const char *learn_account(const struct aws_session *session)
{
    char *account = credentials_cache_account(session->credentials);
    char *known = NULL;

    if (!account || atomic_compare_exchange_strong(&session->learnt->account,
                                                   &known, account))
        return account;
    free(account); // another thread was first
    return known;
}

const char *aws_session_account(const struct aws_session *session)
{
    const char *account = atomic_load(&session->learnt->account);

    if (!account)
        account = learn_account(session);
    return account ? account : NO_ACCOUNT;
}

// The instance's credentials, which nobody configured, are only missed where an
// endpoint of AWS is used.
bool aws_session_check_credentials(struct aws_session *session,
                                   struct error *err)
{
    if (session->dummy_credentials &&
        (aws_session_credentials(session, AWS_SQS) ==
             session->dummy_credentials ||
         aws_session_credentials(session, AWS_KINESIS) ==
             session->dummy_credentials))
        return true;
    return credentials_cache_check(session->credentials, err);
}

struct transport *aws_session_transport(const struct aws_session *session)
{
    return session->transport;
}

struct credentials_cache *
aws_session_credentials(const struct aws_session *session,
                        enum aws_service service)
{
    const struct endpoint *endpoint = &session->endpoints[service];

    if (session->dummy_credentials && endpoint->is_custom && !endpoint->is_aws)
        return session->dummy_credentials;
    return session->credentials;
}

const struct endpoint *aws_session_place(const struct aws_session *session,
                                         enum aws_service service)
{
    return &session->endpoints[service];
}

size_t aws_session_response_limit(const struct aws_session *session)
{
    int64_t limit = session->config->response_limit;

    return limit > 0 ? (size_t)limit : RESPONSE_LIMIT;
}

int aws_session_sqs_protocol(const struct aws_session *session)
{
    int configured = session->config->sqs_protocol;

    return configured != AWS_SQS_AUTO
               ? configured
               : atomic_load(&session->learnt->sqs_protocol);
}

void aws_session_set_sqs_protocol(struct aws_session *session, int protocol)
{
    atomic_store(&session->learnt->sqs_protocol, protocol);
}

enum aws_kinesis_protocol
aws_session_kinesis_protocol(const struct aws_session *session)
{
    return (enum aws_kinesis_protocol)atomic_load(
        &session->learnt->kinesis_protocol);
}

void aws_session_set_kinesis_protocol(struct aws_session *session,
                                      enum aws_kinesis_protocol protocol)
{
    atomic_store(&session->learnt->kinesis_protocol, (int)protocol);
}

unsigned aws_session_max_attempts(const struct aws_session *session)
{
    return session->max_attempts;
}

int64_t aws_session_offset_ms(const struct aws_session *session,
                              enum aws_service service)
{
    return atomic_load(&session->learnt->offsets_ms[service]);
}

int64_t aws_session_server_ms(const struct aws_session *session,
                              enum aws_service service, int64_t wall_ms)
{
    return wall_ms + aws_session_offset_ms(session, service);
}

void aws_session_set_offset_ms(struct aws_session *session,
                               enum aws_service service, int64_t offset_ms)
{
    int64_t before = atomic_load(&session->learnt->offsets_ms[service]);

    if (!session->corrects_skew)
        return;
    atomic_store(&session->learnt->offsets_ms[service], offset_ms);
    if (skew_explains(before, offset_ms))
        log_warn(&session->log, "aws.clock_skew",
                 LOG_STR("endpoint", session->endpoints[service].url),
                 LOG_INT("seconds", offset_ms / 1000));
}
