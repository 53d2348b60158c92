/*
 * fuzz_response: response payloads of handlers, from anybody. The first byte
 * chooses what is read. A verdict is whole: all failed, or as many flags as it
 * says; the state lies inside the response.
 */
#include "poller/response.h"

#include <stdlib.h>
#include <string.h>

#include "handler/handler.h"
#include "poller/batch.h"
#include "record/record.h"

#define COUNT 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct record records[COUNT] = {
    {.id = {"a", 1}},
    {.id = {"49590338271490256608559692538361571095921575989136588898", 56}},
    {.id = {"m-1", 3}},
    {.id = {"m-1", 3}},
    {.id = {NULL, 0}},
};

static void check(const struct response_verdict *verdict,
                  const struct outcome *outcome)
{
    const struct buffer *response = &outcome->response;
    size_t failed = 0;

    for (size_t i = 0; i < COUNT; i++)
        failed += response_is_failed(verdict, i);
    if (failed != verdict->failed_count ||
        (verdict->all_failed && failed < COUNT))
        abort();
    if (verdict->is_invalid != verdict->all_failed ||
        verdict->is_invalid != (verdict->why[0] != '\0'))
        abort();
    if (verdict->has_state &&
        (verdict->state.data < response->data || *verdict->state.data != '{' ||
         verdict->state.data + verdict->state.size >
             response->data + response->size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct response_verdict verdict;
    struct response_rules rules;
    struct outcome outcome;
    struct batch *batch;

    if (!size)
        return 0;
    batch = batch_create(COUNT);
    for (; batch->count < COUNT; batch->count++)
        batch->records[batch->count] = &records[batch->count];
    rules = (struct response_rules){data[0] & 1, data[0] & 2};
    outcome_init(&outcome);
    outcome.kind = OUTCOME_DONE;
    outcome.has_response = true;
    buffer_append(&outcome.response, data + 1, size - 1);
    response_read(&outcome, batch, &rules, &verdict);
    check(&verdict, &outcome);
    response_verdict_finish(&verdict);
    outcome_finish(&outcome);
    free(batch);
    return 0;
}
