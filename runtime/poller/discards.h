/*
 * discards: what the pipeline gives up, on its way out: reported to the
 * destination that the trigger has for it, and only when that has accepted the
 * report is it over for the pipeline. Without a destination it is dropped, and
 * the log says what was lost.
 *
 * A worker that may no longer act for its shard (lease guard) reports nothing
 * new: the next owner will try those records again, and report them itself.
 * When it is told to stop then, or while a destination is down, it withdraws
 * what is under way: a report that comes later is as good.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_DISCARDS_H
#define POLLARD_DISCARDS_H

#include <stdbool.h>
#include <stdint.h>

struct aws_reply;
struct discards;
struct log;
struct on_failure;
struct pipeline;

struct discards_options {
    struct pipeline *pipeline;      // borrowed
    struct on_failure *on_failure;  // owned from here on; NULL: dropped
    struct on_failure *on_filtered; // owned from here on; NULL: none come
    const struct log *log;          // borrowed
};

struct discards *discards_create(const struct discards_options *options);

/* Requires that none is out. NULL is fine. */
void discards_destroy(struct discards *discards);

/* Take what was accepted, and report what is new. */
void discards_round(struct discards *discards, int64_t now_ms);

/* Take what was accepted only: it is not for us to report now. */
void discards_hold(struct discards *discards, int64_t now_ms);

/* Does one wait for a destination that is down? */
bool discards_are_stuck(const struct discards *discards);

/* Give all up: their records stay unhandled. */
void discards_withdraw(struct discards *discards);

/* A call finished. False: it is not one of a report. */
bool discards_reply(struct discards *discards, struct aws_reply *reply,
                    int64_t now_ms);

int64_t discards_deadline_ms(const struct discards *discards);

#endif
