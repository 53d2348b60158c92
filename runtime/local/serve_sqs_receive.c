#include "local/fault.h"
#include "local/receipt.h"
#include "local/server.h"
#include "local/serve_sqs.h"

// What a receive asks for, checked.
struct receive {
    unsigned wanted;
    int64_t wait_ms, visibility_ms;
    unsigned system; // bits: SYSTEM_*
    const struct vector *names;
};

// In the order of the table below.
enum {
    SYSTEM_SENDER = 1 << 0,
    SYSTEM_SENT = 1 << 1,
    SYSTEM_COUNT = 1 << 2,
    SYSTEM_FIRST = 1 << 3,
    SYSTEM_SEQUENCE = 1 << 4,
    SYSTEM_DEDUP = 1 << 5,
    SYSTEM_GROUP = 1 << 6,
    SYSTEM_TRACE = 1 << 7,
    SYSTEM_SOURCE = 1 << 8,
    SYSTEM_ALL = (1 << 9) - 1,
};

static const char *const system_names[] = {
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
};

#define SYSTEM_NAMES (sizeof(system_names) / sizeof(system_names[0]))

static unsigned system_bit(struct bytes name)
{
    if (bytes_equal(name, BYTES("All")))
        return SYSTEM_ALL;
    for (unsigned i = 0; i < SYSTEM_NAMES; i++)
        if (bytes_equal(name, bytes_of(system_names[i])))
            return 1u << i;
    return 0;
}

static bool add_system(struct request *request, const struct vector *names,
                       unsigned *bits, struct sqs_problem *problem)
{
    const struct bytes *name = names->items;

    for (size_t i = 0; i < names->count; i++) {
        unsigned bit = system_bit(name[i]);

        if (!bit)
            return serve_sqs_problem(
                request, problem, API_INVALID_ATTRIBUTE_NAME,
                "Unknown Attribute %.*s.", BYTES_ARGS(name[i]));
        *bits |= bit;
    }
    return true;
}

static bool in_range(struct request *request, const char *name,
                     const struct input_int *value, int64_t least, int64_t most,
                     struct sqs_problem *problem)
{
    if (!value->given || (value->value >= least && value->value <= most))
        return true;
    return serve_sqs_problem(
        request, problem, API_INVALID_PARAMETER,
        "Value %lld for parameter %s is invalid. Reason: Must "
        "be >= %lld and <= %lld, if provided.",
        (long long)value->value, name, (long long)least, (long long)most);
}

static bool check_attempt(struct request *request, const struct queue *queue,
                          struct bytes id, struct sqs_problem *problem)
{
    if (!id.data || (queue->settings.fifo && id.size >= 1 && id.size <= 128))
        return true;
    return serve_sqs_problem(
        request, problem, API_INVALID_PARAMETER,
        "Value %.*s for parameter ReceiveRequestAttemptId is "
        "invalid. Reason: The request include parameter that is "
        "not valid for this queue type.",
        BYTES_ARGS(id));
}

// Over Query the newer of the two lists of names wins; over JSON both count.
static bool check_names(struct request *request, struct receive *receive,
                        struct sqs_problem *problem)
{
    const struct sqs_input *in = serve_sqs_input(request);
    bool only_new =
        request->protocol == PROTOCOL_QUERY && in->system_names.count;

    receive->names = &in->message_names;
    return add_system(request, &in->system_names, &receive->system, problem) &&
           (only_new || add_system(request, &in->attribute_names,
                                   &receive->system, problem));
}

static int64_t ms_or(const struct input_int *seconds, int64_t otherwise_ms)
{
    return seconds->given ? seconds->value * 1000 : otherwise_ms;
}

static bool check(struct request *request, const struct queue *queue,
                  struct receive *receive, struct sqs_problem *problem)
{
    const struct sqs_input *in = serve_sqs_input(request);

    if (!in_range(request, "MaxNumberOfMessages", &in->wanted, 1,
                  QUEUE_RECEIVE_LIMIT, problem) ||
        !in_range(request, "WaitTimeSeconds", &in->wait_s, 0, 20, problem) ||
        !in_range(request, "VisibilityTimeout", &in->entry.visibility_s, 0,
                  43200, problem) ||
        !check_attempt(request, queue, in->attempt_id, problem) ||
        !check_names(request, receive, problem))
        return false;
    receive->wanted = in->wanted.given ? (unsigned)in->wanted.value : 1;
    receive->wait_ms = ms_or(&in->wait_s, queue->settings.wait_ms);
    receive->visibility_ms =
        ms_or(&in->entry.visibility_s, queue->settings.visibility_ms);
    return true;
}

static uint64_t held(const struct queue *queue)
{
    return queue->counts[MESSAGE_READY] + queue->counts[MESSAGE_DELAYED] +
           queue->counts[MESSAGE_IN_FLIGHT];
}

// Says what was moved to the dead-letter queue on the way.
static size_t receive_fresh(struct request *request, struct queue *queue,
                            const struct queue_receive *options,
                            struct message **messages)
{
    struct queue *dead = options->dead_letter;
    uint64_t before = dead ? held(dead) : 0;
    size_t count =
        queue_receive(queue, options, request->server->now_ms, messages);

    if (dead && dead != queue && held(dead) > before)
        log_info(&request->server->log, "local.dead_letter",
                 LOG_STR("queue", queue->name), LOG_STR("to", dead->name),
                 LOG_INT("messages", (int64_t)(held(dead) - before)));
    return count;
}

static size_t take(struct request *request, struct queue *queue,
                   const struct receive *receive, struct message **messages)
{
    struct queue_receive options = {
        .wanted = receive->wanted,
        .visibility_ms = receive->visibility_ms,
        .dead_letter = serve_sqs_dead_letter(request, queue),
    };
    struct bytes attempt = serve_sqs_input(request)->attempt_id;
    int64_t now_ms = request->server->now_ms;
    size_t count = 0;

    if (options.dead_letter)
        options.arn = serve_sqs_arn(request, queue);
    if (attempt.data)
        count = fifo_repeat(queue, attempt, now_ms, receive->visibility_ms,
                            messages);
    if (count)
        return count;
    count = receive_fresh(request, queue, &options, messages);
    if (count && attempt.data)
        fifo_remember_attempt(queue, attempt, now_ms, messages, count);
    return count;
}

// "DataType":"String","StringValue":"..."
static void write_attribute(struct writer *writer,
                            const struct message_attribute *attribute)
{
    writer_named(writer, "MessageAttribute", attribute->name);
    writer_text(writer, "DataType", attribute->type);
    if (attribute->binary)
        writer_blob(writer, "BinaryValue", attribute->value);
    else
        writer_text(writer, "StringValue", attribute->value);
    writer_named_end(writer, "MessageAttribute");
}

// "name", "All", ".*", "prefix.*".
static bool is_wanted(const struct vector *names, struct bytes name)
{
    const struct bytes *wanted = names->items;

    for (size_t i = 0; i < names->count; i++) {
        struct bytes prefix = wanted[i];

        if (bytes_equal(prefix, name) || bytes_equal(prefix, BYTES("All")))
            return true;
        if (prefix.size < 2 ||
            memcmp(prefix.data + prefix.size - 2, ".*", 2) != 0)
            continue;
        prefix.size -= 2;
        if (name.size >= prefix.size &&
            memcmp(name.data, prefix.data, prefix.size) == 0)
            return true;
    }
    return false;
}

static void write_attributes(struct request *request,
                             const struct receive *receive,
                             const struct message *message)
{
    const struct message_attribute *wanted[MESSAGE_ATTRIBUTES];
    char md5[MESSAGE_MD5_SIZE + 1];
    size_t count = 0;

    for (size_t i = 0; i < message->attribute_count; i++)
        if (is_wanted(receive->names, message->attributes[i].name))
            wanted[count++] = &message->attributes[i];
    if (!count)
        return;
    message_attributes_md5(wanted, count, request->server->digest, md5);
    writer_text(&request->writer, "MD5OfMessageAttributes", bytes_of(md5));
    writer_map(&request->writer, "MessageAttributes");
    for (size_t i = 0; i < count; i++)
        write_attribute(&request->writer, wanted[i]);
    writer_map_end(&request->writer);
}

static void write_text(struct writer *writer, unsigned bit, struct bytes text)
{
    if (text.size)
        writer_pair(writer, "Attribute",
                    bytes_of(system_names[__builtin_ctz(bit)]), text);
}

static void write_number(struct writer *writer, unsigned bit, int64_t number)
{
    char text[24], *at = text + sizeof(text);

    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    write_text(writer, bit,
               (struct bytes){at, (size_t)(text + sizeof(text) - at)});
}

static void write_system(struct writer *writer, unsigned wanted,
                         const struct message *message)
{
    if (wanted & SYSTEM_SENDER)
        write_text(writer, SYSTEM_SENDER, message->sender);
    if (wanted & SYSTEM_SENT)
        write_number(writer, SYSTEM_SENT, message->sent_ms);
    if (wanted & SYSTEM_COUNT)
        write_number(writer, SYSTEM_COUNT, message->receives);
    if (wanted & SYSTEM_FIRST)
        write_number(writer, SYSTEM_FIRST, message->first_received_ms);
    if (wanted & SYSTEM_SEQUENCE)
        write_text(writer, SYSTEM_SEQUENCE, bytes_of(message->sequence));
    if (wanted & SYSTEM_DEDUP)
        write_text(writer, SYSTEM_DEDUP, message->dedup_id);
    if (wanted & SYSTEM_GROUP)
        write_text(writer, SYSTEM_GROUP, message->group_id);
    if (wanted & SYSTEM_TRACE)
        write_text(writer, SYSTEM_TRACE, message->trace_header);
    if (wanted & SYSTEM_SOURCE)
        write_text(writer, SYSTEM_SOURCE,
                   bytes_of(message->dead_letter_source));
}

static void write_body(struct request *request, const struct message *message)
{
    struct writer *writer = &request->writer;
    bool broken = request_fault(request, FAULT_BROKEN_MD5);

    if (writer->format == WRITER_JSON && !broken) {
        writer_json(writer, message->json);
        return;
    }
    writer_text(writer, "MessageId", bytes_of(message->id));
    writer_text(writer, "MD5OfBody",
                broken ? BYTES("00000000000000000000000000000000")
                       : bytes_of(message->body_md5));
    writer_text(writer, "Body", message->body);
}

static void write_message(struct request *request,
                          const struct receive *receive,
                          const struct message *message)
{
    struct writer *writer = &request->writer;
    struct receipt receipt = queue_receipt(message);
    char handle[TOKEN_TEXT_LIMIT];
    size_t size = receipt_write(request->server->secret, &receipt, handle);

    writer_item(writer, "Message");
    write_body(request, message);
    writer_text(writer, "ReceiptHandle", (struct bytes){handle, size});
    if (receive->system) {
        writer_map(writer, "Attributes");
        write_system(writer, receive->system, message);
        writer_map_end(writer);
    }
    if (message->attribute_count && receive->names->count)
        write_attributes(request, receive, message);
    writer_item_end(writer, "Message");
    request->received[request->received_count++] = receipt;
}

// Standard queues deliver a message twice now and then; this is one of the
// times.
static void duplicate(struct request *request, struct queue *queue,
                      const struct message *message)
{
    struct server *server = request->server;
    struct message *copy;

    if (queue->settings.fifo || !request_fault(request, FAULT_DUPLICATE))
        return;
    copy = message_copy(message, ++server->last_serial, server->digest);
    copy->receives = message->receives;
    copy->failures = message->failures;
    copy->first_received_ms = message->first_received_ms;
    queue_send(queue, copy, server->now_ms, 0);
}

static enum step reply(struct request *request, struct queue *queue,
                       const struct receive *receive,
                       struct message *const *messages, size_t count)
{
    if (!count)
        return STEP_REPLY;
    writer_list(&request->writer, "Messages");
    for (size_t i = 0; i < count; i++)
        write_message(request, receive, messages[i]);
    writer_list_end(&request->writer);
    for (size_t i = 0; i < count; i++)
        duplicate(request, queue, messages[i]);
    queue_wake(queue);
    return STEP_REPLY;
}

static enum step wait(struct request *request, struct queue *queue,
                      const struct receive *receive)
{
    if (!request->deadline_ms)
        request->deadline_ms = request->server->now_ms + receive->wait_ms;
    if (request->deadline_ms <= request->server->now_ms)
        return STEP_REPLY;
    request->waiter.wanted = receive->wanted;
    queue_wait(queue, &request->waiter);
    request_wait_until(request, request->deadline_ms);
    return STEP_PARK;
}

static bool is_full(const struct queue *queue)
{
    return !queue->settings.fifo &&
           queue->counts[MESSAGE_IN_FLIGHT] >= QUEUE_IN_FLIGHT_LIMIT;
}

enum step serve_sqs_receive_message(struct request *request)
{
    struct message *messages[QUEUE_RECEIVE_LIMIT];
    struct queue *queue = serve_sqs_queue(request);
    struct sqs_problem problem = {0};
    struct receive receive = {0};
    size_t count;

    if (!queue)
        return STEP_REPLY;
    if (!check(request, queue, &receive, &problem))
        return serve_sqs_refuse(request, &problem);
    if (is_full(queue))
        return request_fail(request, API_OVER_LIMIT,
                            "Too many messages in flight for queue");
    if (!request->deadline_ms && request_fault(request, FAULT_EMPTY))
        return STEP_REPLY;
    count = take(request, queue, &receive, messages);
    return count ? reply(request, queue, &receive, messages, count)
                 : wait(request, queue, &receive);
}
