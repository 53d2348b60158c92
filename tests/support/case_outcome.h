/*
 * case_outcome: how a call of a conformance case ends: which of the handler's
 * results is its turn, and that result as an outcome.
 *
 * Threads: one.
 */
#ifndef POLLARD_TEST_CASE_OUTCOME_H
#define POLLARD_TEST_CASE_OUTCOME_H

#include <jansson.h>
#include <stdint.h>

struct batch;
struct case_world;
struct outcome;

/* The first of the handler's results that is not used up and is for this batch.
 * NULL: it goes well. */
const json_t *case_result_of(struct case_world *world,
                             const struct batch *batch);

/* How long the call takes. */
int64_t case_result_takes_ms(const json_t *result);

void case_result_apply(const struct case_world *world, const json_t *result,
                       const struct batch *batch, struct outcome *outcome);

#endif
