#include "keeper/lister.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "source/kinesis_consumer.h"
#include "source/source_config.h"

#define STACK_BYTES (256 * 1024)

enum lister_state {
    LISTER_IDLE,
    LISTER_ASKED, // or listing
    LISTER_DONE,  // the result waits
};

struct lister {
    // Never changed after lister_create.
    const struct source_config *source; // borrowed
    struct mailbox *reply_to;
    struct log log;
    struct aws_client *client; // owned; the lister thread's, but for its wake

    // Shared.
    bool stop; // atomic; stream_list looks at it
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum lister_state state;       // guarded by lock
    struct stream_listing listing; // guarded by lock; the result
    bool ok;                       // guarded by lock; likewise
    struct error error;            // guarded by lock; likewise
    struct mail mail;              // the keeper's while DONE

    // The creator's own.
    pthread_t thread;
    bool started;
};

struct lister *lister_create(const struct lister_options *options)
{
    struct lister *lister = mem_calloc(1, sizeof(*lister));

    lister->source = options->source;
    lister->reply_to = options->reply_to;
    lister->mail.kind = options->mail_kind;
    lister->log = *options->log;
    pthread_mutex_init(&lister->lock, NULL);
    pthread_cond_init(&lister->changed, NULL);
    lister->client = aws_client_create(
        &(struct aws_client_options){.session = options->session,
                                     .clock = options->clock,
                                     .log = &lister->log,
                                     .seed = options->seed});
    return lister;
}

static bool is_stopped(const struct lister *lister)
{
    return __atomic_load_n(&lister->stop, __ATOMIC_ACQUIRE);
}

// False when it is to end.
static bool wait_until_asked(struct lister *lister)
{
    pthread_mutex_lock(&lister->lock);
    while (lister->state != LISTER_ASKED && !is_stopped(lister))
        pthread_cond_wait(&lister->changed, &lister->lock);
    pthread_mutex_unlock(&lister->lock);
    return !is_stopped(lister);
}

static bool find_consumer(struct lister *lister, struct stream_listing *listing,
                          struct error *err)
{
    const struct source_config *source = lister->source;

    if (!source->consumer)
        return true;
    listing->consumer_arn = kinesis_find_consumer(
        lister->client,
        &(struct kinesis_consumer){.name = source->consumer,
                                   .arn = source_config_consumer_arn(source),
                                   .stream_arn = listing->list[0].arn,
                                   .registers =
                                       source->kinesis.register_consumer},
        &lister->stop, err);
    if (!listing->consumer_arn)
        stream_listing_finish(listing);
    return listing->consumer_arn != NULL;
}

static void list(struct lister *lister)
{
    struct stream_listing listing;
    struct error error = {0};
    bool ok = stream_list(lister->client, lister->source, &lister->stop,
                          &listing, &error) &&
              find_consumer(lister, &listing, &error);

    pthread_mutex_lock(&lister->lock);
    lister->ok = ok;
    lister->listing = listing;
    lister->error = error;
    lister->state = LISTER_DONE;
    pthread_mutex_unlock(&lister->lock);
    mailbox_post(lister->reply_to, &lister->mail);
}

static void *run(void *context)
{
    struct lister *lister = context;

    while (wait_until_asked(lister))
        list(lister);
    return NULL;
}

bool lister_start(struct lister *lister, struct error *err)
{
    pthread_attr_t attributes;
    char name[16];
    int rc;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    rc = pthread_create(&lister->thread, &attributes, run, lister);
    pthread_attr_destroy(&attributes);
    if (rc)
        return error_set(err, ERROR_TRANSIENT, "start a thread: %s",
                         strerror(rc));
    lister->started = true;
    (void)snprintf(name, sizeof(name), "list-%.10s", lister->source->name);
    (void)pthread_setname_np(lister->thread, name);
    return true;
}

void lister_ask(struct lister *lister)
{
    pthread_mutex_lock(&lister->lock);
    assert(lister->state == LISTER_IDLE);
    lister->state = LISTER_ASKED;
    pthread_cond_signal(&lister->changed);
    pthread_mutex_unlock(&lister->lock);
}

bool lister_take(struct lister *lister, struct stream_listing *listing,
                 struct error *err)
{
    bool ok;

    pthread_mutex_lock(&lister->lock);
    ok = lister->ok;
    *err = lister->error;
    *listing = lister->listing;
    lister->listing = (struct stream_listing){0};
    lister->state = LISTER_IDLE;
    pthread_mutex_unlock(&lister->lock);
    return ok;
}

void lister_stop(struct lister *lister)
{
    __atomic_store_n(&lister->stop, true, __ATOMIC_RELEASE);
    aws_client_wake(lister->client);
    pthread_mutex_lock(&lister->lock);
    pthread_cond_signal(&lister->changed);
    pthread_mutex_unlock(&lister->lock);
}

void lister_join(struct lister *lister)
{
    if (lister->started)
        pthread_join(lister->thread, NULL);
    lister->started = false;
}

void lister_destroy(struct lister *lister)
{
    if (!lister)
        return;
    stream_listing_finish(&lister->listing);
    aws_client_destroy(lister->client);
    pthread_cond_destroy(&lister->changed);
    pthread_mutex_destroy(&lister->lock);
    free(lister);
}
