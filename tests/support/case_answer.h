/*
 * case_answer: what a service answers with one message of a conformance case,
 * read by the parser that pollard has for its answers; so that a record of the
 * core's run is made of what comes over the wire.
 *
 * Threads: one.
 */
#ifndef POLLARD_TEST_CASE_ANSWER_H
#define POLLARD_TEST_CASE_ANSWER_H

struct case_message;
struct case_world;

/* Goes with record_release. */
struct record *case_answer_record(struct case_world *world,
                                  const struct case_message *message);

#endif
