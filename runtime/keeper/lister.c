#include "keeper/lister.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"

#define STACK_BYTES (256 * 1024)

enum lister_state {
    LISTER_IDLE,
    LISTER_ASKED, // or listing
    LISTER_DONE,  // the result waits
};

struct lister {
    // Never changed after lister_create.
    char *stream; // owned
    struct mailbox *reply_to;
    struct log log;
    struct aws_client *client; // owned; the lister thread's, but for its wake

    // Shared.
    bool stop; // atomic; kinesis_list_shards looks at it
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum lister_state state; // guarded by lock
    struct listing listing;  // guarded by lock; the result
    bool ok;                 // guarded by lock; likewise
    struct error error;      // guarded by lock; likewise
    struct mail mail;        // the keeper's while DONE

    // The creator's own.
    pthread_t thread;
    bool started;
};

void listing_finish(struct listing *listing)
{
    free(listing->stream);
    stream_shards_finish(&listing->shards);
    *listing = (struct listing){0};
}

struct lister *lister_create(const struct lister_options *options)
{
    struct lister *lister = mem_calloc(1, sizeof(*lister));

    lister->stream = mem_strdup(options->stream);
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

static bool identify(struct lister *lister, struct listing *listing,
                     struct error *err)
{
    struct kinesis_summary summary = {0};

    if (!kinesis_describe(lister->client, lister->stream, &lister->stop,
                          &summary, err))
        return false;
    listing->stream = summary.created_ms
                          ? mem_printf("%s@%" PRId64, lister->stream,
                                       summary.created_ms / 1000)
                          : mem_strdup(lister->stream);
    kinesis_summary_finish(&summary);
    return true;
}

static void list(struct lister *lister)
{
    struct listing listing = {0};
    struct error error = {0};
    bool ok = identify(lister, &listing, &error) &&
              kinesis_list_shards(lister->client, lister->stream, &lister->stop,
                                  &listing.shards, &error);

    if (!ok)
        listing_finish(&listing);
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
    (void)snprintf(name, sizeof(name), "list-%.10s", lister->stream);
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

bool lister_take(struct lister *lister, struct listing *listing,
                 struct error *err)
{
    bool ok;

    pthread_mutex_lock(&lister->lock);
    ok = lister->ok;
    *err = lister->error;
    *listing = lister->listing;
    lister->listing = (struct listing){0};
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
    listing_finish(&lister->listing);
    aws_client_destroy(lister->client);
    pthread_cond_destroy(&lister->changed);
    pthread_mutex_destroy(&lister->lock);
    free(lister->stream);
    free(lister);
}
