#include "source/sqs_fate.h"

#include <stdio.h>

#include "test.h"

enum call { DELETE, RETURN, BEAT };

// Calls of two entries; the fate of the second is what counts.
static struct fate_case {
    const char *name;
    enum call call;
    size_t count;
    bool is_single;     // the operation without a batch
    const char *answer; // NULL: failed as the next three say
    int status;
    enum error_code reaction;
    const char *code;
    enum sqs_fate fate;
} cases[] = {
    {"done", DELETE, 2, false, "{\"Successful\":[{\"Id\":\"1\"}]}", 0, 0, "",
     SQS_FATE_DONE},
    {"not mentioned", DELETE, 2, false, "{\"Successful\":[{\"Id\":\"0\"}]}", 0,
     0, "", SQS_FATE_AGAIN},
    {"the server's fault", DELETE, 2, false,
     "{\"Failed\":[{\"Id\":\"1\",\"SenderFault\":false,\"Code\":\"x\"}]}", 0, 0,
     "", SQS_FATE_AGAIN},
    {"the sender's fault", DELETE, 2, false,
     "{\"Failed\":[{\"Id\":\"1\",\"SenderFault\":true,\"Code\":\"x\"}]}", 0, 0,
     "", SQS_FATE_LOST},
    {"LocalStack: nobody's fault, but final", DELETE, 2, false,
     "{\"Failed\":[{\"Id\":\"1\",\"SenderFault\":false,\"Code\":"
     "\"ReceiptHandleIsInvalid\"}]}",
     0, 0, "", SQS_FATE_LOST},
    {"an expired FIFO handle", DELETE, 2, false,
     "{\"Failed\":[{\"Id\":\"1\",\"SenderFault\":true,\"Code\":"
     "\"InvalidParameterValue\"}]}",
     0, 0, "", SQS_FATE_LOST},
    {"a return of what is visible", RETURN, 2, false,
     "{\"Failed\":[{\"Id\":\"1\",\"SenderFault\":true,\"Code\":"
     "\"AWS.SimpleQueueService.MessageNotInflight\"}]}",
     0, 0, "", SQS_FATE_DONE},
    {"a heartbeat of what is visible", BEAT, 2, false,
     "{\"Failed\":[{\"Id\":\"1\",\"SenderFault\":true,\"Code\":"
     "\"MessageNotInflight\"}]}",
     0, 0, "", SQS_FATE_LOST},
    {"an answer cut short", DELETE, 2, false, "{\"Successful\":[{\"Id\":\"1\"}",
     0, 0, "", SQS_FATE_AGAIN},
    {"an error inside", DELETE, 2, false, "{\"__type\":\"InternalFailure\"}", 0,
     0, "", SQS_FATE_AGAIN},
    {"no batches here", RETURN, 2, false, NULL, 400, ERROR_INVALID,
     "InvalidAction", SQS_FATE_NO_BATCH},
    {"no single call either", RETURN, 1, true, NULL, 400, ERROR_INVALID,
     "InvalidAction", SQS_FATE_LOST},
    {"a batch refused whole", DELETE, 2, false, NULL, 404, ERROR_LOST,
     "ReceiptHandleIsInvalid", SQS_FATE_ALONE},
    {"a batch of one refused", DELETE, 1, false, NULL, 404, ERROR_LOST,
     "ReceiptHandleIsInvalid", SQS_FATE_LOST},
    {"one return refused as visible", RETURN, 1, true, NULL, 400, ERROR_LOST,
     "MessageNotInflight", SQS_FATE_DONE},
    {"one done, no body", DELETE, 1, true, "", 0, 0, "", SQS_FATE_DONE},
    {"throttled", DELETE, 2, false, NULL, 403, ERROR_THROTTLED,
     "RequestThrottled", SQS_FATE_AGAIN},
    {"no answer", DELETE, 2, false, NULL, 0, ERROR_TRANSIENT, "",
     SQS_FATE_AGAIN},
    {"the queue is gone", DELETE, 2, false, NULL, 400, ERROR_NOT_FOUND,
     "QueueDoesNotExist", SQS_FATE_LOST},
    {"denied", DELETE, 2, false, NULL, 403, ERROR_DENIED, "AccessDenied",
     SQS_FATE_LOST},
    {"cut off", DELETE, 2, false, NULL, 0, ERROR_STOPPED, "", SQS_FATE_LOST},
};

static void test_fate(void **state)
{
    const struct fate_case *c = *state;
    const struct sqs_fate_call call = {.protocol = AWS_JSON_10,
                                       .is_batch = !c->is_single,
                                       .is_return = c->call == RETURN,
                                       .count = c->count};
    struct aws_reply reply = {.ok = c->answer != NULL, .status = c->status};
    struct sqs_fates fates;

    buffer_init(&reply.body, 1000);
    buffer_append_text(&reply.body, c->answer ? c->answer : "");
    (void)snprintf(reply.code, sizeof(reply.code), "%s", c->code);
    if (!reply.ok)
        error_set(&reply.error, c->reaction, "as the test says");
    sqs_fate_judge(&call, &reply, &fates);
    assert_int_equal(fates.of[c->count - 1], c->fate);
    if (c->fate != SQS_FATE_DONE)
        assert_true(fates.why[0]);
    buffer_finish(&reply.body);
}

int main(void)
{
    return run_table("fates", cases, test_fate);
}
