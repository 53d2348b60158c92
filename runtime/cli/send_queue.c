#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "aws/sqs_answer.h"
#include "aws/sqs_queue.h"
#include "aws/sqs_request.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cli/send_target.h"
#include "source/source_config.h"

#define FIND_MS 10000
#define DELAY_MOST 900
#define CALL_BYTES (256u * 1024) // AWS takes a MiB by now, others do not
#define MESSAGE_BYTES (1024u * 1024)
#define TOKEN_SIZE 48

struct send_to_queue {
    struct send_target base; // first
    struct sqs_queue *queue; // owned
    struct error trouble;    // the last call of the search that failed
    bool is_fifo;
    uint64_t nonce; // tells this run's messages from all others
};

static struct send_to_queue *queue_of(struct send_target *target)
{
    return (struct send_to_queue *)target;
}

static const char *queue_objection(const struct source_config *source,
                                   const struct send_options *options)
{
    bool is_fifo = source_config_is_fifo(source);

    if (options->key)
        return "--key is for streams; a FIFO queue has --group";
    if (is_fifo && !options->group)
        return "a FIFO queue needs --group";
    if (is_fifo && options->delay_s)
        return "a FIFO queue knows no delay of single messages";
    if (options->delay_s < 0 || options->delay_s > DELAY_MOST)
        return "--delay is 0 to 900 seconds";
    return NULL;
}

static void take_replies(struct send_to_queue *self)
{
    struct aws_reply reply;

    while (aws_client_next(self->base.client, &reply)) {
        if (!reply.ok)
            self->trouble = reply.error;
        sqs_queue_reply(self->queue, &reply, clock_now_ms(clock_system()));
        aws_reply_finish(&reply);
    }
}

static bool is_found(const struct send_to_queue *self)
{
    return sqs_queue_facts(self->queue) || sqs_queue_is_missing(self->queue) ||
           sqs_queue_failure(self->queue);
}

static bool find_queue(struct send_to_queue *self, struct error *err)
{
    const char *name = self->base.source->name;
    int64_t now_ms = clock_now_ms(clock_system());
    int64_t deadline_ms = now_ms + FIND_MS;

    for (; !is_found(self) && now_ms < deadline_ms;
         now_ms = clock_now_ms(clock_system())) {
        sqs_queue_poll(self->queue, now_ms);
        aws_client_wait(
            self->base.client,
            clock_until_ms(sqs_queue_deadline_ms(self->queue), now_ms, 1000));
        take_replies(self);
    }
    if (sqs_queue_facts(self->queue))
        return true;
    if (sqs_queue_failure(self->queue)) {
        *err = *sqs_queue_failure(self->queue);
        return false;
    }
    if (sqs_queue_is_missing(self->queue))
        return error_set(err, ERROR_NOT_FOUND, "queue %s does not exist", name);
    if (self->trouble.code == ERROR_NONE)
        return error_set(err, ERROR_TRANSIENT, "queue %s was not found in time",
                         name);
    *err = self->trouble;
    return false;
}

static bool queue_open(struct send_target *target, struct error *err)
{
    struct send_to_queue *self = queue_of(target);

    self->is_fifo = source_config_is_fifo(target->source);
    self->nonce = random_next(&target->random);
    self->queue = sqs_queue_create(&(struct sqs_queue_options){
        .session = target->session,
        .client = target->client,
        .log = target->log,
        .url = target->source->sqs.queue_url,
        .name = target->source->name,
        .arn = target->source->arn,
        .wants_attributes = true, // which shows that the queue is there
        .owner = self,
        .seed = random_next(&target->random)});
    return find_queue(self, err);
}

static void queue_check(struct send_item *item)
{
    if (utf8_valid_size(item->data) == item->data.size)
        return;
    item->state = SEND_REFUSED;
    (void)snprintf(item->why, sizeof(item->why), "a message must be UTF-8");
}

static void take_results(struct send_item *const *items, size_t count,
                         const struct sqs_results *results)
{
    for (size_t i = 0; i < count; i++) {
        const struct sqs_result *result = &results->entries[i];

        if (result->state == SQS_RESULT_OK)
            items[i]->state = SEND_ACCEPTED;
        else if (result->state == SQS_RESULT_FAILED && result->is_sender_fault)
            items[i]->state = SEND_REFUSED;
        (void)snprintf(items[i]->why, sizeof(items[i]->why), "%.60s: %.90s",
                       result->code, result->message);
    }
}

static void write_batch(struct send_to_queue *self,
                        struct send_item *const *items, size_t count,
                        struct aws_request *request)
{
    const struct send_options *options = self->base.options;
    struct sqs_send sends[SQS_BATCH_MOST];
    char tokens[SQS_BATCH_MOST][TOKEN_SIZE];

    for (size_t i = 0; i < count; i++) {
        sends[i] = (struct sqs_send){.message = items[i]->data,
                                     .group = bytes_of(options->group),
                                     .delay_s = options->delay_s};
        if (!self->is_fifo)
            continue;
        // Sent again, it is the same message to the queue: the token stays.
        (void)snprintf(tokens[i], TOKEN_SIZE, "%016" PRIx64 "-%zu", self->nonce,
                       items[i]->line);
        sends[i].deduplication = bytes_of(tokens[i]);
    }
    sqs_request_send_batch(request->protocol, sqs_queue_facts(self->queue)->url,
                           sends, count, &request->body);
}

static bool queue_send(struct send_target *target,
                       struct send_item *const *items, size_t count,
                       struct error *err)
{
    struct send_to_queue *self = queue_of(target);
    const struct sqs_queue_facts *facts = sqs_queue_facts(self->queue);
    struct aws_request request = {.service = AWS_SQS,
                                  .protocol = facts->protocol,
                                  .operation = "SendMessageBatch",
                                  .path = facts->path};
    struct aws_reply reply = {0};
    struct sqs_results results;
    bool ok;

    buffer_init(&request.body, SQS_BODY_LIMIT);
    write_batch(self, items, count, &request);
    ok = aws_client_call(target->client, &request, NULL, &reply);
    if (!ok)
        *err = reply.error;
    else
        ok = sqs_answer_results(facts->protocol, &reply.body, &results, err);
    aws_reply_finish(&reply);
    if (ok)
        take_results(items, count, &results);
    return ok;
}

static void queue_close(struct send_target *target)
{
    sqs_queue_destroy(queue_of(target)->queue);
}

const struct send_target_ops send_queue = {
    .noun = "messages",
    .one = "message",
    .size = sizeof(struct send_to_queue),
    .items = SQS_BATCH_MOST,
    .bytes = CALL_BYTES,
    .item_bytes = MESSAGE_BYTES,
    .objection = queue_objection,
    .open = queue_open,
    .check = queue_check,
    .send = queue_send,
    .close = queue_close,
};
