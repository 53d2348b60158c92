/*
 * sqs_fate: what an answer means for each entry of a delete or visibility call
 * (wire.md section 1.5).
 *
 * Threads: pure functions; the answer's body is overwritten.
 */
#ifndef POLLARD_SQS_FATE_H
#define POLLARD_SQS_FATE_H

#include <stdbool.h>
#include <stddef.h>

#include "aws/client.h"
#include "aws/sqs_request.h"
#include "base/error.h"

enum sqs_fate {
    SQS_FATE_DONE,
    SQS_FATE_AGAIN,    // no fault of its own
    SQS_FATE_ALONE,    // its batch was refused whole: once more, by itself
    SQS_FATE_NO_BATCH, // the server has no such batch: once more, by itself
    SQS_FATE_LOST,     // it cannot be done
};

struct sqs_fate_call { // that was answered
    enum aws_protocol protocol;
    bool is_batch;
    bool is_return; // of messages to the queue: not a delete, not a heartbeat
    size_t count;
};

struct sqs_fates {
    enum sqs_fate of[SQS_BATCH_MOST];               // by entry
    char why[sizeof(((struct error *)0)->message)]; // of those not done
};

void sqs_fate_judge(const struct sqs_fate_call *call, struct aws_reply *reply,
                    struct sqs_fates *fates);

#endif
