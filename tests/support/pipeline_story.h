/*
 * pipeline_story: the pipeline told as a story, in words that run from left to
 * right, for tables of cases. Records are letters; each five letters in a row
 * (a to e, f to j) have one key, and with lanes each of the two has a lane of
 * its own.
 *
 *   add:abc        they arrive          batch:ab   these may start now
 *   parts:abc      ... as an aggregated record's parts, whose sequence is "a"
 *   wait           nothing may start    +500       half a second passes
 *   ok:ab          their batch is done  fail:ab    ... failed
 *   late:ab        ... timed out        never:ab   ... could not start
 *   part:ab/b      ... but b failed     bad:ab     ... its response is wrong
 *   done:a again:b back:c none          the verdicts that come out, in order
 *   checkpoint:b   it moved to b        checkpoint it did not move
 *   checkpoint:b:2 ... to the second part of b
 *   room:5         so many may come     due:500    something happens in 500 ms
 *   never_due      nothing by time      attempt:a1 a's batch is a second try
 *   pass           as much time passes as until something is due
 *   stop           start nothing more
 *   attempts:ab    given up, too often tried     old:ab     ... too old
 *   kept           nothing is given up           invokes:a4 says a's report
 *   unhandled:a0   or 1: says a's report
 *   reported:a     the destination has it        dropped:a  there is none
 *   unreported:a   it could not be reported
 */
#ifndef POLLARD_PIPELINE_STORY_H
#define POLLARD_PIPELINE_STORY_H

#include <stdint.h>

#include "poller/pipeline.h"

/* Options of a shard that all rows have. */
#define STORY_SHARD \
    .kind = PIPELINE_SHARD, .maximum_attempts = -1, .maximum_age_ms = -1

struct story_case {
    const char *name;
    struct pipeline_options options;
    int64_t lasts_ms; // visibility of what arrives; 0: for ever
    int64_t age_ms;   // how old it is on arrival
    uint32_t size;    // of a record's event; 0: 100
    const char *story;
};

#define STORY_BATCHES 16

struct story {
    const struct story_case *c;
    struct pipeline *pipeline;
    struct batch *running[STORY_BATCHES];
    struct discard *discards[STORY_BATCHES]; // taken
    size_t inside;                           // records not yet settled
    int64_t now_ms;
    const char *word; // for messages
};

/* Options that are not set are filled in. */
void story_start(struct story *story, const struct story_case *c);

/* One word happens. */
void story_tell(struct story *story, const char *word);

/* Whatever the story left inside comes out, each record once. */
void story_end(struct story *story);

/* For run_table over cases. */
void story_test(void **state);

#endif
