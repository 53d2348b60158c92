#include "source/sqs_settle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "aws/sqs_queue.h"
#include "aws/sqs_request.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "source/settle_batch.h"
#include "source/sqs_collect.h"
#include "source/sqs_fate.h"

#define VISIBILITY_MOST_MS (12LL * 60 * 60 * 1000) // from the receive on
#define SAY_AGAIN_MS 60000

enum verb { VERB_DELETE, VERB_CHANGE, VERB_COUNT };

static const struct verb_ops {
    const char *batch, *single; // operations
    void (*write_batch)(enum aws_protocol protocol, const char *url,
                        const struct sqs_change *changes, size_t count,
                        struct buffer *body);
    void (*write_single)(enum aws_protocol protocol, const char *url,
                         const struct sqs_change *change, struct buffer *body);
} verbs[VERB_COUNT] = {
    [VERB_DELETE] = {"DeleteMessageBatch", "DeleteMessage",
                     sqs_request_delete_batch, sqs_request_delete},
    [VERB_CHANGE] = {"ChangeMessageVisibilityBatch", "ChangeMessageVisibility",
                     sqs_request_change_batch, sqs_request_change},
};

// One call in flight. The records of a heartbeat are the poller's: their chunks
// are held, so that the memory is there when the answer comes.
struct call {
    struct call *next, **link; // of all in flight
    enum verb verb;
    enum aws_protocol protocol;
    bool is_heartbeat, is_batch;
    struct settle_entry entries[SETTLE_BATCH_MOST];
    size_t count;
    int64_t sent_ms;
};

struct sqs_settle {
    // Set by create, never changed.
    struct aws_client *client;     // borrowed
    const struct sqs_queue *queue; // borrowed
    struct log log;
    void *owner; // borrowed
    int kind;

    // Poller thread only.
    struct settle_batch batches[VERB_COUNT];
    bool has_no_batch[VERB_COUNT]; // the server lacks that operation
    struct call *calls;            // owned; in flight
    size_t in_flight;              // records of deletes and returns
    size_t heartbeats;             // calls
    size_t held;                   // records whose return waits for one
    struct source_counts counts;
    struct log_repeat heartbeat_failed;
    struct error failure;
};

struct sqs_settle *sqs_settle_create(const struct sqs_settle_options *options)
{
    struct sqs_settle *settle = mem_calloc(1, sizeof(*settle));

    *settle = (struct sqs_settle){.client = options->client,
                                  .queue = options->queue,
                                  .log = *options->log,
                                  .owner = options->owner,
                                  .kind = options->kind};
    for (size_t i = 0; i < VERB_COUNT; i++)
        settle_batch_init(&settle->batches[i], options->seed + i);
    return settle;
}

static struct call *call_create(struct sqs_settle *settle)
{
    struct call *call = mem_calloc(1, sizeof(*call));

    call->next = settle->calls;
    call->link = &settle->calls;
    if (call->next)
        call->next->link = &call->next;
    settle->calls = call;
    return call;
}

static void call_destroy(struct call *call)
{
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    free(call);
}

static void leave(struct sqs_settle *settle, struct record *record)
{
    settle->counts.left_hidden++;
    record_release(record);
}

// The messages of one call that could not be settled: one line for all of them,
// with their ids.
struct losses {
    struct buffer ids;
    size_t count;
};

static void lose(struct sqs_settle *settle, struct losses *losses,
                 struct record *record)
{
    if (!losses->count++)
        buffer_init(&losses->ids, 8192);
    else
        buffer_append_char(&losses->ids, ' ');
    buffer_append_bytes(&losses->ids, record->id);
    leave(settle, record);
}

static void tell_losses(struct sqs_settle *settle, struct losses *losses,
                        enum verb verb, const char *why)
{
    if (!losses->count)
        return;
    log_warn(&settle->log, "sqs.left_hidden",
             LOG_STR("operation", verbs[verb].single),
             LOG_INT("messages", losses->count),
             LOG_STR("ids", buffer_text(&losses->ids)), LOG_STR("error", why));
    buffer_finish(&losses->ids);
}

// Those whose backoff is not over, too.
static void lose_waiting(struct sqs_settle *settle, enum verb verb,
                         const char *why)
{
    struct settle_entry entries[SETTLE_BATCH_MOST];
    size_t count;

    while ((count = settle_batch_take(&settle->batches[verb], SETTLE_BATCH_MOST,
                                      true, CLOCK_NEVER, entries))) {
        struct losses losses = {0};

        for (size_t i = 0; i < count; i++)
            lose(settle, &losses, entries[i].record);
        tell_losses(settle, &losses, verb, why);
    }
}

static void lose_call(struct sqs_settle *settle, struct call *call,
                      const char *why)
{
    struct losses losses = {0};

    for (size_t i = 0; i < call->count; i++) {
        struct record *record = call->entries[i].record;

        if (!call->is_heartbeat) {
            lose(settle, &losses, record);
            continue;
        }
        if (sqs_collect_state(record)->is_settling)
            lose(settle, &losses, record);
        record_release(record);
    }
    tell_losses(settle, &losses, call->verb, why);
    call_destroy(call);
}

void sqs_settle_destroy(struct sqs_settle *settle)
{
    static const char why[] = "closed before it was settled";

    if (!settle)
        return;
    while (settle->calls)
        lose_call(settle, settle->calls, why);
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        lose_waiting(settle, verb, why);
        settle_batch_finish(&settle->batches[verb]);
    }
    free(settle);
}

static size_t most_of(const struct sqs_settle *settle, enum verb verb)
{
    return settle->has_no_batch[verb] ? 1 : SETTLE_BATCH_MOST;
}

static void write_body(const struct call *call,
                       const struct sqs_queue_facts *facts, struct buffer *body)
{
    const struct verb_ops *ops = &verbs[call->verb];
    struct sqs_change changes[SETTLE_BATCH_MOST];

    for (size_t i = 0; i < call->count; i++)
        changes[i] = (struct sqs_change){
            .receipt_handle = call->entries[i].record->receipt_handle,
            .visibility_s = call->entries[i].visibility_s};
    buffer_init(body, SQS_BODY_LIMIT);
    if (call->is_batch)
        ops->write_batch(facts->protocol, facts->url, changes, call->count,
                         body);
    else
        ops->write_single(facts->protocol, facts->url, changes, body);
    assert(buffer_ok(body)); // receipt handles are bounded by sqs_collect
}

static void send_call(struct sqs_settle *settle, struct call *call,
                      int64_t now_ms)
{
    const struct sqs_queue_facts *facts = sqs_queue_facts(settle->queue);
    struct aws_request request = {.service = AWS_SQS,
                                  .protocol = facts->protocol,
                                  .path = facts->path,
                                  .owner = settle->owner,
                                  .kind = settle->kind,
                                  .tag = call};

    call->is_batch = !settle->has_no_batch[call->verb] &&
                     !(call->count == 1 && call->entries[0].alone);
    call->protocol = facts->protocol;
    call->sent_ms = now_ms;
    if (call->is_heartbeat)
        settle->heartbeats++;
    else
        settle->in_flight += call->count;
    request.operation =
        call->is_batch ? verbs[call->verb].batch : verbs[call->verb].single;
    write_body(call, facts, &request.body);
    aws_client_send(settle->client, &request);
}

// A queue that vanished is not looked for during a stop.
static bool is_queue_gone(const struct sqs_settle *settle, bool flush)
{
    return sqs_queue_is_missing(settle->queue) ||
           (flush && !sqs_queue_facts(settle->queue));
}

void sqs_settle_poll(struct sqs_settle *settle, bool flush, int64_t now_ms)
{
    static const char why[] = "the queue does not exist any more";

    if (is_queue_gone(settle, flush)) {
        lose_waiting(settle, VERB_DELETE, why);
        lose_waiting(settle, VERB_CHANGE, why);
    }
    if (!sqs_queue_facts(settle->queue) || settle->failure.code)
        return;
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        struct settle_entry entries[SETTLE_BATCH_MOST];
        size_t count;

        while ((count = settle_batch_take(&settle->batches[verb],
                                          most_of(settle, verb), flush, now_ms,
                                          entries))) {
            struct call *call = call_create(settle);

            call->verb = verb;
            call->count = count;
            memcpy(call->entries, entries, count * sizeof(entries[0]));
            send_call(settle, call, now_ms);
        }
    }
}

void sqs_settle_delete(struct sqs_settle *settle, struct record *record,
                       int64_t now_ms)
{
    settle_batch_add(
        &settle->batches[VERB_DELETE],
        &(struct settle_entry){.record = record, .since_ms = now_ms});
}

void sqs_settle_return(struct sqs_settle *settle, struct record *record,
                       int64_t visibility_s, int64_t now_ms)
{
    struct sqs_state *state = sqs_collect_state(record);

    if (state->is_extending) {
        state->is_settling = true;
        state->visibility_s = visibility_s;
        settle->held++;
        return;
    }
    settle_batch_add(&settle->batches[VERB_CHANGE],
                     &(struct settle_entry){.record = record,
                                            .visibility_s = visibility_s,
                                            .since_ms = now_ms});
}

void sqs_settle_leave(struct sqs_settle *settle, struct record *record)
{
    leave(settle, record);
}

// The entries are all of one kind: to go alone, or in batches.
static void send_heartbeats(struct sqs_settle *settle,
                            const struct settle_entry *entries, size_t count,
                            int64_t now_ms)
{
    size_t most = count && entries[0].alone ? 1 : most_of(settle, VERB_CHANGE);

    for (size_t done = 0; done < count;) {
        struct call *call = call_create(settle);

        call->verb = VERB_CHANGE;
        call->is_heartbeat = true;
        while (done < count && call->count < most)
            call->entries[call->count++] = entries[done++];
        send_call(settle, call, now_ms);
    }
}

// For how long a record may be hidden from now on; 0: no longer.
static int64_t extension_s(const struct record *record, int64_t visibility_s,
                           int64_t now_ms)
{
    int64_t left_s = (record->received_ms + VISIBILITY_MOST_MS - now_ms) / 1000;

    if (left_s <= 0)
        return 0;
    return left_s < visibility_s ? left_s : visibility_s;
}

void sqs_settle_extend(struct sqs_settle *settle, struct record *const *records,
                       size_t count, int64_t visibility_s, int64_t now_ms)
{
    struct settle_entry entries[SETTLE_BATCH_MOST];
    size_t ready = 0;

    if (!sqs_queue_facts(settle->queue))
        return;
    for (size_t i = 0; i < count; i++) {
        struct sqs_state *state = sqs_collect_state(records[i]);
        int64_t extend_s = extension_s(records[i], visibility_s, now_ms);

        if (state->is_extending || !extend_s)
            continue;
        state->is_extending = true;
        records[i]->chunk->live++;
        entries[ready++] = (struct settle_entry){.record = records[i],
                                                 .visibility_s = extend_s};
        if (ready == SETTLE_BATCH_MOST) {
            send_heartbeats(settle, entries, ready, now_ms);
            ready = 0;
        }
    }
    send_heartbeats(settle, entries, ready, now_ms);
}

static void judge(struct sqs_settle *settle, const struct call *call,
                  struct aws_reply *reply, struct sqs_fates *fates)
{
    sqs_fate_judge(
        &(struct sqs_fate_call){.protocol = call->protocol,
                                .is_batch = call->is_batch,
                                .is_return = call->verb == VERB_CHANGE &&
                                             !call->is_heartbeat,
                                .count = call->count},
        reply, fates);
    settle->has_no_batch[call->verb] |= fates->of[0] == SQS_FATE_NO_BATCH;
    // Without deletes every message would be handled again and again; without
    // visibility changes they only come back later.
    if (!reply->ok && reply->error.code == ERROR_DENIED &&
        call->verb == VERB_DELETE)
        settle->failure = reply->error;
}

static void done(struct sqs_settle *settle, enum verb verb,
                 struct record *record)
{
    if (verb == VERB_DELETE)
        settle->counts.deleted++;
    else
        settle->counts.returned++;
    record_release(record);
}

// Not by its own failure: it goes again at once.
static void requeue(struct sqs_settle *settle, enum verb verb,
                    const struct settle_entry *entry, bool alone)
{
    struct settle_entry again = *entry;

    again.since_ms = 0;
    again.alone = alone;
    settle_batch_add(&settle->batches[verb], &again);
}

static void carry_out(struct sqs_settle *settle, enum verb verb,
                      const struct settle_entry *entry, enum sqs_fate fate,
                      struct losses *losses, int64_t now_ms)
{
    switch (fate) {
    case SQS_FATE_DONE:
        done(settle, verb, entry->record);
        return;
    case SQS_FATE_ALONE:
    case SQS_FATE_NO_BATCH:
        requeue(settle, verb, entry, fate == SQS_FATE_ALONE);
        return;
    case SQS_FATE_AGAIN:
        if (settle_batch_again(&settle->batches[verb], entry, now_ms))
            return;
        break;
    case SQS_FATE_LOST:
        break;
    }
    lose(settle, losses, entry->record);
}

static void settled(struct sqs_settle *settle, const struct call *call,
                    struct aws_reply *reply, int64_t now_ms)
{
    struct losses losses = {0};
    struct sqs_fates fates;

    settle->in_flight -= call->count;
    judge(settle, call, reply, &fates);
    for (size_t i = 0; i < call->count; i++)
        carry_out(settle, call->verb, &call->entries[i], fates.of[i], &losses,
                  now_ms);
    tell_losses(settle, &losses, call->verb, fates.why);
}

static void say_heartbeat_failed(struct sqs_settle *settle, const char *why,
                                 int64_t now_ms)
{
    if (!log_repeat_due(&settle->heartbeat_failed, now_ms, SAY_AGAIN_MS))
        return;
    log_warn(&settle->log, "sqs.heartbeat_failed",
             LOG_INT("repeated", settle->heartbeat_failed.suppressed),
             LOG_STR("error", why));
    settle->heartbeat_failed.suppressed = 0;
}

// The record's heartbeat is over: what waited for it may go on.
static void end_heartbeat(struct sqs_settle *settle, struct record *record,
                          int64_t now_ms)
{
    struct sqs_state *state = sqs_collect_state(record);

    state->is_extending = false;
    if (state->is_settling) {
        state->is_settling = false;
        settle->held--;
        sqs_settle_return(settle, record, state->visibility_s, now_ms);
    }
    record_release(record);
}

static void extended(struct sqs_settle *settle, const struct call *call,
                     const struct settle_entry *entry)
{
    entry->record->visible_ms = call->sent_ms + entry->visibility_s * 1000;
    settle->counts.extended++;
}

static void heartbeat_answered(struct sqs_settle *settle,
                               const struct call *call, struct aws_reply *reply,
                               int64_t now_ms)
{
    struct settle_entry again[SETTLE_BATCH_MOST];
    struct sqs_fates fates;
    size_t again_count = 0;
    bool can_resend = sqs_queue_facts(settle->queue), failed = false;

    settle->heartbeats--;
    judge(settle, call, reply, &fates);
    for (size_t i = 0; i < call->count; i++) {
        const struct settle_entry *entry = &call->entries[i];

        if (can_resend && (fates.of[i] == SQS_FATE_NO_BATCH ||
                           fates.of[i] == SQS_FATE_ALONE)) {
            again[again_count] = *entry;
            again[again_count++].alone = true;
            continue;
        }
        if (fates.of[i] == SQS_FATE_DONE)
            extended(settle, call, entry);
        else
            failed = true;
        end_heartbeat(settle, entry->record, now_ms);
    }
    if (failed)
        say_heartbeat_failed(settle, fates.why, now_ms);
    send_heartbeats(settle, again, again_count, now_ms);
}

void sqs_settle_reply(struct sqs_settle *settle, struct aws_reply *reply,
                      int64_t now_ms)
{
    struct call *call = reply->tag;

    if (call->is_heartbeat)
        heartbeat_answered(settle, call, reply, now_ms);
    else
        settled(settle, call, reply, now_ms);
    call_destroy(call);
}

int64_t sqs_settle_deadline_ms(const struct sqs_settle *settle)
{
    if (!sqs_queue_facts(settle->queue) || settle->failure.code)
        return CLOCK_NEVER; // nothing can be sent
    return clock_earlier(
        settle_batch_deadline_ms(&settle->batches[VERB_DELETE]),
        settle_batch_deadline_ms(&settle->batches[VERB_CHANGE]));
}

size_t sqs_settle_count(const struct sqs_settle *settle)
{
    return settle_batch_count(&settle->batches[VERB_DELETE]) +
           settle_batch_count(&settle->batches[VERB_CHANGE]) +
           settle->in_flight + settle->held;
}

bool sqs_settle_is_idle(const struct sqs_settle *settle)
{
    return !sqs_settle_count(settle) && !settle->heartbeats;
}

const struct error *sqs_settle_failure(const struct sqs_settle *settle)
{
    return settle->failure.code ? &settle->failure : NULL;
}

void sqs_settle_counts(const struct sqs_settle *settle,
                       struct source_counts *counts)
{
    counts->deleted += settle->counts.deleted;
    counts->returned += settle->counts.returned;
    counts->left_hidden += settle->counts.left_hidden;
    counts->extended += settle->counts.extended;
}
