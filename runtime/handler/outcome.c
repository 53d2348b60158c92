#include <stdlib.h>

#include "handler/handler.h"
#include "handler/host_call.h"

void outcome_init(struct outcome *outcome)
{
    *outcome = (struct outcome){.kind = OUTCOME_UNSTARTED};
    buffer_init(&outcome->response, HOST_CALL_RESPONSE_LIMIT);
    buffer_init(&outcome->state, HOST_CALL_RESPONSE_LIMIT);
    outcome->last_emission = &outcome->emissions;
}

void outcome_drop_emissions(struct outcome *outcome)
{
    while (outcome->emissions) {
        struct emission *next = outcome->emissions->next;

        free(outcome->emissions);
        outcome->emissions = next;
    }
    outcome->last_emission = &outcome->emissions;
    outcome->emission_count = outcome->emission_bytes = 0;
}

void outcome_finish(struct outcome *outcome)
{
    free(outcome->failed);
    buffer_finish(&outcome->response);
    buffer_finish(&outcome->state);
    outcome_drop_emissions(outcome);
    outcome_init(outcome);
}
