/*
 * case_settings: the settings of a conformance case as a user would write them:
 * a whole file with one trigger.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_TEST_CASE_SETTINGS_H
#define POLLARD_TEST_CASE_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>

#include "record/record.h"

struct case_kind { // of a source
    const char *name, *source;
    bool is_queue, is_fifo;
    struct record_origin origin;
};

/* A source that there is not fails the test. */
const struct case_kind *case_kind_of(const json_t *spec);

/* life: 2 is after the case's `restart`. Caller frees. */
char *case_settings_text(const json_t *spec, int life);

#endif
