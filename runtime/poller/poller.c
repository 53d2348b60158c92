#include "poller/poller.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "poller/loop.h"
#include "poller/trigger_config.h"
#include "poller/trigger_parts.h"
#include "poller/trigger_pipeline.h"
#include "source/dynamodb.h"
#include "source/kinesis.h"
#include "source/sqs.h"

// The loop goes round at least so often, to show that it lives.
#define POLLER_ROUND_MS 5000
// What a filter needs for arrays as deep as it takes them (SCAN_DEPTH_LIMIT),
// 180 KiB, or 350 KiB with AddressSanitizer: anybody may send such a message.
// What is not used is no memory: a thousand idle queues stay small.
#define POLLER_STACK_BYTES (512 * 1024)
// Between two reads at the tip of a shard, as Lambda does.
#define POLLER_TIP_MS 1000

struct poller {
    // Set by poller_create, never changed.
    struct poller_events events;
    const struct clock *clock;
    struct log log;
    char name[16];                         // of the thread
    const struct trigger_config *trigger;  // borrowed
    struct aws_session *session;           // borrowed
    struct handler *handler;               // borrowed
    const volatile int64_t *acts_until_ms; // borrowed
    bool is_shard;
    char *window; // owned; that the shard goes on with
    uint64_t seed;
    struct aws_client *client; // owned; used by the thread, but for its wake

    // Poller thread only, once it runs.
    struct source *source;      // the loop's, once there is one
    struct trigger_parts parts; // likewise
    struct loop *loop;          // owned

    // Shared.
    struct mailbox mailbox;
    struct mail stop_mail, force_mail; // in the mailbox once asked
    atomic_bool stop_asked, force_asked;
    pthread_mutex_t lock;
    struct poller_stats stats; // guarded by lock
    enum poller_end end;       // guarded by lock
    struct error error;        // guarded by lock; of POLLER_FAILED

    // The creator's own.
    pthread_t thread;
    bool started;
};

void poller_stats_add(struct poller_stats *sum,
                      const struct poller_stats *stats)
{
    sum->records_received += stats->records_received;
    sum->records_done += stats->records_done;
    sum->records_failed += stats->records_failed;
    sum->records_returned += stats->records_returned;
    sum->records_left_hidden += stats->records_left_hidden;
    sum->batches_started += stats->batches_started;
    sum->batches_failed += stats->batches_failed;
    sum->records_deleted += stats->records_deleted;
    sum->visibility_extensions += stats->visibility_extensions;
    sum->records_inside += stats->records_inside;
    sum->trimmed += stats->trimmed;
    pipeline_counts_add(&sum->counts, &stats->counts);
    if (!sum->first_poll_ms)
        sum->first_poll_ms = stats->first_poll_ms;
}

void poller_stats_add_ended(struct poller_stats *sum,
                            const struct poller_stats *stats)
{
    struct poller_stats counted = *stats;

    counted.records_inside = 0;
    pipeline_counts_end(&counted.counts);
    poller_stats_add(sum, &counted);
}

static void wake(void *context)
{
    struct poller *poller = context;

    aws_client_wake(poller->client);
}

/* "orders", or of a shard "orders-0003": top and gdb show 15 characters. */
static void name_thread(struct poller *poller, const char *trigger,
                        const char *shard)
{
    size_t size = shard ? strlen(shard) : 0;

    if (shard)
        (void)snprintf(poller->name, sizeof(poller->name), "%.10s-%s", trigger,
                       size > 4 ? shard + size - 4 : shard);
    else
        (void)snprintf(poller->name, sizeof(poller->name), "%.15s", trigger);
}

static struct source *open_queue(const struct poller *poller)
{
    const struct trigger_config *trigger = poller->trigger;

    return sqs_open(&(struct sqs_options){
        .session = poller->session,
        .client = poller->client,
        .clock = poller->clock,
        .log = &poller->log,
        .queue_url = trigger->source.sqs.queue_url,
        .queue = trigger->source.name,
        .arn = trigger->source.arn,
        .minimum_receives = trigger->provisioned_poller_config.minimum_pollers,
        .maximum_receives = trigger->provisioned_poller_config.maximum_pollers,
        .visibility_timeout_ms = trigger->visibility_timeout_ms,
        .needed_visibility_ms = trigger_needed_visibility_ms(trigger),
        .batch_ms =
            trigger->visibility_heartbeat ? 0 : trigger->handler.timeout_ms,
        .wait_ms = trigger->wait_time_seconds * 1000,
        .seed = poller->seed ^ 1,
    });
}

static struct source *open_dynamodb(const struct poller *poller,
                                    const struct poller_options *options)
{
    return dynamodb_open(&(struct dynamodb_options){
        .client = poller->client,
        .clock = poller->clock,
        .log = &poller->log,
        .arn = options->stream,
        .shard = options->shard,
        .start = options->start,
        .fails_trimmed =
            poller->trigger->on_trimmed_data == TRIGGER_TRIMMED_STOP,
        .seed = poller->seed ^ 1,
    });
}

static struct source *open_kinesis(const struct poller *poller,
                                   const struct poller_options *options)
{
    const struct kinesis_options kinesis = {
        .session = poller->session,
        .client = poller->client,
        .clock = poller->clock,
        .log = &poller->log,
        .stream = poller->trigger->source.name,
        .arn = options->consumer_arn ? options->consumer_arn
                                     : poller->trigger->source.arn,
        .consumer_arn = options->consumer_arn,
        .shard = options->shard,
        .start = options->start,
        .splits_aggregated =
            poller->trigger->deaggregate == TRIGGER_DEAGGREGATE_AUTO,
        .idle_ms = POLLER_TIP_MS,
        .seed = poller->seed ^ 1,
    };

    return options->consumer_arn ? kinesis_fanout_open(&kinesis)
                                 : kinesis_open(&kinesis);
}

static struct source *open_source(const struct poller *poller,
                                  const struct poller_options *options)
{
    if (options->source)
        return options->source;
    if (!poller->is_shard)
        return open_queue(poller);
    return poller->trigger->source.type == SOURCE_TYPE_DYNAMODB
               ? open_dynamodb(poller, options)
               : open_kinesis(poller, options);
}

struct poller *poller_create(const struct poller_options *options)
{
    struct poller *poller = mem_calloc(1, sizeof(*poller));

    poller->events = options->events;
    poller->clock = options->clock;
    poller->trigger = options->trigger;
    poller->session = options->session;
    poller->handler = options->handler;
    poller->acts_until_ms = options->acts_until_ms;
    poller->is_shard = options->shard != NULL;
    poller->window = mem_strdup(options->window);
    poller->seed = options->seed;
    if (poller->is_shard)
        log_child(&poller->log, options->log, "shard", options->shard);
    else
        poller->log = *options->log;
    name_thread(poller, options->trigger->name, options->shard);
    pthread_mutex_init(&poller->lock, NULL);
    mailbox_init(&poller->mailbox, wake, poller);
    poller->stop_mail.kind = LOOP_STOP;
    poller->force_mail.kind = LOOP_FORCE;
    poller->client = aws_client_create(
        &(struct aws_client_options){.session = options->session,
                                     .clock = options->clock,
                                     .log = &poller->log,
                                     .seed = options->seed ^ 2});
    poller->source = open_source(poller, options);
    return poller;
}

static bool open_parts(struct poller *poller, struct error *err)
{
    return trigger_parts_open(
        &poller->parts,
        &(struct trigger_parts_options){.trigger = poller->trigger,
                                        .session = poller->session,
                                        .client = poller->client,
                                        .clock = poller->clock,
                                        .log = &poller->log,
                                        .seed = poller->seed ^ 4},
        err);
}

static void forward_checkpoint(void *context,
                               const struct poller_checkpoint *checkpoint)
{
    struct poller *poller = context;

    if (poller->events.checkpoint)
        poller->events.checkpoint(poller->events.context, poller, checkpoint);
}

static void create_loop(struct poller *poller)
{
    poller->loop = loop_create(&(struct loop_options){
        .trigger = poller->trigger,
        .is_shard = poller->is_shard,
        .source = poller->source,
        .parts = poller->parts,
        .clock = poller->clock,
        .handler = poller->handler,
        .mailbox = &poller->mailbox,
        .log = &poller->log,
        .acts_until_ms = poller->acts_until_ms,
        .window = poller->window,
        .seed = poller->seed,
        .checkpoint = forward_checkpoint,
        .context = poller,
    });
}

static void take_mail(struct poller *poller, int64_t now_ms)
{
    struct mail *next;

    for (struct mail *mail = mailbox_take(&poller->mailbox); mail;
         mail = next) {
        next = mail->next;
        loop_mail(poller->loop, mail, now_ms);
    }
}

static void take_replies(struct poller *poller, int64_t now_ms)
{
    struct aws_reply reply;

    while (aws_client_next(poller->client, &reply)) {
        loop_reply(poller->loop, &reply, now_ms);
        aws_reply_finish(&reply);
    }
}

static void publish(struct poller *poller, int64_t now_ms)
{
    pthread_mutex_lock(&poller->lock);
    loop_stats(poller->loop, &poller->stats);
    poller->stats.progressed_ms = now_ms;
    pthread_mutex_unlock(&poller->lock);
}

/* False once there is nothing left to do. */
static bool go_round(struct poller *poller)
{
    int64_t now_ms = clock_now_ms(poller->clock);

    take_mail(poller, now_ms);
    take_replies(poller, now_ms);
    loop_round(poller->loop, now_ms);
    publish(poller, now_ms);
    return !loop_is_over(poller->loop);
}

static void rest(struct poller *poller)
{
    int64_t now_ms = clock_now_ms(poller->clock);
    int64_t deadline_ms = loop_deadline_ms(poller->loop, now_ms);

    aws_client_wait(poller->client,
                    clock_until_ms(deadline_ms, now_ms, POLLER_ROUND_MS));
}

/* Calls that are still under way belong to nobody from here on; what is known
 * of them comes back at once, for their owners to free. */
static void cancel_calls(struct poller *poller)
{
    int64_t now_ms = clock_now_ms(poller->clock);

    aws_client_cancel(poller->client, poller->source);
    trigger_parts_cancel(&poller->parts, poller->client);
    take_replies(poller, now_ms);
    publish(poller, now_ms);
}

static void end(struct poller *poller)
{
    pthread_mutex_lock(&poller->lock);
    poller->end = loop_end(poller->loop, &poller->error);
    pthread_mutex_unlock(&poller->lock);
    if (poller->events.ended)
        poller->events.ended(poller->events.context, poller);
}

static void *run(void *context)
{
    struct poller *poller = context;

    (void)pthread_setname_np(pthread_self(), poller->name);
    while (go_round(poller))
        rest(poller);
    cancel_calls(poller);
    end(poller);
    return NULL;
}

static bool start_thread(struct poller *poller, struct error *err)
{
    pthread_attr_t attributes;
    int rc;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, POLLER_STACK_BYTES);
    rc = pthread_create(&poller->thread, &attributes, run, poller);
    pthread_attr_destroy(&attributes);
    if (rc)
        return error_set(err, ERROR_TRANSIENT, "start a thread: %s",
                         strerror(rc));
    poller->started = true;
    return true;
}

bool poller_start(struct poller *poller, struct error *err)
{
    if (!open_parts(poller, err))
        return false;
    create_loop(poller);
    return start_thread(poller, err);
}

static void ask(struct poller *poller, atomic_bool *asked, struct mail *mail)
{
    if (!atomic_exchange(asked, true))
        mailbox_post(&poller->mailbox, mail);
}

void poller_stop(struct poller *poller)
{
    ask(poller, &poller->stop_asked, &poller->stop_mail);
}

void poller_force(struct poller *poller)
{
    ask(poller, &poller->force_asked, &poller->force_mail);
}

enum poller_end poller_ended(const struct poller *poller, struct error *err)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&poller->lock;
    enum poller_end end;

    pthread_mutex_lock(lock);
    end = poller->end;
    if (end == POLLER_FAILED)
        *err = poller->error;
    pthread_mutex_unlock(lock);
    return end;
}

void poller_read_stats(const struct poller *poller, struct poller_stats *stats)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&poller->lock;

    pthread_mutex_lock(lock);
    *stats = poller->stats;
    pthread_mutex_unlock(lock);
}

void poller_join(struct poller *poller)
{
    if (!poller->started)
        return;
    pthread_join(poller->thread, NULL);
    poller->started = false;
}

void poller_destroy(struct poller *poller)
{
    if (!poller)
        return;
    if (!poller->loop)
        create_loop(poller); // never started: it owns the source
    take_mail(poller, 0);
    if (!loop_destroy(poller->loop))
        return;
    mailbox_finish(&poller->mailbox); // senders may still wake the client
    aws_client_destroy(poller->client);
    pthread_mutex_destroy(&poller->lock);
    free(poller->window);
    free(poller);
}
