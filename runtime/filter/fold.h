/*
 * fold: text compared without regard to case, as EventBridge does it: each
 * character of the pattern stands for its lower and its upper form, which may
 * be several ("ß" is "SS" too, but not "ss").
 *
 * Threads: immutable once made.
 */
#ifndef POLLARD_FOLD_H
#define POLLARD_FOLD_H

#include <stdbool.h>

#include "base/bytes.h"

struct fold {
    struct fold_unit *units; // owned; one a character
    size_t count;
};

/* `text` is UTF-8. */
void fold_init(struct fold *fold, struct bytes text);
void fold_finish(struct fold *fold);

/* Does the text begin, or end, with it; is it that and no more? */
bool fold_begins(const struct fold *fold, struct bytes text);
bool fold_ends(const struct fold *fold, struct bytes text);
bool fold_equals(const struct fold *fold, struct bytes text);

#endif
