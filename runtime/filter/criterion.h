/*
 * criterion: what one value is asked for: an entry of a pattern's list, such as
 * "created", {"prefix": "us-"} or {"numeric": [">", 0]}.
 *
 * Threads: immutable once made.
 */
#ifndef POLLARD_CRITERION_H
#define POLLARD_CRITERION_H

#include <stdbool.h>
#include <stddef.h>

#include "filter/address.h"
#include "filter/decimal.h"
#include "filter/fold.h"

enum criterion_type {
    CRITERION_TEXT, // `text` is all of it
    CRITERION_ADDRESS,
    CRITERION_NUMBER,
    CRITERION_TRUE,
    CRITERION_FALSE,
    CRITERION_NULL,
    CRITERION_PREFIX,
    CRITERION_SUFFIX,
    CRITERION_FOLD, // without regard to case
    CRITERION_FOLD_PREFIX,
    CRITERION_FOLD_SUFFIX,
    CRITERION_WILDCARD,
    CRITERION_RANGE,
    CRITERION_BLOCK, // cidr
    CRITERION_EXISTS,
    CRITERION_ABSENT, // no value has it: the caller's business
    CRITERION_NOT,    // none of `list`
};

struct criterion_bound {
    struct decimal number;
    bool is_given, is_open; // open: the number itself is not within
};

struct criteria {
    struct criterion *list; // owned; the texts come first, sorted
    size_t count, texts;
};

struct criterion {
    enum criterion_type type;
    struct bytes source; // borrowed: as it stands in the pattern
    struct bytes text;   // borrowed
    union {
        struct address address;
        struct address_block block;
        struct decimal number;
        struct {
            struct criterion_bound low, high;
        } range;
        struct fold fold;
        struct {
            struct bytes *list; // owned; what stands between the stars
            size_t count;
        } pieces;
        struct criteria none; // of CRITERION_NOT
    } of;
};

enum value_kind {
    VALUE_TEXT,
    VALUE_NUMBER,
    VALUE_TRUE,
    VALUE_FALSE,
    VALUE_NULL
};

/* A value of an event. */
struct criterion_value {
    enum value_kind kind;
    struct bytes text; // decoded; a number as it is written
};

/* The first that matches, or NULL. */
const struct criterion *criteria_find(const struct criteria *criteria,
                                      const struct criterion_value *value);

/* A zeroed entry at the end, until the next call. */
struct criterion *criteria_add(struct criteria *criteria);

/* After the last was added: puts the texts in order. */
void criteria_seal(struct criteria *criteria);

void criteria_finish(struct criteria *criteria);

/* Split a wildcard's text ("a*\\*b"); unescapes it in place. On failure *reason
 * says why. */
bool criterion_set_wildcard(struct criterion *criterion, char *text,
                            size_t size, const char **reason);

#endif
