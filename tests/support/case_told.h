/*
 * case_told: what happened in a case's world, left as JSON in the case's own
 * words: calls with their events, and reports of what was given up.
 *
 * Threads: one.
 */
#ifndef POLLARD_TEST_CASE_TOLD_H
#define POLLARD_TEST_CASE_TOLD_H

struct batch;
struct case_world;
struct discard;

void case_told_call(struct case_world *world, const struct batch *batch);
void case_told_discard(struct case_world *world, const struct discard *discard);

#endif
