#include "destination/on_failure.h"

#include <stdlib.h>

#include "aws/client.h"
#include "aws/resource.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "destination/destination.h"
#include "destination/failure_report.h"
#include "destination/object_name.h"
#include "destination/target.h"
#include "record/emission.h"
#include "record/record.h"

#define DESTINATION_MOST 350 // Lambda's
#define NAME_LIMIT 1024

struct on_failure {
    // Never changed after opening.
    enum target_kind kind;
    bool include_payload;
    char *function; // owned
    char uuid[UUID_SIZE];
    struct log log;

    // Poller thread only.
    struct destination *destination; // owned
    struct random random;
    size_t pending;
};

struct on_failure_shipment {
    struct delivery delivery;
    struct buffer report, small, name; // owned
    struct emission smaller;           // than the report
    struct emission emissions[];       // one, or one a record
};

const char *failure_condition_name(enum failure_condition condition)
{
    switch (condition) {
    case FAILURE_RETRY_ATTEMPTS_EXHAUSTED:
        return "RetryAttemptsExhausted";
    case FAILURE_RECORD_AGE_EXCEEDED:
        return "RecordAgeExceeded";
    case FAILURE_FILTERED:
        break;
    }
    return "Filtered";
}

void on_failure_uuid(const char *trigger, char uuid[37])
{
    object_uuid_of_trigger(trigger, uuid);
}

bool on_failure_check(const char *destination, struct error *err)
{
    struct target target;

    if (strlen(destination) > DESTINATION_MOST)
        return error_set(err, ERROR_INVALID,
                         "a destination is %d characters at the most, this "
                         "one has %zu",
                         DESTINATION_MOST, strlen(destination));
    if (!target_parse(destination, &target, err))
        return false;
    if (target.kind == TARGET_KINESIS)
        return error_set(err, ERROR_INVALID,
                         "\"%s\": a stream takes no reports; an SQS "
                         "queue, an SNS topic, an S3 bucket, file:///folder/ "
                         "or https://...",
                         destination);
    if (target.kind == TARGET_SQS && resource_is_fifo(target.name))
        return error_set(err, ERROR_INVALID,
                         "\"%s\" is a FIFO queue, which takes no message "
                         "without a group (Lambda's reports fail there too)",
                         destination);
    return true;
}

struct on_failure *on_failure_open(const struct on_failure_options *options,
                                   struct error *err)
{
    struct on_failure *on_failure;
    struct target target;

    if (!on_failure_check(options->destination, err) ||
        !target_parse(options->destination, &target, err))
        return NULL;
    on_failure = mem_calloc(1, sizeof(*on_failure));
    on_failure->kind = target.kind;
    on_failure->include_payload =
        options->include_payload ||
        (target.kind != TARGET_SQS && target.kind != TARGET_SNS);
    on_failure->function = mem_strdup(options->function);
    on_failure->random.state = options->seed;
    on_failure->log = *options->log;
    on_failure_uuid(options->trigger, on_failure->uuid);
    on_failure->destination = destination_open(
        &(struct destination_options){.arn = options->destination,
                                      .session = options->session,
                                      .client = options->client,
                                      .clock = options->clock,
                                      .log = options->log,
                                      .seed = options->seed + 1},
        err);
    if (on_failure->destination)
        return on_failure;
    on_failure_close(on_failure);
    return NULL;
}

static bool is_message(const struct on_failure *on_failure)
{
    return on_failure->kind == TARGET_SQS || on_failure->kind == TARGET_SNS;
}

static void make_uuid(struct on_failure *on_failure, char uuid[UUID_SIZE])
{
    uint64_t chance[] = {random_next(&on_failure->random),
                         random_next(&on_failure->random)};
    uint8_t bytes[16];

    memcpy(bytes, chance, sizeof(bytes));
    object_uuid(bytes, 4, uuid);
}

static void name_report(struct on_failure *on_failure,
                        struct on_failure_shipment *shipment,
                        const struct failure *failure)
{
    const char *shard = failure->records[0]->origin->shard;
    char uuid[UUID_SIZE];

    make_uuid(on_failure, uuid);
    object_name_report(&shipment->name, on_failure->uuid,
                       shard ? shard : "queue", failure->failed_wall_ms, uuid);
    shipment->emissions[0].name = buffer_bytes(&shipment->name);
}

static void write_report(struct on_failure *on_failure, struct buffer *out,
                         const struct failure *failure, const char *request_id,
                         bool has_payload)
{
    const struct failure_report report = {.failure = failure,
                                          .function = on_failure->function,
                                          .request_id = request_id,
                                          .has_payload = has_payload};

    failure_report_write(out, &report);
}

// With the records where the destination can hold them; without where it
// cannot.
static void fill_report(struct on_failure *on_failure,
                        struct on_failure_shipment *shipment,
                        const struct failure *failure)
{
    struct emission *emission = &shipment->emissions[0];
    AUTO_FREE char *known =
        mem_strndup(failure->request_id.data, failure->request_id.size);
    char made[UUID_SIZE];

    make_uuid(on_failure, made);
    write_report(on_failure, &shipment->small, failure, *known ? known : made,
                 false);
    emission->data = buffer_bytes(&shipment->small);
    if (!on_failure->include_payload)
        return;
    write_report(on_failure, &shipment->report, failure, *known ? known : made,
                 true);
    if (!buffer_ok(&shipment->report)) {
        log_error(&on_failure->log, "on_failure.payload",
                  LOG_INT("limit", FAILURE_REPORT_LIMIT),
                  LOG_STR("error", "the records are too large for their "
                                   "report, which goes without them"));
        return;
    }
    emission->data = buffer_bytes(&shipment->report);
    if (!is_message(on_failure))
        return;
    shipment->smaller.data = buffer_bytes(&shipment->small);
    emission->smaller = &shipment->smaller;
}

// Records that no filter matched go as they are.
static void fill_filtered(struct on_failure *on_failure,
                          struct on_failure_shipment *shipment,
                          const struct failure *failure)
{
    struct emission *emissions = shipment->emissions;

    if (!is_message(on_failure)) {
        failure_report_event(&shipment->report, failure);
        emissions[0].data = buffer_bytes(&shipment->report);
        return;
    }
    for (size_t i = 0; i < failure->count; i++) {
        emissions[i].data = failure->records[i]->data;
        emissions[i].record = failure->records[i];
        emissions[i].next = i + 1 < failure->count ? &emissions[i + 1] : NULL;
    }
    shipment->delivery.count = failure->count;
}

static struct on_failure_shipment *shipment_create(struct failure *failure)
{
    struct on_failure_shipment *shipment = mem_calloc(
        1, sizeof(*shipment) + failure->count * sizeof(shipment->emissions[0]));

    buffer_init(&shipment->report, FAILURE_REPORT_LIMIT);
    buffer_init(&shipment->small, FAILURE_REPORT_LIMIT);
    buffer_init(&shipment->name, NAME_LIMIT);
    shipment->delivery.emissions = shipment->emissions;
    shipment->delivery.count = 1;
    shipment->delivery.tag = failure;
    return shipment;
}

static void shipment_destroy(struct on_failure_shipment *shipment)
{
    buffer_finish(&shipment->report);
    buffer_finish(&shipment->small);
    buffer_finish(&shipment->name);
    free(shipment);
}

void on_failure_report(struct on_failure *on_failure, struct failure *failure,
                       int64_t now_ms)
{
    struct on_failure_shipment *shipment = shipment_create(failure);

    if (failure->condition == FAILURE_FILTERED)
        fill_filtered(on_failure, shipment, failure);
    else
        fill_report(on_failure, shipment, failure);
    if (!is_message(on_failure))
        name_report(on_failure, shipment, failure);
    failure->shipment = shipment;
    failure->next = NULL;
    on_failure->pending++;
    destination_deliver(on_failure->destination, &shipment->delivery, now_ms);
}

static void let_go(struct on_failure *on_failure, struct failure *failure)
{
    shipment_destroy(failure->shipment);
    failure->shipment = NULL;
    on_failure->pending--;
}

bool on_failure_is_failing(const struct on_failure *on_failure)
{
    return destination_is_failing(on_failure->destination);
}

void on_failure_withdraw(struct on_failure *on_failure, struct failure *failure)
{
    destination_withdraw(on_failure->destination, &failure->shipment->delivery);
    let_go(on_failure, failure);
}

struct failure *on_failure_next(struct on_failure *on_failure)
{
    struct delivery *delivery = destination_next(on_failure->destination);
    struct failure *failure;

    if (!delivery)
        return NULL;
    failure = delivery->tag;
    let_go(on_failure, failure);
    return failure;
}

const void *on_failure_owner(const struct on_failure *on_failure)
{
    return on_failure->destination;
}

bool on_failure_reply(struct on_failure *on_failure, struct aws_reply *reply,
                      int64_t now_ms)
{
    if (reply->owner != on_failure->destination)
        return false;
    destination_reply(on_failure->destination, reply, now_ms);
    return true;
}

void on_failure_poll(struct on_failure *on_failure, int64_t now_ms)
{
    destination_poll(on_failure->destination, now_ms);
}

int64_t on_failure_deadline_ms(const struct on_failure *on_failure)
{
    return destination_deadline_ms(on_failure->destination);
}

size_t on_failure_pending(const struct on_failure *on_failure)
{
    return on_failure->pending;
}

void on_failure_close(struct on_failure *on_failure)
{
    if (!on_failure)
        return;
    destination_close(on_failure->destination);
    free(on_failure->function);
    free(on_failure);
}
