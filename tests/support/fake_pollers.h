/*
 * fake_pollers: the poller room's face, held in the test's hand: pollers that
 * read nothing and have no thread; the test says how far they come and how they
 * end, and is their thread. A test that uses them is linked with --wrap, so it
 * must mention __wrap_poller_create, start, stop, force, ended, read_stats,
 * join and destroy, each in a line of its own.
 *
 * Threads: the keepers' create, stop and destroy; the test's does the rest. One
 * lock guards them all.
 */
#ifndef POLLARD_FAKE_POLLERS_H
#define POLLARD_FAKE_POLLERS_H

#include <stdbool.h>
#include <stddef.h>

#include "poller/poller.h"

struct fake_poller;

/* Before and after each test; none may be left by then. */
void fake_pollers_init(void);
void fake_pollers_finish(void);

/* Poller_stop ends a poller at once. Otherwise the test has to. */
void fake_pollers_end_when_asked(bool yes);

size_t fake_pollers_running(void);
/* Pollers of this shard started so far. A queue's go by the trigger's name. */
size_t fake_pollers_started(const char *shard);
/* The one that runs on this shard, or NULL. */
struct fake_poller *fake_pollers_find(const char *shard);

bool fake_poller_is_asked_to_stop(struct fake_poller *poller);
const char *fake_poller_trigger(struct fake_poller *poller);
struct stream_start fake_poller_start_of(struct fake_poller *poller);
/* Its lease still lets it act at now_ms. */
bool fake_poller_may_act(struct fake_poller *poller, int64_t now_ms);

/* Its loop went round, as its stats tell; never before. */
void fake_poller_goes_round(struct fake_poller *poller, int64_t now_ms);
void fake_poller_progress(struct fake_poller *poller, const char *sequence);
/* Its window is this one now; NULL: none is open. */
void fake_poller_windows(struct fake_poller *poller, const char *window);
/* The one that it was started with, or NULL. */
const char *fake_poller_window_of(struct fake_poller *poller);
/* It is gone afterwards. code and message are of POLLER_FAILED. */
void fake_poller_end(struct fake_poller *poller, enum poller_end end,
                     enum error_code code);

#endif
