#include "source/sqs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "aws/arn.h"
#include "aws/client.h"
#include "aws/resource.h"
#include "aws/session.h"
#include "aws/sqs_queue.h"
#include "aws/sqs_request.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "source/receive_attempt.h"
#include "source/receive_plan.h"
#include "source/source.h"
#include "source/sqs_collect.h"
#include "source/sqs_message.h"
#include "source/sqs_settle.h"
#include "source/sqs_visibility.h"

#define WAIT_MARGIN_MS 10000 // that an answer may take beyond the long poll
#define BACKOFF_BASE_MS 100
#define BACKOFF_MAXIMUM_MS 20000
#define EARLY_MS 1000 // an empty answer sooner than this was no long poll
#define EARLY_BACKOFF_MAXIMUM_MS 1000
#define SAY_AGAIN_MS 60000
#define UNSETTLED_MOST 1000 // beyond it settling is behind: receive no more

enum kind { KIND_QUEUE, KIND_RECEIVE, KIND_SETTLE };

struct sqs {
    struct source source; // first

    // Set by open, never changed.
    struct aws_client *client;   // borrowed
    struct aws_session *session; // borrowed
    struct log log;
    struct sqs_visibility visibility;
    int64_t wait_ms;
    char *name;   // owned; the queue's
    bool is_fifo; // its receives carry attempt ids

    // Poller thread only.
    struct sqs_queue *queue;   // owned
    struct sqs_settle *settle; // owned
    struct receive_plan plan;
    struct receive_attempts attempts; // a FIFO queue's
    struct sqs_collect collect;
    struct random random;
    enum aws_protocol protocol; // of the receives in flight
    struct record_origin origin;
    char *arn, *region;       // owned; origin's
    struct record_list ready; // received, not handed out
    size_t out;               // handed out, not settled
    uint64_t received;
    bool is_looked_at; // its visibility timeout, once it is known
    bool is_stopped;
    bool is_over_limit;     // too many in flight: settle before receiving more
    int64_t receive_at_ms;  // no receive before; 0: now
    int64_t failed_ms;      // when receiving last failed
    unsigned failures;      // in a row
    unsigned early_empties; // in a row
    struct log_repeat failed_said, refused_said;
    struct error failure;
};

static struct sqs *sqs_of(struct source *source)
{
    return (struct sqs *)source;
}

static const struct sqs *sqs_of_const(const struct source *source)
{
    return (const struct sqs *)source;
}

// What records say of where they come from, complete before the first of them:
// as configured, else as the queue says, else as it must be.
static void name_origin(struct sqs *sqs, const char *arn)
{
    struct error err;
    struct arn parts;

    if (sqs->origin.arn)
        return;
    sqs->arn = arn ? mem_strdup(arn)
                   : mem_printf("arn:aws:sqs:%s:%s:%s",
                                aws_session_region(sqs->session),
                                aws_session_account(sqs->session), sqs->name);
    sqs->region = arn_parse(sqs->arn, &parts, &err)
                      ? mem_strndup(parts.region.data, parts.region.size)
                      : mem_strdup(aws_session_region(sqs->session));
    sqs->origin = (struct record_origin){
        .kind = RECORD_SQS, .arn = sqs->arn, .region = sqs->region};
}

// "orders" of ".../000000000000/orders".
static const char *name_of_url(const char *url)
{
    const char *slash = strrchr(url, '/');

    return slash ? slash + 1 : url;
}

static struct sqs_queue *create_queue(struct sqs *sqs,
                                      const struct sqs_options *options)
{
    return sqs_queue_create(
        &(struct sqs_queue_options){.session = options->session,
                                    .client = options->client,
                                    .log = options->log,
                                    .url = options->queue_url,
                                    .name = options->queue,
                                    .arn = options->arn,
                                    .wants_attributes = true,
                                    .owner = sqs,
                                    .kind = KIND_QUEUE,
                                    .seed = options->seed});
}

static struct sqs_settle *create_settle(struct sqs *sqs,
                                        const struct sqs_options *options)
{
    return sqs_settle_create(
        &(struct sqs_settle_options){.client = options->client,
                                     .log = options->log,
                                     .queue = sqs->queue,
                                     .owner = sqs,
                                     .kind = KIND_SETTLE,
                                     .seed = options->seed + 1});
}

static const struct error *failure_of(const struct sqs *sqs)
{
    const struct error *failure = sqs_queue_failure(sqs->queue);

    if (sqs->failure.code)
        return &sqs->failure;
    return failure ? failure : sqs_settle_failure(sqs->settle);
}

static bool can_receive(const struct sqs *sqs)
{
    if (sqs->is_stopped || sqs->receive_at_ms || failure_of(sqs) ||
        !sqs_queue_facts(sqs->queue))
        return false;
    return sqs_settle_count(sqs->settle) <
           (sqs->is_over_limit ? 1 : UNSETTLED_MOST);
}

// What a receive's tag says: how many it asked for, and its attempt's number.
static void *tag_of(size_t asked, uint64_t attempt)
{
    return (void *)(uintptr_t)(attempt << 8 | asked);
}

static size_t asked_by(const struct aws_reply *reply)
{
    return (uintptr_t)reply->tag & 0xff;
}

static uint64_t attempt_of(const struct aws_reply *reply)
{
    return (uint64_t)(uintptr_t)reply->tag >> 8;
}

static void send_receive(struct sqs *sqs, size_t most, int64_t now_ms)
{
    const struct sqs_queue_facts *facts = sqs_queue_facts(sqs->queue);
    uint64_t attempt =
        sqs->is_fifo ? receive_attempts_start(&sqs->attempts, now_ms) : 0;
    char id[RECEIVE_ATTEMPT_ID_SIZE];
    const struct sqs_receive receive = {
        .url = facts->url,
        .most = most,
        .wait_s = sqs->wait_ms / 1000,
        .visibility_s =
            sqs_visibility_asked_s(&sqs->visibility, facts->visibility_s),
        .attempt_id = attempt ? id : NULL};
    // One attempt: the loop here has a backoff of its own, which a stop ends.
    struct aws_request request = {.service = AWS_SQS,
                                  .protocol = facts->protocol,
                                  .operation = "ReceiveMessage",
                                  .path = facts->path,
                                  .timeout_ms = sqs->wait_ms + WAIT_MARGIN_MS,
                                  .max_attempts = 1,
                                  .is_long_poll = true,
                                  .owner = sqs,
                                  .tag = tag_of(most, attempt),
                                  .kind = KIND_RECEIVE};

    sqs->protocol = facts->protocol;
    receive_attempts_id(&sqs->attempts, attempt, id);
    buffer_init(&request.body, SQS_BODY_LIMIT);
    sqs_request_receive(facts->protocol, &receive, &request.body);
    aws_client_send(sqs->client, &request);
}

// Once: whoever set the queue up wants to know.
static void look_at_visibility(struct sqs *sqs, int64_t own_s)
{
    if (!sqs->is_looked_at && sqs_visibility_is_short(&sqs->visibility, own_s))
        log_warn(
            &sqs->log, "sqs.visibility_short",
            LOG_INT("visibility_s", sqs_visibility_s(&sqs->visibility, own_s)),
            LOG_INT("timeout_s", sqs->visibility.batch_s),
            LOG_STR("error",
                    "messages come back while their batch may still run; "
                    "Lambda refuses such a queue. Set visibility_timeout "
                    "or visibility_heartbeat, or the queue's own to six "
                    "times the handler's timeout"));
    sqs->is_looked_at = true;
}

static void sqs_poll(struct source *source, size_t room, int64_t now_ms)
{
    const struct sqs_queue_facts *facts;
    struct sqs *sqs = sqs_of(source);
    size_t left = room > sqs->ready.count ? room - sqs->ready.count : 0;
    size_t most;

    if (!sqs->is_stopped)
        sqs_queue_poll(sqs->queue, now_ms);
    sqs_settle_poll(sqs->settle, sqs->is_stopped, now_ms);
    if (now_ms >= sqs->receive_at_ms)
        sqs->receive_at_ms = 0;
    if (!can_receive(sqs))
        return;
    sqs->is_over_limit = false;
    facts = sqs_queue_facts(sqs->queue);
    name_origin(sqs, facts->arn);
    look_at_visibility(sqs, facts->visibility_s);
    while ((most = receive_plan_ask(&sqs->plan, left, now_ms)))
        send_receive(sqs, most, now_ms);
}

static int64_t visibility_s(const struct sqs *sqs)
{
    const struct sqs_queue_facts *facts = sqs_queue_facts(sqs->queue);

    return sqs_visibility_s(&sqs->visibility, facts ? facts->visibility_s : -1);
}

// Receives that were in flight together fail together: they count as one.
static void back_off(struct sqs *sqs, const struct aws_reply *reply,
                     int64_t now_ms)
{
    if (reply->sent_ms && reply->sent_ms < sqs->failed_ms)
        return;
    sqs->failed_ms = now_ms;
    sqs->receive_at_ms =
        now_ms + random_full_jitter_ms(&sqs->random, BACKOFF_BASE_MS,
                                       BACKOFF_MAXIMUM_MS, sqs->failures++);
}

static void say_failed(struct sqs *sqs, const struct error *err, int64_t now_ms)
{
    if (!log_repeat_due(&sqs->failed_said, now_ms, SAY_AGAIN_MS))
        return;
    log_warn(&sqs->log, "sqs.receive_failed",
             LOG_INT("repeated", sqs->failed_said.suppressed), LOG_ERROR(err));
    sqs->failed_said.suppressed = 0;
}

static void receive_failed(struct sqs *sqs, const struct aws_reply *reply,
                           const struct error *err, int64_t now_ms)
{
    switch (err->code) {
    case ERROR_STOPPED:
        return;
    case ERROR_NOT_FOUND:
        sqs_queue_lost(sqs->queue, err, now_ms);
        return;
    case ERROR_DENIED:
    case ERROR_INVALID:
        sqs->failure = *err;
        return;
    case ERROR_NONE:
    case ERROR_LOST:
    case ERROR_THROTTLED:
    case ERROR_TRANSIENT:
        break;
    }
    sqs->is_over_limit = !strcmp(reply->code, "OverLimit");
    back_off(sqs, reply, now_ms);
    say_failed(sqs, err, now_ms);
}

// One line for an answer, and one a minute.
static void release_refused(struct sqs *sqs, struct record_list *refused,
                            int64_t now_ms)
{
    bool due = refused->count &&
               log_repeat_due(&sqs->refused_said, now_ms, SAY_AGAIN_MS);
    struct record *record;

    for (; (record = record_list_take(refused)); due = false) {
        if (due) {
            log_warn(&sqs->log, "sqs.message_refused",
                     LOG_BYTES("id", record->id),
                     LOG_INT("messages", refused->count + 1),
                     LOG_INT("repeated", sqs->refused_said.suppressed),
                     LOG_STR("error", sqs_collect_state(record)->refusal));
            sqs->refused_said.suppressed = 0;
        }
        sqs_settle_leave(sqs->settle, record);
    }
}

static void append(struct record_list *list, struct record_list *more)
{
    struct record *record;

    while ((record = record_list_take(more)))
        record_list_add(list, record);
}

// A server that does not wait when nothing is there must not be asked in a
// circle.
static void pace(struct sqs *sqs, const struct aws_reply *reply, size_t brought,
                 int64_t now_ms)
{
    if (brought || now_ms - reply->sent_ms >= EARLY_MS) {
        sqs->early_empties = 0;
        return;
    }
    sqs->receive_at_ms =
        now_ms + BACKOFF_BASE_MS / 2 +
        random_full_jitter_ms(&sqs->random, BACKOFF_BASE_MS,
                              EARLY_BACKOFF_MAXIMUM_MS, sqs->early_empties++);
}

static bool read_answer(struct sqs *sqs, struct aws_reply *reply,
                        size_t *brought, int64_t now_ms, struct error *err)
{
    struct sqs_arrival arrival = {
        .origin = &sqs->origin,
        .received_ms = reply->received_ms ? reply->received_ms : now_ms};
    struct record_list records = {0}, refused = {0};

    arrival.visible_ms = arrival.received_ms + visibility_s(sqs) * 1000;
    if (!sqs_message_read(&sqs->collect, sqs->protocol, &arrival, &reply->body,
                          &records, &refused, err))
        return false;
    *brought = records.count + refused.count;
    sqs->received += *brought;
    release_refused(sqs, &refused, now_ms);
    append(&sqs->ready, &records);
    return true;
}

static void received(struct sqs *sqs, struct aws_reply *reply, int64_t now_ms)
{
    size_t asked = asked_by(reply), brought = 0;
    struct error err = reply->error;

    if (!reply->ok || !read_answer(sqs, reply, &brought, now_ms, &err)) {
        receive_plan_failed(&sqs->plan, asked);
        if (sqs->is_fifo)
            receive_attempts_lost(&sqs->attempts, attempt_of(reply),
                                  reply->sent_ms ? reply->sent_ms : now_ms);
        receive_failed(sqs, reply, &err, now_ms);
        return;
    }
    if (sqs->is_fifo)
        receive_attempts_answered(&sqs->attempts, attempt_of(reply));
    receive_plan_answered(&sqs->plan, asked, brought);
    sqs->failures = 0;
    pace(sqs, reply, brought, now_ms);
}

static void sqs_reply(struct source *source, struct aws_reply *reply,
                      int64_t now_ms)
{
    struct sqs *sqs = sqs_of(source);

    switch ((enum kind)reply->kind) {
    case KIND_QUEUE:
        sqs_queue_reply(sqs->queue, reply, now_ms);
        return;
    case KIND_RECEIVE:
        received(sqs, reply, now_ms);
        return;
    case KIND_SETTLE:
        sqs_settle_reply(sqs->settle, reply, now_ms);
        return;
    }
    assert(!"a reply of another owner");
}

static struct record *sqs_next(struct source *source)
{
    struct sqs *sqs = sqs_of(source);
    struct record *record = record_list_take(&sqs->ready);

    if (record)
        sqs->out++;
    return record;
}

static void sqs_settle_one(struct source *source, struct record *record,
                           enum source_verdict verdict, int64_t delay_ms,
                           int64_t now_ms)
{
    struct sqs *sqs = sqs_of(source);

    assert(sqs->out);
    sqs->out--;
    switch (verdict) {
    case SOURCE_DONE:
        sqs_settle_delete(sqs->settle, record, now_ms);
        return;
    case SOURCE_RETURN:
        sqs_settle_return(sqs->settle, record, 0, now_ms);
        return;
    case SOURCE_AGAIN:
        if (delay_ms < 0)
            record_release(record);
        else
            sqs_settle_return(sqs->settle, record,
                              sqs_visibility_delay_s(record, delay_ms, now_ms),
                              now_ms);
        return;
    }
}

static void sqs_extend(struct source *source, struct record *const *records,
                       size_t count, int64_t now_ms)
{
    struct sqs *sqs = sqs_of(source);

    sqs_settle_extend(sqs->settle, records, count, visibility_s(sqs), now_ms);
}

static int64_t receive_deadline_ms(const struct sqs *sqs)
{
    if (sqs->is_stopped || failure_of(sqs))
        return CLOCK_NEVER;
    if (!sqs_queue_facts(sqs->queue))
        return sqs_queue_deadline_ms(sqs->queue);
    if (sqs->receive_at_ms)
        return sqs->receive_at_ms;
    return can_receive(sqs) ? receive_plan_deadline_ms(&sqs->plan)
                            : CLOCK_NEVER;
}

static int64_t sqs_deadline_ms(const struct source *source)
{
    const struct sqs *sqs = sqs_of_const(source);

    return clock_earlier(receive_deadline_ms(sqs),
                         sqs_settle_deadline_ms(sqs->settle));
}

static void sqs_stop(struct source *source)
{
    struct sqs *sqs = sqs_of(source);

    sqs->is_stopped = true;
    aws_client_no_more_retries(sqs->client, sqs);
}

// A lookup in flight is no reason to wait: it takes no message.
static bool sqs_is_idle(const struct source *source)
{
    const struct sqs *sqs = sqs_of_const(source);

    return !sqs->plan.in_flight && !sqs->ready.count && !sqs->out &&
           sqs_settle_is_idle(sqs->settle);
}

static bool sqs_is_ended(const struct source *source)
{
    (void)source;
    return false;
}

static const struct error *sqs_failure(const struct source *source)
{
    return failure_of(sqs_of_const(source));
}

static void sqs_counts(const struct source *source,
                       struct source_counts *counts)
{
    const struct sqs *sqs = sqs_of_const(source);

    counts->received = sqs->received;
    counts->waits = sqs_queue_is_missing(sqs->queue);
    sqs_settle_counts(sqs->settle, counts);
}

static void sqs_close(struct source *source)
{
    struct sqs *sqs = sqs_of(source);
    struct record *record;

    aws_client_cancel(sqs->client, sqs);
    while ((record = record_list_take(&sqs->ready)))
        sqs_settle_leave(sqs->settle, record);
    sqs_settle_destroy(sqs->settle);
    sqs_queue_destroy(sqs->queue);
    sqs_collect_finish(&sqs->collect);
    free(sqs->arn);
    free(sqs->region);
    free(sqs->name);
    free(sqs);
}

static const struct source_ops sqs_ops = {
    .name = "sqs",
    .poll = sqs_poll,
    .reply = sqs_reply,
    .next = sqs_next,
    .settle = sqs_settle_one,
    .extend = sqs_extend,
    .deadline_ms = sqs_deadline_ms,
    .stop = sqs_stop,
    .is_idle = sqs_is_idle,
    .is_ended = sqs_is_ended,
    .failure = sqs_failure,
    .counts = sqs_counts,
    .close = sqs_close,
};

struct source *sqs_open(const struct sqs_options *options)
{
    struct sqs *sqs = mem_calloc(1, sizeof(*sqs));

    assert(options->queue_url || options->queue);
    sqs->source.ops = &sqs_ops;
    sqs->client = options->client;
    sqs->session = options->session;
    sqs->log = *options->log;
    sqs->visibility = (struct sqs_visibility){
        .configured_s = options->visibility_timeout_ms < 0
                            ? -1
                            : options->visibility_timeout_ms / 1000,
        .needed_s = (options->needed_visibility_ms + 999) / 1000,
        .batch_s = (options->batch_ms + 999) / 1000};
    sqs->wait_ms = options->wait_ms;
    sqs->name = mem_strdup(options->queue_url ? name_of_url(options->queue_url)
                                              : options->queue);
    sqs->is_fifo = resource_is_fifo(bytes_of(sqs->name));
    sqs->random.state = options->seed;
    receive_attempts_init(&sqs->attempts, random_next(&sqs->random));
    sqs->queue = create_queue(sqs, options);
    sqs->settle = create_settle(sqs, options);
    receive_plan_init(&sqs->plan, (size_t)options->minimum_receives,
                      (size_t)options->maximum_receives);
    sqs_collect_init(&sqs->collect);
    if (options->arn)
        name_origin(sqs, options->arn);
    return &sqs->source;
}
