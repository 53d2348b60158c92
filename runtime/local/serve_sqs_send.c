#include <stdlib.h>

#include "base/codec.h"
#include "base/digest.h"
#include "base/mem.h"
#include "local/server.h"
#include "local/serve_sqs.h"

// A message that is about to be made.
struct draft {
    struct message_content content;
    struct message_attribute attributes[MESSAGE_ATTRIBUTES];
    int64_t delay_ms;
};

static bool refuse(struct request *request, struct sqs_problem *problem,
                   const char *parameter, const char *reason)
{
    return serve_sqs_problem(request, problem, API_INVALID_PARAMETER,
                             "Value for parameter %s is invalid. Reason: %s.",
                             parameter, reason);
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static bool starts_with(struct bytes text, const char *start)
{
    size_t size = strlen(start);

    return text.size >= size && strncasecmp(text.data, start, size) == 0;
}

static bool check_name(struct request *request, struct bytes name,
                       struct sqs_problem *problem)
{
    bool good = name.size > 0 && name.size <= 256 && name.data[0] != '.' &&
                name.data[name.size - 1] != '.';

    for (size_t i = 0; good && i < name.size; i++)
        good = is_name_character(name.data[i]) &&
               !(name.data[i] == '.' && i && name.data[i - 1] == '.');
    if (!good)
        return serve_sqs_problem(
            request, problem, API_INVALID_PARAMETER,
            "The message attribute name '%.*s' is invalid. Attribute name can "
            "contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) "
            "characters, at most 256 of them.",
            BYTES_ARGS(name));
    if (starts_with(name, "AWS.") || starts_with(name, "Amazon."))
        return serve_sqs_problem(
            request, problem, API_INVALID_PARAMETER,
            "The message attribute name '%.*s' begins with a "
            "reserved prefix.",
            BYTES_ARGS(name));
    return true;
}

static bool is_type(struct bytes type, const char *base)
{
    size_t size = strlen(base);

    return type.size >= size && memcmp(type.data, base, size) == 0 &&
           (type.size == size || type.data[size] == '.');
}

static bool is_number(struct request *request, struct bytes text)
{
    const char *copy = arena_copy(&request->arena, text);
    char *end;

    (void)strtod(copy, &end);
    return text.size && end == copy + text.size;
}

static bool check_value(struct request *request, const struct sqs_attribute *in,
                        struct sqs_problem *problem)
{
    bool binary = is_type(in->type, "Binary");

    if (!binary && !is_type(in->type, "String") && !is_type(in->type, "Number"))
        return serve_sqs_problem(
            request, problem, API_INVALID_PARAMETER,
            "The message attribute '%.*s' has an invalid "
            "message attribute type, the set of supported type "
            "prefixes is Binary, Number, and String.",
            BYTES_ARGS(in->name));
    if (!(binary ? in->binary.size : in->text.size))
        return serve_sqs_problem(
            request, problem, API_INVALID_PARAMETER,
            "The message attribute '%.*s' must contain a "
            "non-empty message attribute value for message "
            "attribute type '%.*s'.",
            BYTES_ARGS(in->name), BYTES_ARGS(in->type));
    if (is_type(in->type, "Number") && !is_number(request, in->text))
        return serve_sqs_problem(
            request, problem, API_INVALID_PARAMETER,
            "Can't cast the value of message (user) attribute "
            "'%.*s' to a number.",
            BYTES_ARGS(in->name));
    if (!binary && !text_is_legal(in->text))
        return serve_sqs_problem(
            request, problem, API_INVALID_CONTENTS,
            "The message attribute '%.*s' contains characters "
            "outside the allowed set.",
            BYTES_ARGS(in->name));
    return true;
}

static bool draft_attributes(struct request *request,
                             const struct sqs_entry *entry, struct draft *draft,
                             struct sqs_problem *problem)
{
    const struct sqs_attribute *in = entry->attributes.items;
    size_t count = entry->attributes.count;

    if (count > MESSAGE_ATTRIBUTES)
        return serve_sqs_problem(
            request, problem, API_INVALID_PARAMETER,
            "Number of message attributes [%zu] exceeds the "
            "allowed maximum [%d].",
            count, MESSAGE_ATTRIBUTES);
    for (size_t i = 0; i < count; i++) {
        bool binary = is_type(in[i].type, "Binary");

        if (!check_name(request, in[i].name, problem) ||
            !check_value(request, &in[i], problem))
            return false;
        draft->attributes[i] = (struct message_attribute){
            in[i].name, in[i].type, binary ? in[i].binary : in[i].text, binary};
    }
    draft->content.attributes = draft->attributes;
    draft->content.attribute_count = count;
    return true;
}

static bool draft_system_attributes(struct request *request,
                                    const struct sqs_entry *entry,
                                    struct draft *draft,
                                    struct sqs_problem *problem)
{
    const struct sqs_attribute *in = entry->system_attributes.items;

    for (size_t i = 0; i < entry->system_attributes.count; i++) {
        if (!bytes_equal(in[i].name, BYTES("AWSTraceHeader")))
            return serve_sqs_problem(request, problem, API_INVALID_PARAMETER,
                                     "Message system attribute name '%.*s' is "
                                     "invalid.",
                                     BYTES_ARGS(in[i].name));
        if (!bytes_equal(in[i].type, BYTES("String")) || !in[i].text.size)
            return refuse(request, problem, "MessageSystemAttributes",
                          "AWSTraceHeader must be a non-empty String");
        draft->content.trace_header = in[i].text;
    }
    return true;
}

static bool draft_body(struct request *request, const struct queue *queue,
                       const struct sqs_entry *entry, struct draft *draft,
                       struct sqs_problem *problem)
{
    draft->content.body = entry->body;
    if (!entry->body.size)
        return serve_sqs_problem(request, problem, API_MISSING_PARAMETER,
                                 "The request must contain the parameter "
                                 "MessageBody.");
    if (message_size_of(&draft->content) > queue->settings.size_limit)
        return serve_sqs_problem(request, problem, API_INVALID_PARAMETER,
                                 "One or more parameters are invalid. Reason: "
                                 "Message must be shorter than %zu bytes.",
                                 queue->settings.size_limit);
    return text_is_legal(entry->body) ||
           serve_sqs_problem(
               request, problem, API_INVALID_CONTENTS,
               "Invalid characters found in the message body. Valid "
               "unicode characters are #x9 | #xA | #xD | #x20 to "
               "#xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.");
}

static bool draft_delay(struct request *request, const struct queue *queue,
                        const struct sqs_entry *entry, struct draft *draft,
                        struct sqs_problem *problem)
{
    const struct input_int *delay = &entry->delay_s;

    draft->delay_ms = queue->settings.delay_ms;
    if (!delay->given)
        return true;
    if (delay->value < 0 || delay->value > 900)
        return serve_sqs_problem(
            request, problem, API_INVALID_PARAMETER,
            "Value %lld for parameter DelaySeconds is invalid. "
            "Reason: DelaySeconds must be >= 0 and <= 900.",
            (long long)delay->value);
    if (queue->settings.fifo && delay->value)
        return serve_sqs_problem(
            request, problem, API_INVALID_PARAMETER,
            "Value %lld for parameter DelaySeconds is invalid. "
            "Reason: The request include parameter that is not "
            "valid for this queue type.",
            (long long)delay->value);
    draft->delay_ms =
        queue->settings.fifo ? draft->delay_ms : delay->value * 1000;
    return true;
}

// Up to 128 letters, digits and punctuation.
static bool check_id(struct request *request, struct bytes id,
                     const char *parameter, struct sqs_problem *problem)
{
    bool good = id.size >= 1 && id.size <= 128;

    for (size_t i = 0; good && i < id.size; i++)
        good = id.data[i] > ' ' && id.data[i] < 0x7f;
    return good ||
           serve_sqs_problem(request, problem, API_INVALID_PARAMETER,
                             "Value %.*s for parameter %s is invalid. "
                             "Reason: %s can only include alphanumeric and "
                             "punctuation characters. 1 to 128 in length.",
                             BYTES_ARGS(id), parameter, parameter);
}

static bool draft_dedup_id(struct request *request, const struct queue *queue,
                           const struct sqs_entry *entry, struct draft *draft,
                           struct sqs_problem *problem)
{
    uint8_t hash[DIGEST_SHA256_SIZE];
    char *hex;

    draft->content.dedup_id = entry->dedup_id;
    if (entry->dedup_id.data)
        return check_id(request, entry->dedup_id, "MessageDeduplicationId",
                        problem);
    if (!queue->settings.dedup_by_content)
        return serve_sqs_problem(request, problem, API_INVALID_PARAMETER,
                                 "The queue should either have "
                                 "ContentBasedDeduplication enabled or "
                                 "MessageDeduplicationId provided explicitly");
    digest_sha256(request->server->digest, entry->body, hash);
    hex = arena_calloc(&request->arena, 1, 2 * sizeof(hash) + 1);
    codec_hex_encode((struct bytes){(char *)hash, sizeof(hash)}, hex);
    draft->content.dedup_id = bytes_of(hex);
    return true;
}

static bool draft_ids(struct request *request, const struct queue *queue,
                      const struct sqs_entry *entry, struct draft *draft,
                      struct sqs_problem *problem)
{
    draft->content.group_id = entry->group_id;
    if (entry->group_id.data &&
        !check_id(request, entry->group_id, "MessageGroupId", problem))
        return false;
    if (!queue->settings.fifo)
        return !entry->dedup_id.data ||
               refuse(request, problem, "MessageDeduplicationId",
                      "The request include parameter that is not valid for "
                      "this queue type");
    if (!entry->group_id.data)
        return serve_sqs_problem(request, problem, API_MISSING_PARAMETER,
                                 "The request must contain the parameter "
                                 "MessageGroupId.");
    return draft_dedup_id(request, queue, entry, draft, problem);
}

static struct message *post(struct request *request, struct queue *queue,
                            struct draft *draft)
{
    struct server *server = request->server;
    struct message_content *content = &draft->content;
    char id[TEXT_UUID_SIZE + 1], sequence[MESSAGE_SEQUENCE_SIZE + 1];
    struct message *message;

    server_uuid(server, id);
    content->id = id;
    content->serial = ++server->last_serial;
    content->sent_ms = server->now_ms;
    content->sender = bytes_of("AIDAPOLLARDLOCALSENDR");
    if (queue->settings.fifo) {
        fifo_next_sequence(&queue->fifo, sequence);
        content->sequence = sequence;
    }
    message = message_create(content, server->digest);
    if (queue->settings.fifo)
        fifo_remember_sent(queue, message, server->now_ms);
    queue_send(queue, message, server->now_ms, draft->delay_ms);
    return message;
}

static void write_md5(struct writer *writer, const char *name, const char *md5)
{
    if (*md5)
        writer_text(writer, name, bytes_of(md5));
}

static void write_sent(struct writer *writer, const struct message *message,
                       const char *id, const char *sequence)
{
    write_md5(writer, "MD5OfMessageBody", message->body_md5);
    write_md5(writer, "MD5OfMessageAttributes", message->attributes_md5);
    write_md5(writer, "MD5OfMessageSystemAttributes", message->system_md5);
    writer_text(writer, "MessageId", bytes_of(id));
    if (*sequence)
        writer_text(writer, "SequenceNumber", bytes_of(sequence));
}

// Accepted, but not put into the queue again: the answer names the first one.
static void write_duplicate(struct request *request,
                            const struct fifo_sent *sent, struct draft *draft)
{
    struct message *message;

    draft->content.id = sent->id;
    message = message_create(&draft->content, request->server->digest);
    write_sent(&request->writer, message, sent->id, sent->sequence);
    message_destroy(message);
}

static bool send_entry(struct request *request, struct queue *queue,
                       const struct sqs_entry *entry,
                       struct sqs_problem *problem)
{
    struct draft draft = {0};
    const struct fifo_sent *sent = NULL;
    const struct message *message;

    if (!draft_attributes(request, entry, &draft, problem) ||
        !draft_system_attributes(request, entry, &draft, problem) ||
        !draft_body(request, queue, entry, &draft, problem) ||
        !draft_delay(request, queue, entry, &draft, problem) ||
        !draft_ids(request, queue, entry, &draft, problem))
        return false;
    if (queue->settings.fifo)
        sent = fifo_find_sent(queue, draft.content.group_id,
                              draft.content.dedup_id, request->server->now_ms);
    if (sent) {
        write_duplicate(request, sent, &draft);
        return true;
    }
    message = post(request, queue, &draft);
    write_sent(&request->writer, message, message->id, message->sequence);
    return true;
}

static const struct sqs_batch send = {
    .element = "SendMessageBatchResultEntry",
    .run = send_entry,
};

enum step serve_sqs_send_message(struct request *request)
{
    return serve_sqs_run_single(request, &send);
}

enum step serve_sqs_send_message_batch(struct request *request)
{
    return serve_sqs_run_batch(request, &send);
}
