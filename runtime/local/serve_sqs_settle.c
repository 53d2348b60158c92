#include "local/receipt.h"
#include "local/server.h"
#include "local/serve_sqs.h"

// False: the handle is none, or of another queue.
static bool read_handle(struct request *request, const struct queue *queue,
                        const struct sqs_entry *entry, struct receipt *receipt,
                        struct sqs_problem *problem)
{
    if (!entry->receipt.size)
        return serve_sqs_problem(request, problem, API_MISSING_PARAMETER,
                                 "The request must contain the parameter "
                                 "ReceiptHandle.");
    return (receipt_read(request->server->secret, entry->receipt, receipt) &&
            receipt->queue == queue->id) ||
           serve_sqs_problem(request, problem, API_RECEIPT_INVALID,
                             "The input receipt handle \"%.*s\" is not a valid "
                             "receipt handle.",
                             BYTES_ARGS(entry->receipt));
}

static bool expired(struct request *request, const struct sqs_entry *entry,
                    struct sqs_problem *problem)
{
    return serve_sqs_problem(
        request, problem, API_INVALID_PARAMETER,
        "Value %.*s for parameter ReceiptHandle is invalid. "
        "Reason: The receipt handle has expired.",
        BYTES_ARGS(entry->receipt));
}

// A standard queue accepts any handle it ever gave out; an old one deletes
// nothing, because somebody else is at the message now.
static bool delete_entry(struct request *request, struct queue *queue,
                         const struct sqs_entry *entry,
                         struct sqs_problem *problem)
{
    struct receipt receipt;
    struct message *message;

    if (!read_handle(request, queue, entry, &receipt, problem))
        return false;
    switch (queue_check(queue, &receipt, &message)) {
    case RECEIPT_EXPIRED:
        if (queue->settings.fifo)
            return expired(request, entry, problem);
        break;
    case RECEIPT_OLD:
        return !queue->settings.fifo || expired(request, entry, problem);
    case RECEIPT_GONE:
        return true;
    case RECEIPT_GOOD:
        break;
    }
    queue->deleted++;
    queue_delete(queue, message);
    return true;
}

static bool check_visibility(struct request *request,
                             const struct input_int *seconds,
                             struct sqs_problem *problem)
{
    if (!seconds->given)
        return serve_sqs_problem(request, problem, API_MISSING_PARAMETER,
                                 "The request must contain the parameter "
                                 "VisibilityTimeout.");
    return (seconds->value >= 0 && seconds->value <= 43200) ||
           serve_sqs_problem(
               request, problem, API_INVALID_PARAMETER,
               "Value %lld for parameter VisibilityTimeout is invalid. "
               "Reason: VisibilityTimeout must be an integer between 0 "
               "and 43200.",
               (long long)seconds->value);
}

static bool hide(struct request *request, struct queue *queue,
                 struct message *message, int64_t visibility_ms,
                 struct sqs_problem *problem)
{
    int64_t now_ms = request->server->now_ms;
    int64_t held_s = (now_ms - message->received_ms) / 1000;

    if (held_s * 1000 + visibility_ms > QUEUE_VISIBILITY_LIMIT_MS)
        return serve_sqs_problem(
            request, problem, API_INVALID_PARAMETER,
            "Value %lld for parameter VisibilityTimeout is "
            "invalid. Reason: Total VisibilityTimeout for the "
            "message is beyond the limit [43200 seconds].",
            (long long)(visibility_ms / 1000));
    queue_hide(queue, message, now_ms, visibility_ms);
    return true;
}

static bool change_entry(struct request *request, struct queue *queue,
                         const struct sqs_entry *entry,
                         struct sqs_problem *problem)
{
    struct receipt receipt;
    struct message *message;

    if (!check_visibility(request, &entry->visibility_s, problem) ||
        !read_handle(request, queue, entry, &receipt, problem))
        return false;
    switch (queue_check(queue, &receipt, &message)) {
    case RECEIPT_GOOD:
        return hide(request, queue, message, entry->visibility_s.value * 1000,
                    problem);
    case RECEIPT_GONE:
        return serve_sqs_problem(
            request, problem, API_INVALID_PARAMETER,
            "Value %.*s for parameter ReceiptHandle is invalid. "
            "Reason: Message does not exist or is not available "
            "for visibility timeout change.",
            BYTES_ARGS(entry->receipt));
    case RECEIPT_EXPIRED:
    case RECEIPT_OLD:
        break;
    }
    if (queue->settings.fifo)
        return expired(request, entry, problem);
    return serve_sqs_problem(request, problem, API_MESSAGE_NOT_IN_FLIGHT,
                             "The specified message is not in flight.");
}

static const struct sqs_batch deletion = {
    .element = "DeleteMessageBatchResultEntry",
    .run = delete_entry,
};

static const struct sqs_batch change = {
    .element = "ChangeMessageVisibilityBatchResultEntry",
    .run = change_entry,
};

enum step serve_sqs_delete_message(struct request *request)
{
    return serve_sqs_run_single(request, &deletion);
}

enum step serve_sqs_delete_message_batch(struct request *request)
{
    return serve_sqs_run_batch(request, &deletion);
}

enum step serve_sqs_change_visibility(struct request *request)
{
    return serve_sqs_run_single(request, &change);
}

enum step serve_sqs_change_visibility_batch(struct request *request)
{
    return serve_sqs_run_batch(request, &change);
}
