/*
 * decimal: numbers of JSON compared digit by digit, so that 300 equals 300.0
 * and 3e2, and none of 0.1 is lost on the way through a double.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_DECIMAL_H
#define POLLARD_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* 0.DIGITS * 10^point; zero has no digits. */
struct decimal {
    const char *digits, *end; // borrowed; from the first that is not 0 to the
                              // last; a '.' among them is passed over
    int64_t point;
    bool negative;
};

/* `text` is a number by JSON's grammar. An exponent beyond 10^15 is taken for
 * 10^15. */
struct decimal decimal_of(struct bytes text);

/* Below, at, or above zero: a is smaller, equal, or larger. */
int decimal_compare(const struct decimal *a, const struct decimal *b);

#endif
