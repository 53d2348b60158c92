#include "source/sqs_fate.h"

#include <stdio.h>
#include <string.h>

#include "aws/sqs_answer.h"

// Servers send codes with and without their prefix.
static bool is_code(const char *code, const char *wanted)
{
    size_t size = strlen(code), tail = strlen(wanted);

    return size >= tail && !strcmp(code + size - tail, wanted);
}

// Some codes are final, whoever the server says is at fault. What is not in
// flight any more needs not be returned.
static enum sqs_fate fate_of_code(const struct sqs_fate_call *call,
                                  const char *code, bool is_sender_fault)
{
    if (call->is_return && is_code(code, "MessageNotInflight"))
        return SQS_FATE_DONE;
    if (is_sender_fault || is_code(code, "ReceiptHandleIsInvalid") ||
        is_code(code, "MessageNotInflight") ||
        is_code(code, "InvalidParameterValue") ||
        is_code(code, "InvalidParameterValueException"))
        return SQS_FATE_LOST;
    return SQS_FATE_AGAIN;
}

static enum sqs_fate fate_of_result(const struct sqs_fate_call *call,
                                    const struct sqs_result *result)
{
    switch (result->state) {
    case SQS_RESULT_OK:
        return SQS_FATE_DONE;
    case SQS_RESULT_FAILED:
        return fate_of_code(call, result->code, result->is_sender_fault);
    case SQS_RESULT_MISSING:
        break;
    }
    return call->is_batch ? SQS_FATE_AGAIN : SQS_FATE_DONE;
}

static enum sqs_fate fate_of_failure(const struct sqs_fate_call *call,
                                     const struct aws_reply *reply)
{
    if (call->is_batch && sqs_answer_is_unknown_operation(reply))
        return SQS_FATE_NO_BATCH;
    switch (reply->error.code) {
    case ERROR_INVALID:
    case ERROR_LOST:
        return call->count > 1 ? SQS_FATE_ALONE
                               : fate_of_code(call, reply->code, true);
    case ERROR_NOT_FOUND:
    case ERROR_DENIED:
    case ERROR_STOPPED:
        return SQS_FATE_LOST;
    case ERROR_NONE:
    case ERROR_THROTTLED:
    case ERROR_TRANSIENT:
        break;
    }
    return SQS_FATE_AGAIN;
}

static void judge_all(struct sqs_fates *fates, enum sqs_fate fate,
                      const char *why)
{
    for (size_t i = 0; i < SQS_BATCH_MOST; i++)
        fates->of[i] = fate;
    (void)snprintf(fates->why, sizeof(fates->why), "%s", why);
}

static void judge_result(const struct sqs_fate_call *call,
                         const struct sqs_result *result, size_t index,
                         struct sqs_fates *fates)
{
    fates->of[index] = fate_of_result(call, result);
    if (result->state == SQS_RESULT_FAILED)
        (void)snprintf(fates->why, sizeof(fates->why), "%s: %s", result->code,
                       result->message);
    else if (fates->of[index] != SQS_FATE_DONE)
        (void)snprintf(fates->why, sizeof(fates->why),
                       "the answer does not mention it");
}

void sqs_fate_judge(const struct sqs_fate_call *call, struct aws_reply *reply,
                    struct sqs_fates *fates)
{
    struct sqs_results results;
    struct error err = {0};

    *fates = (struct sqs_fates){0};
    if (!reply->ok) {
        judge_all(fates, fate_of_failure(call, reply), reply->error.message);
        return;
    }
    if (!sqs_answer_results(call->protocol, &reply->body, &results, &err)) {
        judge_all(fates, SQS_FATE_AGAIN, err.message);
        return;
    }
    for (size_t i = 0; i < call->count; i++)
        judge_result(call, &results.entries[i], i, fates);
}
