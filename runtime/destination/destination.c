#include "destination/destination.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/resource.h"
#include "base/clock.h"
#include "base/mem.h"
#include "destination/destination_inner.h"
#include "destination/object_name.h"

#define BACKOFF_BASE_MS 100
#define BACKOFF_MAXIMUM_MS 20000
#define REFUSED_BASE_MS 5000 // of what will hardly be accepted ever
#define REFUSED_MAXIMUM_MS 60000
#define SAY_AGAIN_MS 60000
#define TIMEOUT_MS 30000
#define SCRATCH_LIMIT 4096
#define PUTS_MOST 16 // before the poller goes on: each waits for the disk

static const struct destination_ops *const kinds[] = {
    [TARGET_SQS] = &destination_sqs,   [TARGET_KINESIS] = &destination_kinesis,
    [TARGET_SNS] = &destination_sns,   [TARGET_S3] = &destination_s3,
    [TARGET_FILE] = &destination_file, [TARGET_HTTP] = &destination_http,
};

bool destination_check(const char *arn, struct error *err)
{
    struct target target;

    return target_parse(arn, &target, err);
}

struct destination *destination_open(const struct destination_options *options,
                                     struct error *err)
{
    const struct destination_ops *ops;
    struct destination *destination;
    struct outbox_limits limits;
    struct target target;

    if (!target_parse(options->arn, &target, err))
        return NULL;
    ops = kinds[target.kind];
    destination = mem_calloc(1, ops->size);
    destination->ops = ops;
    destination->session = options->session;
    destination->client = options->client;
    destination->clock = options->clock;
    destination->calls = ops->calls;
    destination->random.state = options->seed;
    destination->arn = mem_strdup(options->arn);
    log_child(&destination->log, options->log, "destination", options->arn);
    limits = ops->limits;
    buffer_init(&destination->scratch, SCRATCH_LIMIT);
    if (!ops->open ||
        ops->open(destination, target.name, options, &limits, err)) {
        outbox_init(&destination->outbox, &limits, options->seed);
        return destination;
    }
    if (ops->close)
        ops->close(destination);
    free(destination->arn);
    free(destination);
    return NULL;
}

// When it was given, and 16 bytes of chance.
static void identify(struct destination *destination, struct shipment *shipment)
{
    int64_t wall_ms = clock_wall_ms(destination->clock);
    uint64_t chance[] = {random_next(&destination->random),
                         random_next(&destination->random)};

    memcpy(shipment->identity, &wall_ms, sizeof(wall_ms));
    memcpy(shipment->identity + sizeof(wall_ms), chance, sizeof(chance));
}

void destination_name(const struct parcel *parcel, struct buffer *out)
{
    const uint8_t *identity = parcel->shipment->identity;
    uint8_t own[16];
    char uuid[UUID_SIZE];
    int64_t wall_ms;

    if (parcel->emission->name.size) {
        buffer_append_bytes(out, parcel->emission->name);
        return;
    }
    memcpy(&wall_ms, identity, sizeof(wall_ms));
    memcpy(own, identity + sizeof(wall_ms), sizeof(own));
    for (size_t i = 0; i < sizeof(parcel->index); i++)
        own[i] ^= (uint8_t)(parcel->index >> 8 * i);
    object_uuid(own, 4, uuid);
    object_name_result(out, wall_ms, uuid);
}

static struct send *send_create(struct destination *destination,
                                struct parcel *const *parcels, size_t count)
{
    struct send *send =
        mem_calloc(1, sizeof(*send) + count * sizeof(send->parcels[0]));

    send->count = count;
    memcpy(send->parcels, parcels, count * sizeof(parcels[0]));

    send->next = destination->sends;
    send->link = &destination->sends;
    if (send->next)
        send->next->link = &send->next;
    destination->sends = send;
    destination->in_flight++;
    return send;
}

static void send_destroy(struct destination *destination, struct send *send)
{
    *send->link = send->next;
    if (send->next)
        send->next->link = send->link;
    destination->in_flight--;
    free(send);
}

static void say_failed(struct destination *destination, const char *why,
                       int64_t now_ms)
{
    struct log_repeat *said = &destination->failed_said;

    if (!log_repeat_due(said, now_ms, SAY_AGAIN_MS))
        return;
    log_warn(&destination->log, "destination.failed",
             LOG_INT("held", outbox_deliveries(&destination->outbox)),
             LOG_INT("repeated", said->suppressed), LOG_STR("error", why));
    said->suppressed = 0;
}

static void say_refused(struct destination *destination,
                        const struct emission *emission, const char *why,
                        int64_t now_ms)
{
    struct log_repeat *said = &destination->refused_said;

    if (!log_repeat_due(said, now_ms, SAY_AGAIN_MS))
        return;
    log_error(
        &destination->log, "destination.refused",
        LOG_INT("bytes", emission->data.size),
        LOG_INT("deliveries", outbox_deliveries(&destination->outbox)),
        LOG_INT("repeated", said->suppressed), LOG_STR("error", why),
        LOG_STR("held", "its batch is not settled before it is accepted"));
    said->suppressed = 0;
}

// One that has a smaller form goes on as that.
static void hold_refused(struct destination *destination, struct parcel *parcel,
                         const char *why, int64_t now_ms)
{
    if (parcel->emission->smaller) {
        parcel->emission = parcel->emission->smaller;
        outbox_halve(&destination->outbox, parcel, 1);
        return;
    }
    destination->is_failing = true;
    say_refused(destination, parcel->emission, why, now_ms);
    outbox_failed(&destination->outbox, parcel, REFUSED_BASE_MS,
                  REFUSED_MAXIMUM_MS, now_ms);
}

// What can never be accepted stays here, and takes no call with it.
static size_t hold_impossible(struct destination *destination,
                              struct parcel **parcels, size_t count,
                              int64_t now_ms)
{
    size_t kept = 0;
    struct error err;

    if (!destination->ops->check)
        return count;
    for (size_t i = 0; i < count; i++) {
        if (destination->ops->check(destination, parcels[i]->emission, &err))
            parcels[kept++] = parcels[i];
        else
            hold_refused(destination, parcels[i], err.message, now_ms);
    }
    return kept;
}

static void send_parcels(struct destination *destination,
                         struct parcel *const *parcels, size_t count)
{
    struct send *send = send_create(destination, parcels, count);
    struct aws_request request = {.timeout_ms = TIMEOUT_MS,
                                  .owner = destination,
                                  .tag = send,
                                  .kind = DESTINATION_SEND};

    destination->ops->write(destination, send, &request);
    send->protocol = request.protocol;
    aws_client_send(destination->client, &request);
}

bool destination_is_failing(const struct destination *destination)
{
    return !destination->is_prepared || destination->is_failing;
}

void destination_withdraw(struct destination *destination,
                          struct delivery *delivery)
{
    for (struct send *send = destination->sends; send; send = send->next)
        for (size_t i = 0; i < send->count; i++)
            if (send->parcels[i] &&
                send->parcels[i]->shipment == delivery->shipment)
                send->parcels[i] = NULL;
    outbox_withdraw(&destination->outbox, delivery);
}

bool destination_all_accepted(const struct send *send,
                              struct verdicts *verdicts)
{
    for (size_t i = 0; i < send->count; i++)
        verdicts->of[i] = VERDICT_ACCEPTED;
    return true;
}

static void judge_all(const struct send *send, enum verdict verdict,
                      const char *why, struct verdicts *verdicts)
{
    for (size_t i = 0; i < send->count; i++)
        verdicts->of[i] = verdict;
    (void)snprintf(verdicts->why, sizeof(verdicts->why), "%s", why);
}

static void judge(struct destination *destination, const struct send *send,
                  struct aws_reply *reply, struct verdicts *verdicts,
                  int64_t now_ms)
{
    struct error err = reply->error;

    *verdicts = (struct verdicts){0};
    if (reply->ok) {
        if (!destination->ops->read(send, &reply->body, verdicts, &err))
            judge_all(send, VERDICT_AGAIN, err.message, verdicts);
        return;
    }
    if (err.code == ERROR_NOT_FOUND && destination->ops->lost)
        destination->ops->lost(destination, &err, now_ms);
    judge_all(send, err.code == ERROR_INVALID ? VERDICT_REFUSED : VERDICT_AGAIN,
              err.message, verdicts);
}

static void carry_out(struct destination *destination, struct parcel *parcel,
                      enum verdict verdict, const char *why, int64_t now_ms)
{
    switch (verdict) {
    case VERDICT_ACCEPTED:
        destination->is_failing = false;
        outbox_accepted(&destination->outbox, parcel);
        return;
    case VERDICT_REFUSED:
        hold_refused(destination, parcel, why, now_ms);
        return;
    case VERDICT_MISSING:
    case VERDICT_AGAIN:
        destination->is_failing = true;
        say_failed(destination, why, now_ms);
        outbox_failed(&destination->outbox, parcel, BACKOFF_BASE_MS,
                      BACKOFF_MAXIMUM_MS, now_ms);
        return;
    }
}

static void put_parcels(struct destination *destination,
                        struct parcel *const *parcels, size_t count,
                        int64_t now_ms)
{
    enum verdict verdict;

    for (size_t i = 0; i < count; i++) {
        struct error err = {0};

        verdict = VERDICT_ACCEPTED;
        if (!destination->ops->put(destination, parcels[i], &err))
            verdict =
                err.code == ERROR_INVALID ? VERDICT_REFUSED : VERDICT_AGAIN;
        carry_out(destination, parcels[i], verdict, err.message, now_ms);
    }
}

static bool may_go_on(const struct destination *destination, size_t puts)
{
    return destination->is_prepared && puts < PUTS_MOST &&
           destination->in_flight < destination->calls;
}

void destination_poll(struct destination *destination, int64_t now_ms)
{
    const struct destination_ops *ops = destination->ops;
    struct parcel *parcels[OUTBOX_MOST];
    size_t count, puts = 0;

    destination->is_prepared =
        !ops->prepare || ops->prepare(destination, now_ms);
    while (may_go_on(destination, puts) &&
           (count = outbox_take(&destination->outbox, now_ms, parcels))) {
        count = hold_impossible(destination, parcels, count, now_ms);
        if (ops->put) {
            put_parcels(destination, parcels, count, now_ms);
            puts += count;
        } else if (count) {
            send_parcels(destination, parcels, count);
        }
    }
}

void destination_deliver(struct destination *destination,
                         struct delivery *delivery, int64_t now_ms)
{
    struct shipment *shipment = outbox_add(&destination->outbox, delivery);

    if (shipment)
        identify(destination, shipment);
    if (shipment && destination->ops->accept)
        destination->ops->accept(destination, shipment);
    destination_poll(destination, now_ms);
}

// Is the whole call refused, so that one of its parcels may be to blame?
static bool is_halved(const struct send *send, const struct aws_reply *reply)
{
    return !reply->ok && reply->error.code == ERROR_INVALID && send->count > 1;
}

static void finish_send(struct destination *destination,
                        const struct send *send, struct aws_reply *reply,
                        int64_t now_ms)
{
    bool halved = is_halved(send, reply);
    struct verdicts verdicts;

    judge(destination, send, reply, &verdicts, now_ms);
    for (size_t i = 0; i < send->count; i++) {
        if (!send->parcels[i])
            continue;
        if (halved)
            outbox_halve(&destination->outbox, send->parcels[i],
                         send->count / 2);
        else
            carry_out(destination, send->parcels[i], verdicts.of[i],
                      verdicts.why, now_ms);
    }
}

void destination_reply(struct destination *destination, struct aws_reply *reply,
                       int64_t now_ms)
{
    struct send *send = reply->tag;

    if (reply->kind == DESTINATION_LOOKUP) {
        destination->ops->prepare_reply(destination, reply, now_ms);
        return;
    }
    finish_send(destination, send, reply, now_ms);
    send_destroy(destination, send);
}

int64_t destination_deadline_ms(const struct destination *destination)
{
    const struct destination_ops *ops = destination->ops;

    if (!destination->is_prepared)
        return ops->prepare ? ops->prepare_deadline_ms(destination) : 0;
    if (ops->put && destination->outbox.fresh)
        return 0; // there is more to put, now
    return destination->in_flight < destination->calls
               ? outbox_deadline_ms(&destination->outbox)
               : CLOCK_NEVER;
}

struct delivery *destination_next(struct destination *destination)
{
    return outbox_next(&destination->outbox);
}

void destination_close(struct destination *destination)
{
    if (!destination)
        return;
    aws_client_cancel(destination->client, destination);
    while (destination->sends)
        send_destroy(destination, destination->sends);
    outbox_finish(&destination->outbox);
    buffer_finish(&destination->scratch);
    if (destination->ops->close)
        destination->ops->close(destination);
    free(destination->arn);
    free(destination);
}
