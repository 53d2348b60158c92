#include <stdio.h>
#include <stdlib.h>

#include "aws/resource.h"
#include "aws/sqs_answer.h"
#include "aws/sqs_queue.h"
#include "aws/sqs_request.h"
#include "base/codec.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "destination/destination_inner.h"
#include "record/record.h"

#define MESSAGE_MOST (1024u * 1024) // bytes; of a batch in all as well
#define GROUP_MOST 128
#define GROUP_OF_NO_KEY "pollard"
#define SCRATCH_LIMIT (16u * 1024 * 1024) // of what is hashed
#define DEDUPLICATION_SIZE (2 * DIGEST_SHA256_SIZE + 1)

struct destination_sqs {
    struct destination base; // first
    struct sqs_queue *queue; // owned
    struct digest *digest;   // owned
    bool is_fifo;
};

static struct destination_sqs *sqs_of(struct destination *destination)
{
    return (struct destination_sqs *)destination;
}

static const struct destination_sqs *
sqs_of_const(const struct destination *destination)
{
    return (const struct destination_sqs *)destination;
}

static bool sqs_open(struct destination *destination, struct bytes name,
                     const struct destination_options *options,
                     struct outbox_limits *limits, struct error *err)
{
    struct destination_sqs *sqs = sqs_of(destination);
    AUTO_FREE char *queue = mem_strndup(name.data, name.size);

    (void)err;
    sqs->digest = digest_create();
    sqs->is_fifo = resource_is_fifo(name);
    if (sqs->is_fifo) {
        limits->by_key = true;
        destination->calls = 1;
    }
    sqs->queue = sqs_queue_create(
        &(struct sqs_queue_options){.session = options->session,
                                    .client = options->client,
                                    .log = &destination->log,
                                    .name = queue,
                                    .arn = options->arn,
                                    .owner = destination,
                                    .kind = DESTINATION_LOOKUP,
                                    .seed = options->seed + 1});
    return true;
}

static bool sqs_prepare(struct destination *destination, int64_t now_ms)
{
    struct sqs_queue *queue = sqs_of(destination)->queue;

    if (sqs_queue_failure(queue))
        sqs_queue_try_again(queue, now_ms);
    sqs_queue_poll(queue, now_ms);
    return sqs_queue_facts(queue) != NULL;
}

static int64_t sqs_prepare_deadline_ms(const struct destination *destination)
{
    return sqs_queue_deadline_ms(sqs_of_const(destination)->queue);
}

static void sqs_prepare_reply(struct destination *destination,
                              struct aws_reply *reply, int64_t now_ms)
{
    sqs_queue_reply(sqs_of(destination)->queue, reply, now_ms);
}

size_t
destination_attributes(const struct emission *emission,
                       struct sqs_attribute attributes[DESTINATION_ATTRIBUTES])
{
    const struct record *record = emission->record;
    size_t count = 0;

    for (; record && count < record->message_attribute_count &&
           count < DESTINATION_ATTRIBUTES;
         count++) {
        const struct record_message_attribute *one =
            &record->message_attributes[count];

        attributes[count] = (struct sqs_attribute){.name = one->name,
                                                   .type = one->type,
                                                   .value = one->value,
                                                   .is_binary = one->binary};
    }
    return count;
}

// What XML 1.0 allows: a message with anything else is refused.
bool destination_is_text(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
        // U+FFFE and U+FFFF
        if (c == 0xef && i + 2 < text.size &&
            (unsigned char)text.data[i + 1] == 0xbf &&
            (unsigned char)text.data[i + 2] >= 0xbe)
            return false;
    }
    return utf8_valid_size(text) == text.size;
}

// Letters, digits and punctuation of ASCII.
static bool is_group(struct bytes key)
{
    for (size_t i = 0; i < key.size; i++)
        if (key.data[i] <= ' ' || key.data[i] > '~')
            return false;
    return key.size <= GROUP_MOST;
}

static bool sqs_check(const struct destination *destination,
                      const struct emission *emission, struct error *err)
{
    if (!emission->data.size)
        return error_set(err, ERROR_INVALID, "an SQS message cannot be empty");
    if (emission->data.size > MESSAGE_MOST)
        return error_set(err, ERROR_INVALID,
                         "an SQS message is 1 MiB at the most, this one has "
                         "%zu bytes",
                         emission->data.size);
    if (!destination_is_text(emission->data))
        return error_set(err, ERROR_INVALID,
                         "an SQS message is UTF-8 text without control "
                         "characters, this one is not");
    if (sqs_of_const(destination)->is_fifo && !is_group(emission->key))
        return error_set(err, ERROR_INVALID,
                         "a message group is 128 letters, digits and "
                         "punctuation marks at the most, this one is not");
    return true;
}

static void put_chance(struct random *random, struct buffer *out)
{
    for (int i = 0; i < 4; i++) {
        uint64_t chance = random_next(random);

        buffer_append(out, &chance, sizeof(chance));
    }
}

// A new run of the same records makes the same identity, any other run another:
// equal results of different records must not be taken for one.
static void sqs_accept(struct destination *destination,
                       struct shipment *shipment)
{
    const struct delivery *delivery = shipment->delivery;
    struct destination_sqs *sqs = sqs_of(destination);
    struct buffer ids;

    if (!sqs->is_fifo)
        return;
    buffer_init(&ids, SCRATCH_LIMIT);
    if (!delivery->record_count)
        put_chance(&destination->random, &ids);
    for (size_t i = 0; i < delivery->record_count; i++) {
        buffer_append_bytes(&ids, delivery->records[i]->id);
        buffer_append_char(&ids, '\n');
    }
    digest_sha256(sqs->digest, buffer_bytes(&ids), shipment->identity);
    buffer_finish(&ids);
}

// The same for each attempt of a parcel, so that SQS drops what it has.
static void name_parcel(struct destination_sqs *sqs,
                        const struct parcel *parcel, struct buffer *scratch,
                        char text[DEDUPLICATION_SIZE])
{
    const struct emission *emission = parcel->emission;
    uint64_t numbers[] = {parcel->index, emission->key.size};
    uint8_t hash[DIGEST_SHA256_SIZE];

    buffer_clear(scratch);
    buffer_append(scratch, parcel->shipment->identity,
                  sizeof(parcel->shipment->identity));
    buffer_append(scratch, numbers, sizeof(numbers));
    buffer_append_bytes(scratch, emission->key);
    buffer_append_bytes(scratch, emission->data);
    digest_sha256(sqs->digest, buffer_bytes(scratch), hash);
    codec_hex_encode((struct bytes){(const char *)hash, sizeof(hash)}, text);
}

static void write_fifo(struct destination_sqs *sqs, const struct send *send,
                       struct sqs_send *entries,
                       char names[SQS_BATCH_MOST][DEDUPLICATION_SIZE])
{
    struct buffer scratch;

    buffer_init(&scratch, SCRATCH_LIMIT);
    for (size_t i = 0; i < send->count; i++) {
        struct bytes key = send->parcels[i]->emission->key;

        name_parcel(sqs, send->parcels[i], &scratch, names[i]);
        entries[i].deduplication = bytes_of(names[i]);
        entries[i].group = key.size ? key : BYTES(GROUP_OF_NO_KEY);
    }
    buffer_finish(&scratch);
}

static void sqs_write(struct destination *destination, const struct send *send,
                      struct aws_request *request)
{
    struct destination_sqs *sqs = sqs_of(destination);
    const struct sqs_queue_facts *facts = sqs_queue_facts(sqs->queue);
    char names[SQS_BATCH_MOST][DEDUPLICATION_SIZE];
    struct sqs_send entries[SQS_BATCH_MOST] = {0};
    struct sqs_attribute attributes[SQS_BATCH_MOST][DESTINATION_ATTRIBUTES];

    for (size_t i = 0; i < send->count; i++) {
        const struct emission *emission = send->parcels[i]->emission;

        entries[i].message = emission->data;
        entries[i].attributes = attributes[i];
        entries[i].attribute_count =
            destination_attributes(emission, attributes[i]);
    }
    if (sqs->is_fifo)
        write_fifo(sqs, send, entries, names);
    request->service = AWS_SQS;
    request->protocol = facts->protocol;
    request->path = facts->path;
    request->operation = "SendMessageBatch";
    buffer_init(&request->body, SQS_BODY_LIMIT);
    sqs_request_send_batch(facts->protocol, facts->url, entries, send->count,
                           &request->body);
}

static enum verdict verdict_of(const struct sqs_result *result)
{
    switch (result->state) {
    case SQS_RESULT_OK:
        return VERDICT_ACCEPTED;
    case SQS_RESULT_FAILED:
        return result->is_sender_fault ? VERDICT_REFUSED : VERDICT_AGAIN;
    case SQS_RESULT_MISSING:
        break;
    }
    return VERDICT_MISSING;
}

static bool sqs_read(const struct send *send, struct buffer *body,
                     struct verdicts *verdicts, struct error *err)
{
    struct sqs_results results;

    if (!sqs_answer_results(send->protocol, body, &results, err))
        return error_wrap(err, "SendMessageBatch");
    for (size_t i = 0; i < send->count; i++) {
        const struct sqs_result *result = &results.entries[i];

        verdicts->of[i] = verdict_of(result);
        if (result->state == SQS_RESULT_FAILED)
            (void)snprintf(verdicts->why, sizeof(verdicts->why),
                           "SendMessageBatch: %s: %s", result->code,
                           result->message);
        else if (result->state == SQS_RESULT_MISSING)
            (void)snprintf(verdicts->why, sizeof(verdicts->why),
                           "SendMessageBatch: the answer does not mention it");
    }
    return true;
}

static void sqs_lost(struct destination *destination, const struct error *why,
                     int64_t now_ms)
{
    sqs_queue_lost(sqs_of(destination)->queue, why, now_ms);
}

static void sqs_close(struct destination *destination)
{
    struct destination_sqs *sqs = sqs_of(destination);

    sqs_queue_destroy(sqs->queue);
    digest_destroy(sqs->digest);
}

const struct destination_ops destination_sqs = {
    .kind = TARGET_SQS,
    .size = sizeof(struct destination_sqs),
    .calls = 8,
    .limits = {.parcels = SQS_BATCH_MOST, .bytes = MESSAGE_MOST},
    .open = sqs_open,
    .prepare = sqs_prepare,
    .prepare_deadline_ms = sqs_prepare_deadline_ms,
    .prepare_reply = sqs_prepare_reply,
    .check = sqs_check,
    .accept = sqs_accept,
    .write = sqs_write,
    .read = sqs_read,
    .lost = sqs_lost,
    .close = sqs_close,
};
