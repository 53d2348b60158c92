/*
 * send_target: where `pollard send` puts things: a queue or a stream, behind
 * one table. send.c fills batches, repeats what was not accepted, and reports.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_SEND_TARGET_H
#define POLLARD_SEND_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/random.h"

struct aws_client;
struct aws_session;
struct error;
struct log;
struct source_config;

struct send_options { // as the command line says
    const char *key;  // a record's partition key; NULL: by chance
    const char *group;
    int64_t delay_s;
};

enum send_state {
    SEND_WAITING, // not sent yet, or to be sent again
    SEND_ACCEPTED,
    SEND_REFUSED, // sending it again will not help
};

struct send_item {
    struct bytes data; // borrowed
    size_t line;       // of the input, from 1
    enum send_state state;
    char why[160]; // it was not accepted
};

struct send_target {
    const struct send_target_ops *ops;
    const struct source_config *source; // borrowed, as are the others
    const struct send_options *options;
    struct aws_session *session;
    struct aws_client *client;
    const struct log *log;
    struct random random;
};

struct send_target_ops {
    const char *noun, *one; // "messages", "message"
    size_t size;            // of the implementation's struct
    size_t items, bytes;    // of one call at the most
    size_t item_bytes;      // of one item at the most

    /* What of the options makes no sense here, in words; NULL: all does. */
    const char *(*objection)(const struct source_config *source,
                             const struct send_options *options);

    /* All else of the struct is zero. */
    bool (*open)(struct send_target *target, struct error *err);

    /* Set the item's state when it cannot even be sent. NULL: all can. */
    void (*check)(struct send_item *item);

    /* One call with these; sets the state of each. An error concerns all. */
    bool (*send)(struct send_target *target, struct send_item *const *items,
                 size_t count, struct error *err);

    /* Release what open took, even if open failed half-way. */
    void (*close)(struct send_target *target);
};

extern const struct send_target_ops send_queue, send_stream;

#endif
