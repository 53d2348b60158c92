#include "cli/validate_online.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/client.h"
#include "aws/session.h"
#include "aws/sqs_queue.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "destination/target.h"
#include "poller/trigger_pipeline.h"
#include "source/kinesis.h"
#include "source/kinesis_consumer.h"
#include "source/stream_list.h"
#include "supervisor/reach.h"
#include "supervisor/settings.h"

#define QUEUE_PATIENCE_MS 20000 // to find a queue, protocol and all

struct online {
    const struct settings *settings;
    const struct log *log;
    struct aws_session *session;
    struct aws_client *client;
};

static bool complain(const struct online *online,
                     const struct trigger_config *trigger, const char *key,
                     const struct error *err)
{
    (void)fprintf(stderr, "%s:%d:%d: triggers.%s.%s: %s\n",
                  online->settings->path, trigger->line, trigger->column,
                  trigger->name, key, err->message);
    return false;
}

static void pump(struct online *online, struct sqs_queue *queue)
{
    const struct clock *clock = clock_system();
    int64_t now_ms = clock_now_ms(clock);
    struct aws_reply reply;

    sqs_queue_poll(queue, now_ms);
    aws_client_wait(online->client,
                    clock_until_ms(sqs_queue_deadline_ms(queue), now_ms, 500));
    while (aws_client_next(online->client, &reply)) {
        sqs_queue_reply(queue, &reply, clock_now_ms(clock));
        aws_reply_finish(&reply);
    }
}

// The visibility timeout it has, or why there is none.
static bool find_queue(struct online *online, const char *url, const char *name,
                       const char *arn, int64_t *visibility_s,
                       struct error *err)
{
    int64_t until_ms = clock_now_ms(clock_system()) + QUEUE_PATIENCE_MS;
    struct sqs_queue *queue = sqs_queue_create(&(struct sqs_queue_options){
        .client = online->client,
        .session = online->session,
        .log = online->log,
        .url = url,
        .name = name,
        .arn = arn,
        .wants_attributes = true,
        .owner = online,
        .seed = random_seed(),
    });
    bool found;

    while (!sqs_queue_facts(queue) && !sqs_queue_failure(queue) &&
           !sqs_queue_is_missing(queue) &&
           clock_now_ms(clock_system()) < until_ms)
        pump(online, queue);
    found = sqs_queue_facts(queue) != NULL;
    if (found)
        *visibility_s = sqs_queue_facts(queue)->visibility_s;
    else if (sqs_queue_failure(queue))
        *err = *sqs_queue_failure(queue);
    else
        error_set(err, ERROR_NOT_FOUND, "the queue \"%s\" %s %s",
                  url ? url : name,
                  sqs_queue_is_missing(queue) ? "does not exist at"
                                              : "cannot be asked for at",
                  aws_session_endpoint(online->session, AWS_SQS));
    aws_client_cancel(online->client, online);
    sqs_queue_destroy(queue);
    return found;
}

static bool check_queue(struct online *online,
                        const struct trigger_config *trigger, struct error *err)
{
    const struct source_config *source = &trigger->source;
    int64_t visibility_s;

    if (!find_queue(online, source->sqs.queue_url, source->name, source->arn,
                    &visibility_s, err))
        return false;
    // What the trigger sets at each receive wins over the queue's own.
    if (trigger->visibility_timeout_ms >= 0)
        visibility_s = trigger->visibility_timeout_ms / 1000;
    if (visibility_s < 0 || trigger->visibility_heartbeat ||
        trigger->handler.timeout_ms <= visibility_s * 1000)
        return true;
    return error_set(err, ERROR_INVALID,
                     "the handler's timeout of %g s is over the queue's "
                     "visibility timeout of %" PRId64
                     " s: messages would come back while they are handled; set "
                     "visibility_timeout or visibility_heartbeat",
                     (double)trigger->handler.timeout_ms / 1000, visibility_s);
}

// As the keeper looks for it, but that nothing is registered here.
static bool check_consumer(struct online *online,
                           const struct source_config *source,
                           const char *stream_arn, struct error *err)
{
    char *found;

    if (!source->consumer)
        return true;
    found = kinesis_find_consumer(
        online->client,
        &(struct kinesis_consumer){.name = source->consumer,
                                   .arn = source_config_consumer_arn(source),
                                   .stream_arn = stream_arn},
        NULL, err);
    free(found);
    return found ||
           (err->code == ERROR_NOT_FOUND && source->kinesis.register_consumer);
}

// source is NULL for a destination.
static bool check_stream(struct online *online, const char *name,
                         const struct source_config *source, struct error *err)
{
    struct kinesis_summary summary = {0};
    bool ok = kinesis_describe(online->client, name, NULL, &summary, err);

    if (ok && summary.status == KINESIS_DELETING)
        ok = error_set(err, ERROR_NOT_FOUND,
                       "the stream \"%s\" is being deleted", name);
    if (ok && source)
        ok = check_consumer(online, source, summary.arn, err);
    kinesis_summary_finish(&summary);
    return ok;
}

// What the keeper would find, and whether anything new can come from it.
static bool check_table(struct online *online,
                        const struct source_config *source, struct error *err)
{
    struct stream_listing listing;
    bool ok = stream_list(online->client, source, NULL, &listing, err);

    if (ok && listing.list[listing.count - 1].shards.is_final)
        ok = error_set(err, ERROR_INVALID, "the stream %s is disabled",
                       listing.list[listing.count - 1].identity);
    stream_listing_finish(&listing);
    return ok;
}

static bool check_source(struct online *online,
                         const struct trigger_config *trigger,
                         struct error *err)
{
    switch (trigger->source.type) {
    case SOURCE_TYPE_SQS:
        return check_queue(online, trigger, err);
    case SOURCE_TYPE_KINESIS:
        return check_stream(online, trigger->source.name, &trigger->source,
                            err);
    case SOURCE_TYPE_DYNAMODB:
        return check_table(online, &trigger->source, err);
    }
    return false;
}

// It is made at the start; so the folder above must be there.
static bool check_folder(const char *path, struct error *err)
{
    AUTO_FREE char *above = mem_strdup(path);
    size_t size = strlen(above);
    char *slash;

    if (!access(path, F_OK))
        return target_check_folder(path, err);
    while (size > 1 && above[size - 1] == '/')
        above[--size] = '\0';
    slash = strrchr(above, '/');
    slash[slash == above] = '\0'; // of a folder in the root, the root
    return !access(above, W_OK | X_OK) ||
           error_set(err, ERROR_INVALID, "the folder %s cannot be made: %s: %s",
                     path, above, strerror(errno));
}

// Topics, buckets and web servers are not asked: only what is sent to them
// would tell.
static bool check_destination(struct online *online, const char *text,
                              struct error *err)
{
    struct target target;
    int64_t ignored;

    if (!target_parse(text, &target, err))
        return false;
    AUTO_FREE char *name = mem_strndup(target.name.data, target.name.size);
    switch (target.kind) {
    case TARGET_SQS:
        return find_queue(online, NULL, name, text, &ignored, err);
    case TARGET_KINESIS:
        return check_stream(online, name, NULL, err);
    case TARGET_FILE:
        return check_folder(name, err);
    case TARGET_SNS:
    case TARGET_S3:
    case TARGET_HTTP:
        break;
    }
    return true;
}

static bool check_trigger(struct online *online,
                          const struct trigger_config *trigger)
{
    const struct destination_config *to = &trigger->destination_config;
    const struct {
        const char *key, *destination;
    } destinations[] = {
        {"destination_config.on_success", to->on_success.destination},
        {"destination_config.on_failure", to->on_failure.destination},
        {"on_filtered",
         trigger_moves_filtered(trigger) ? trigger->on_filtered : NULL}};
    struct error err = {0};
    const char *key;
    bool ok = true;

    if (!reach_check(trigger, online->session, &key, &err))
        return complain(online, trigger, key, &err);
    if (!check_source(online, trigger, &err))
        ok = complain(online, trigger, "source", &err);
    for (size_t i = 0; i < sizeof(destinations) / sizeof(destinations[0]); i++)
        if (destinations[i].destination &&
            !check_destination(online, destinations[i].destination, &err))
            ok = complain(online, trigger, destinations[i].key, &err);
    return ok;
}

static bool check_all(struct online *online)
{
    const struct settings *settings = online->settings;
    struct error err = {0};
    bool ok = true;

    if (!aws_session_check_credentials(online->session, &err)) {
        (void)fprintf(stderr, "%s: credentials: %s\n", settings->path,
                      err.message);
        return false;
    }
    online->client = aws_client_create(&(struct aws_client_options){
        .session = online->session,
        .clock = clock_system(),
        .log = online->log,
        .seed = random_seed(),
    });
    for (size_t i = 0; i < settings->trigger_count; i++)
        if (settings->triggers[i].enabled)
            ok &= check_trigger(online, &settings->triggers[i]);
    aws_client_destroy(online->client);
    return ok;
}

bool validate_online(const struct settings *settings, const struct log *log)
{
    struct online online = {.settings = settings, .log = log};
    struct error err = {0};
    bool ok;

    online.session = aws_session_create(
        &(struct aws_session_options){
            .config = &settings->aws, .clock = clock_system(), .log = log},
        &err);
    if (!online.session) {
        (void)fprintf(stderr, "%s: %s\n", settings->path, err.message);
        return false;
    }
    ok = check_all(&online);
    aws_session_destroy(online.session);
    return ok;
}
