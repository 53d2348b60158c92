/*
 * suggest: which word was probably meant.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SUGGEST_H
#define POLLARD_SUGGEST_H

#define SUGGEST_FAR 3

/* How many typing mistakes (a letter too many, too few, wrong, or two swapped)
 * lie between two words, case and underscores aside: 0 to 2, or SUGGEST_FAR for
 * everything beyond, and for words too short to tell. */
int suggest_distance(const char *typed, const char *meant);

#endif
