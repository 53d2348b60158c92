/*
 * advice: what is allowed, but may surprise: said once, as the worker begins to
 * run by a file, and not again for what a reload left as it was.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_ADVICE_H
#define POLLARD_ADVICE_H

struct log;
struct settings;

/* A warning for each enabled trigger that deserves one. `before` is what ran
 * until now, or NULL: what deserved the same there is silent. */
void advice_give(const struct settings *settings, const struct settings *before,
                 const struct log *log);

#endif
