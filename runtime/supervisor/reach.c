#include "supervisor/reach.h"

#include "aws/arn.h"
#include "aws/session.h"
#include "base/error.h"
#include "poller/trigger_config.h"

// Buckets have no region in their ARNs.
static const struct reach_service {
    const char *name;
    enum aws_service service;
} services[] = {
    {"sqs", AWS_SQS},
    {"kinesis", AWS_KINESIS},
    {"dynamodb", AWS_DYNAMODB_STREAMS},
    {"sns", AWS_SNS},
    {0},
};

static bool is_reached(const struct aws_session *session, const struct arn *arn)
{
    const struct reach_service *known = services;

    while (known->name && !bytes_equal(arn->service, bytes_of(known->name)))
        known++;
    return !known->name || aws_session_is_redirected(session, known->service) ||
           bytes_equal(arn->region, bytes_of(aws_session_region(session)));
}

static bool check(const char *text, const struct aws_session *session,
                  struct error *err)
{
    struct arn arn;
    struct error none;

    if (!text || !arn_parse(text, &arn, &none) || is_reached(session, &arn))
        return true;
    return error_set(err, ERROR_INVALID,
                     "%s lies in another region than %s, where requests go "
                     "(aws.region, AWS_REGION or the profile says so)",
                     text, aws_session_region(session));
}

bool reach_check(const struct trigger_config *trigger,
                 const struct aws_session *session, const char **key,
                 struct error *err)
{
    const struct destination_config *to = &trigger->destination_config;
    const struct {
        const char *key, *text;
    } places[] = {{"source", source_config_arn(&trigger->source)},
                  {"destination_config.on_success", to->on_success.destination},
                  {"destination_config.on_failure", to->on_failure.destination},
                  {"on_filtered", trigger->on_filtered}};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (!check(places[i].text, session, err)) {
            *key = places[i].key;
            return false;
        }
    return true;
}
