/*
 * case_shape: a document of a conformance case against the bytes that were
 * seen: JSON in which some texts stand for what only the run knows
 * (tests/conformance/README.md). Members are compared in their order, numbers
 * as they are written, and the bytes have no white space and no needless
 * escape. The twin of case_shape.py.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_TEST_CASE_SHAPE_H
#define POLLARD_TEST_CASE_SHAPE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"

/* What <name argument> stands for; argument is "" when there is none. A new
 * value; NULL: nothing of this name. */
typedef json_t *(*case_word_fn)(const void *context, const char *name,
                                const char *argument);

struct case_words {
    case_word_fn word;
    const void *context;
};

/* A text with its words in their places. Caller frees. */
char *case_shape_text(const char *text, const struct case_words *words);

/* Each 0 of the mask is a digit, each x a hexadecimal one. */
bool case_shape_is_masked(const char *text, const char *mask);

/* NULL when it agrees, else what does not. Caller frees. */
char *case_shape_difference(const json_t *shape, struct bytes text,
                            const struct case_words *words);

#endif
