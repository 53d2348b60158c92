/*
 * errors: what an answer says went wrong: AWS's code, its text, and how to
 * react. Pure. Understands JSON, CBOR and XML bodies; recognises HTML and
 * half a body for what they are. An answer is classified by its code; the
 * status decides only where there is none (wire.md sections 0, 1.7, 2.9, 8.2).
 *
 * Codes are given without prefix or URI. A code of the Query protocol goes by
 * the name that JSON has for it (wire.md section 1.7, first column), so that
 * "AWS.SimpleQueueService.NonExistentQueue" is QueueDoesNotExist here.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_ERRORS_H
#define POLLARD_ERRORS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"

#define ERRORS_CODE_SIZE 96
#define ERRORS_TEXT_SIZE 272 // of an error_claim's text, at the least

struct errors_answer { // all borrowed
    int status;
    struct bytes body;
    const char *error_type;  // header x-amzn-errortype; "" if none
    const char *query_error; // header x-amzn-query-error; "" if none
    bool wants_xml;          // asked in the Query protocol
    bool status_tells;       // a good one is no failure, whatever the body
};

struct errors_finding {
    char code[ERRORS_CODE_SIZE]; // "" if the answer named none
    char text[ERRORS_TEXT_SIZE]; // AWS's message, or what the answer looks like
    enum error_code reaction;
    bool not_json; // an error whose body was neither JSON nor CBOR
    bool is_clock; // may be our clock: wire.md section 6.4
    bool is_stale; // other credentials may help: wire.md section 7.4
};

/* True when the answer is a failure, even under status 200. */
bool errors_find(const struct errors_answer *answer,
                 struct errors_finding *finding);

#endif
