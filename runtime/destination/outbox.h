/*
 * outbox: which emitted records go out in the next call, when the failed ones
 * go again, and when a delivery is complete. Each record is a parcel; the
 * parcels of one delivery are a shipment.
 *
 * Parcels go in the order of their arrival. Where order matters (`by_key`), one
 * that waits for its next attempt holds back the later ones of its key. Which
 * these are is looked for among the first OUTBOX_LOOK_MOST that wait: a batch
 * may leave very many, and a destination that is in trouble gets no further.
 *
 * A call that was refused whole is halved: its parcels go again in calls of at
 * most half as many, until the guilty one is alone.
 *
 * Threads: the poller's; no I/O, no clock.
 */
#ifndef POLLARD_OUTBOX_H
#define POLLARD_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/random.h"

struct delivery;
struct emission;
struct shipment;

#define OUTBOX_MOST 500 // parcels of one call, of any destination
#define OUTBOX_LOOK_MOST 2000

struct parcel {
    TAILQ_ENTRY(parcel) link; // while it waits
    struct shipment *shipment;
    const struct emission *emission; // borrowed
    size_t index;                    // in its delivery
    uint64_t number;                 // in the order of arrival
    size_t most;                     // parcels of a call that it may be part of
    unsigned attempts;               // that failed
    int64_t due_ms;                  // not before; 0: now
    bool is_waiting;
};
TAILQ_HEAD(parcel_list, parcel);
TAILQ_HEAD(shipment_list, shipment);

struct outbox_limits { // of one call
    size_t parcels, bytes;
    bool by_key;
};

struct outbox {
    struct outbox_limits limits;    // never changed
    struct parcel_list waiting;     // by number
    struct shipment_list shipments; // owned; not complete
    struct delivery *first_done, *last_done;
    uint64_t numbers; // handed out
    size_t fresh;     // waiting without a backoff
    int64_t due_ms;   // the earliest end of a backoff; may be too early
    struct random random;
};

struct shipment {
    TAILQ_ENTRY(shipment) link;
    struct delivery *delivery; // borrowed
    size_t left;               // parcels not accepted
    uint8_t identity[32];      // the destination's own, made at its arrival
    struct parcel parcels[];
};

void outbox_init(struct outbox *outbox, const struct outbox_limits *limits,
                 uint64_t seed);

/* Deliveries that are not complete are forgotten; they are their callers'. */
void outbox_finish(struct outbox *outbox);

/* An empty delivery is complete at once, and NULL is returned. */
struct shipment *outbox_add(struct outbox *outbox, struct delivery *delivery);

/* Parcels already taken for a call must be let go of by the caller. */
void outbox_withdraw(struct outbox *outbox, struct delivery *delivery);

/* The parcels of the next call; they are the caller's until one of the three
 * below. Returns how many; 0: none is due. */
size_t outbox_take(struct outbox *outbox, int64_t now_ms,
                   struct parcel *parcels[OUTBOX_MOST]);

/* Deliveries that are not complete. */
size_t outbox_deliveries(const struct outbox *outbox);

void outbox_accepted(struct outbox *outbox, struct parcel *parcel);

/* Again after a full-jitter backoff between base and maximum. */
void outbox_failed(struct outbox *outbox, struct parcel *parcel,
                   int64_t base_ms, int64_t maximum_ms, int64_t now_ms);

/* Again at once, in calls of at most `most` parcels. */
void outbox_halve(struct outbox *outbox, struct parcel *parcel, size_t most);

/* The next complete delivery, or NULL. */
struct delivery *outbox_next(struct outbox *outbox);

int64_t outbox_deadline_ms(const struct outbox *outbox);

#endif
