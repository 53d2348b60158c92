#include "destination/outbox.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "destination/destination.h"
#include "record/emission.h"

void outbox_init(struct outbox *outbox, const struct outbox_limits *limits,
                 uint64_t seed)
{
    assert(limits->parcels <= OUTBOX_MOST);
    *outbox = (struct outbox){
        .limits = *limits, .due_ms = CLOCK_NEVER, .random = {.state = seed}};
    TAILQ_INIT(&outbox->waiting);
    TAILQ_INIT(&outbox->shipments);
}

static void forget(struct outbox *outbox, struct shipment *shipment)
{
    TAILQ_REMOVE(&outbox->shipments, shipment, link);
    shipment->delivery->shipment = NULL;
    free(shipment);
}

void outbox_finish(struct outbox *outbox)
{
    struct shipment *shipment;

    while ((shipment = TAILQ_FIRST(&outbox->shipments)))
        forget(outbox, shipment);
}

// Behind all that arrived before it: what failed is near the front.
static void wait_again(struct outbox *outbox, struct parcel *parcel)
{
    struct parcel *later = TAILQ_FIRST(&outbox->waiting);

    while (later && later->number < parcel->number)
        later = TAILQ_NEXT(later, link);
    if (later)
        TAILQ_INSERT_BEFORE(later, parcel, link);
    else
        TAILQ_INSERT_TAIL(&outbox->waiting, parcel, link);
    parcel->is_waiting = true;
    if (parcel->due_ms)
        outbox->due_ms = clock_earlier(outbox->due_ms, parcel->due_ms);
    else
        outbox->fresh++;
}

static void stop_waiting(struct outbox *outbox, struct parcel *parcel)
{
    TAILQ_REMOVE(&outbox->waiting, parcel, link);
    parcel->is_waiting = false;
    if (!parcel->due_ms)
        outbox->fresh--;
}

static void complete(struct outbox *outbox, struct delivery *delivery)
{
    delivery->next = NULL;
    if (outbox->last_done)
        outbox->last_done->next = delivery;
    else
        outbox->first_done = delivery;
    outbox->last_done = delivery;
}

struct shipment *outbox_add(struct outbox *outbox, struct delivery *delivery)
{
    const struct emission *emission = delivery->emissions;
    struct shipment *shipment;

    delivery->shipment = NULL;
    if (!delivery->count) {
        complete(outbox, delivery);
        return NULL;
    }
    shipment = mem_calloc(1, sizeof(*shipment) +
                                 delivery->count * sizeof(struct parcel));
    shipment->delivery = delivery;
    shipment->left = delivery->count;
    delivery->shipment = shipment;
    TAILQ_INSERT_TAIL(&outbox->shipments, shipment, link);
    for (size_t i = 0; i < delivery->count; i++, emission = emission->next) {
        struct parcel *parcel = &shipment->parcels[i];

        *parcel = (struct parcel){.shipment = shipment,
                                  .emission = emission,
                                  .index = i,
                                  .number = outbox->numbers++,
                                  .most = outbox->limits.parcels,
                                  .is_waiting = true};
        TAILQ_INSERT_TAIL(&outbox->waiting, parcel, link);
        outbox->fresh++;
    }
    return shipment;
}

static void withdraw_done(struct outbox *outbox, struct delivery *delivery)
{
    struct delivery *before = NULL, *one = outbox->first_done;

    for (; one && one != delivery; one = one->next)
        before = one;
    if (!one)
        return;
    if (before)
        before->next = one->next;
    else
        outbox->first_done = one->next;
    if (outbox->last_done == one)
        outbox->last_done = before;
}

void outbox_withdraw(struct outbox *outbox, struct delivery *delivery)
{
    struct shipment *shipment = delivery->shipment;

    if (!shipment) {
        withdraw_done(outbox, delivery);
        return;
    }
    for (size_t i = 0; i < delivery->count; i++)
        if (shipment->parcels[i].is_waiting)
            stop_waiting(outbox, &shipment->parcels[i]);
    forget(outbox, shipment);
}

// One before it, of the same key, waits for its next attempt.
static bool is_held_back(const struct outbox *outbox,
                         const struct parcel *parcel)
{
    const struct parcel *earlier = TAILQ_FIRST(&outbox->waiting);

    if (!outbox->limits.by_key)
        return false;
    for (; earlier != parcel; earlier = TAILQ_NEXT(earlier, link))
        if (bytes_equal(earlier->emission->key, parcel->emission->key))
            return true;
    return false;
}

static size_t parcel_size(const struct parcel *parcel)
{
    return parcel->emission->data.size + parcel->emission->key.size;
}

// Does it fit into a call that has `count` parcels of `bytes`, and may have
// `most`? A single one always does.
static bool fits(const struct outbox *outbox, const struct parcel *parcel,
                 size_t count, size_t bytes, size_t most)
{
    return !count || (count < most && count < parcel->most &&
                      bytes + parcel_size(parcel) <= outbox->limits.bytes);
}

size_t outbox_take(struct outbox *outbox, int64_t now_ms,
                   struct parcel *parcels[OUTBOX_MOST])
{
    size_t count = 0, bytes = 0, most = outbox->limits.parcels;
    size_t left = outbox->limits.by_key ? OUTBOX_LOOK_MOST : SIZE_MAX;
    int64_t due_ms = CLOCK_NEVER;
    struct parcel *parcel, *next;

    if (!outbox->fresh && now_ms < outbox->due_ms)
        return 0;
    for (parcel = TAILQ_FIRST(&outbox->waiting); parcel && left--;
         parcel = next) {
        next = TAILQ_NEXT(parcel, link);
        if (parcel->due_ms > now_ms) {
            due_ms = clock_earlier(due_ms, parcel->due_ms);
            continue;
        }
        if (is_held_back(outbox, parcel))
            continue;
        if (!fits(outbox, parcel, count, bytes, most))
            return count;
        most = parcel->most < most ? parcel->most : most;
        bytes += parcel_size(parcel);
        stop_waiting(outbox, parcel);
        parcels[count++] = parcel;
    }
    outbox->due_ms = due_ms; // all was seen that may go before these
    return count;
}

size_t outbox_deliveries(const struct outbox *outbox)
{
    const struct shipment *shipment;
    size_t count = 0;

    TAILQ_FOREACH(shipment, &outbox->shipments, link)
    count++;
    return count;
}

void outbox_accepted(struct outbox *outbox, struct parcel *parcel)
{
    struct shipment *shipment = parcel->shipment;
    struct delivery *delivery = shipment->delivery;

    assert(!parcel->is_waiting && shipment->left);
    if (--shipment->left)
        return;
    forget(outbox, shipment);
    complete(outbox, delivery);
}

void outbox_failed(struct outbox *outbox, struct parcel *parcel,
                   int64_t base_ms, int64_t maximum_ms, int64_t now_ms)
{
    parcel->due_ms =
        now_ms + random_full_jitter_ms(&outbox->random, base_ms, maximum_ms,
                                       parcel->attempts++);
    wait_again(outbox, parcel);
}

void outbox_halve(struct outbox *outbox, struct parcel *parcel, size_t most)
{
    parcel->most = most ? most : 1;
    parcel->due_ms = 0;
    wait_again(outbox, parcel);
}

struct delivery *outbox_next(struct outbox *outbox)
{
    struct delivery *delivery = outbox->first_done;

    if (!delivery)
        return NULL;
    outbox->first_done = delivery->next;
    if (!outbox->first_done)
        outbox->last_done = NULL;
    delivery->next = NULL;
    return delivery;
}

int64_t outbox_deadline_ms(const struct outbox *outbox)
{
    return outbox->due_ms;
}
