#include <jansson.h>
#include <stdlib.h>

#include "base/mem.h"
#include "local/server.h"
#include "local/serve_sqs.h"

enum kind {
    SECONDS, // int64_t of milliseconds
    SIZE,    // size_t
    FLAG,    // bool
    CHOICE,  // bool: the second of two words
    REDRIVE, // RedrivePolicy
    KEPT,    // only remembered
};

// Attributes that can be set.
static const struct attribute {
    const char *name;
    enum kind kind;
    size_t offset; // in struct queue_settings
    int64_t least, most;
    const char *words[2];
    bool only_at_creation, only_fifo;
} attributes[] = {
#define ROW(name_, kind_, ...)                        \
    {                                                 \
        .name = (name_), .kind = (kind_), __VA_ARGS__ \
    }
#define AT(member) .offset = offsetof(struct queue_settings, member)
#define RANGE(least_, most_) .least = (least_), .most = (most_)
    ROW("VisibilityTimeout", SECONDS, AT(visibility_ms), RANGE(0, 43200)),
    ROW("DelaySeconds", SECONDS, AT(delay_ms), RANGE(0, 900)),
    ROW("ReceiveMessageWaitTimeSeconds", SECONDS, AT(wait_ms), RANGE(0, 20)),
    ROW("MessageRetentionPeriod", SECONDS, AT(retention_ms),
        RANGE(60, 1209600)),
    ROW("MaximumMessageSize", SIZE, AT(size_limit),
        RANGE(1024, SQS_SIZE_LIMIT)),
    ROW("FifoQueue", FLAG, AT(fifo), .only_at_creation = true,
        .only_fifo = true),
    ROW("ContentBasedDeduplication", FLAG, AT(dedup_by_content),
        .only_fifo = true),
    ROW("DeduplicationScope", CHOICE, AT(dedup_per_group),
        .words = {"queue", "messageGroup"}, .only_fifo = true),
    ROW("FifoThroughputLimit", KEPT, .words = {"perQueue", "perMessageGroupId"},
        .only_fifo = true),
    ROW("RedrivePolicy", REDRIVE, AT(redrive_policy)),
    ROW("Policy", KEPT),
    ROW("RedriveAllowPolicy", KEPT),
    ROW("KmsMasterKeyId", KEPT),
    ROW("KmsDataKeyReusePeriodSeconds", KEPT),
    ROW("SqsManagedSseEnabled", KEPT),
#undef AT
#undef RANGE
#undef ROW
};

#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static const struct attribute *find(struct bytes name)
{
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if (bytes_equal(name, bytes_of(attributes[i].name)))
            return &attributes[i];
    return NULL;
}

void serve_sqs_pair_destroy(struct queue_pair *pair)
{
    list_remove(&pair->link);
    free(pair->name);
    free(pair->value);
    free(pair);
}

struct queue_pair *serve_sqs_pair_find(const struct list *pairs,
                                       struct bytes name)
{
    for (struct list *link = pairs->next; link != pairs; link = link->next) {
        struct queue_pair *pair = LIST_ITEM(link, struct queue_pair, link);

        if (bytes_equal(bytes_of(pair->name), name))
            return pair;
    }
    return NULL;
}

void serve_sqs_pair_set(struct list *pairs, struct bytes name,
                        struct bytes value)
{
    struct queue_pair *pair = mem_calloc(1, sizeof(*pair));
    struct queue_pair *old = serve_sqs_pair_find(pairs, name);

    if (old)
        serve_sqs_pair_destroy(old);
    pair->name = mem_strndup(name.data, name.size);
    pair->value = mem_strndup(value.data, value.size);
    list_push_back(pairs, &pair->link);
}

static bool invalid(struct request *request, const char *name,
                    struct sqs_problem *problem)
{
    return serve_sqs_problem(request, problem, API_INVALID_ATTRIBUTE_VALUE,
                             "Invalid value for the parameter %s.", name);
}

static bool set_number(struct request *request,
                       const struct attribute *attribute, struct bytes value,
                       struct queue_settings *settings,
                       struct sqs_problem *problem)
{
    void *at = (char *)settings + attribute->offset;
    int64_t number;

    if (!text_to_int(value, &number) || number < attribute->least ||
        number > attribute->most)
        return invalid(request, attribute->name, problem);
    if (attribute->kind == SIZE)
        *(size_t *)at = (size_t)number;
    else
        *(int64_t *)at = number * 1000;
    return true;
}

static bool set_word(struct request *request, const struct attribute *attribute,
                     struct bytes value, struct queue_settings *settings,
                     struct sqs_problem *problem)
{
    bool *at = (bool *)(void *)((char *)settings + attribute->offset);
    bool choice = attribute->kind == CHOICE;
    const char *off = choice ? attribute->words[0] : "false";
    const char *on = choice ? attribute->words[1] : "true";

    *at = bytes_equal(value, bytes_of(on));
    return *at || bytes_equal(value, bytes_of(off)) ||
           invalid(request, attribute->name, problem);
}

// Some clients send the count as a number, others as a text.
static int64_t count_of(const json_t *value)
{
    const char *text = json_string_value(value);
    int64_t count;

    if (text)
        return text_to_int(bytes_of(text), &count) ? count : 0;
    return value ? json_integer_value(value) : 10;
}

static bool refuse_policy(struct request *request, struct bytes value,
                          const char *reason, struct sqs_problem *problem)
{
    return serve_sqs_problem(
        request, problem, API_INVALID_PARAMETER,
        "Value %.*s for parameter RedrivePolicy is invalid. "
        "Reason: %s.",
        BYTES_ARGS(value), reason);
}

static void clear_policy(struct queue_settings *settings)
{
    free(settings->redrive_policy);
    free(settings->dead_letter);
    settings->redrive_policy = settings->dead_letter = NULL;
    settings->failure_limit = 0;
}

static bool set_policy(struct request *request, struct bytes value,
                       struct queue_settings *settings,
                       struct sqs_problem *problem)
{
    json_auto_t *policy = json_loadb(value.data, value.size, 0, NULL);
    const char *arn =
        json_string_value(json_object_get(policy, "deadLetterTargetArn"));
    int64_t count = count_of(json_object_get(policy, "maxReceiveCount"));
    const char *name = arn ? strrchr(arn, ':') : NULL;
    const struct queue *target;

    clear_policy(settings);
    if (!value.size)
        return true;
    if (!name || count < 1 || count > 1000)
        return refuse_policy(request, value,
                             "deadLetterTargetArn must be an ARN, and "
                             "maxReceiveCount between 1 and 1000",
                             problem);
    target = server_queue(request->server, bytes_of(name + 1));
    if (!target)
        return refuse_policy(request, value,
                             "Dead letter target does not exist", problem);
    if (target->settings.fifo != settings->fifo)
        return refuse_policy(request, value,
                             "Dead-letter queue must be same type of queue as "
                             "the source",
                             problem);
    settings->redrive_policy = mem_strndup(value.data, value.size);
    settings->dead_letter = mem_strdup(name + 1);
    settings->failure_limit = (uint32_t)count;
    return true;
}

static bool set_kept(struct request *request, const struct attribute *attribute,
                     struct bytes value, struct list *kept,
                     struct sqs_problem *problem)
{
    if (attribute->words[0] &&
        !bytes_equal(value, bytes_of(attribute->words[0])) &&
        !bytes_equal(value, bytes_of(attribute->words[1])))
        return invalid(request, attribute->name, problem);
    serve_sqs_pair_set(kept, bytes_of(attribute->name), value);
    return true;
}

static bool set_one(struct request *request, const struct attribute *attribute,
                    struct bytes value, struct queue_settings *settings,
                    struct list *kept, struct sqs_problem *problem)
{
    switch (attribute->kind) {
    case SECONDS:
    case SIZE:
        return set_number(request, attribute, value, settings, problem);
    case FLAG:
    case CHOICE:
        return set_word(request, attribute, value, settings, problem);
    case REDRIVE:
        return set_policy(request, value, settings, problem);
    case KEPT:
        return set_kept(request, attribute, value, kept, problem);
    }
    return false;
}

static bool check_name(struct request *request, struct bytes name,
                       bool creating, const struct queue_settings *settings,
                       struct sqs_problem *problem)
{
    const struct attribute *attribute = find(name);

    if (attribute && (creating || !attribute->only_at_creation) &&
        (settings->fifo || !attribute->only_fifo))
        return true;
    return serve_sqs_problem(request, problem, API_INVALID_ATTRIBUTE_NAME,
                             "Unknown Attribute %.*s.", BYTES_ARGS(name));
}

static bool asks_for_fifo(const struct input_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(pairs[i].name, BYTES("FifoQueue")) &&
            bytes_equal(pairs[i].value, BYTES("true")))
            return true;
    return false;
}

bool serve_sqs_set_attributes(struct request *request,
                              const struct vector *list, bool creating,
                              struct queue_settings *settings,
                              struct list *kept, struct sqs_problem *problem)
{
    const struct input_pair *pairs = list->items;

    // What else is allowed depends on it, wherever it stands.
    if (creating)
        settings->fifo = asks_for_fifo(pairs, list->count);
    for (size_t i = 0; i < list->count; i++)
        if (!check_name(request, pairs[i].name, creating, settings, problem) ||
            !set_one(request, find(pairs[i].name), pairs[i].value, settings,
                     kept, problem))
            return false;
    return true;
}

static const char *number_text(struct request *request, uint64_t number)
{
    return arena_printf(&request->arena, "%llu", (unsigned long long)number);
}

static const char *set_value(struct request *request, const struct queue *queue,
                             const struct attribute *attribute)
{
    const void *at = (const char *)&queue->settings + attribute->offset;
    const struct queue_pair *pair;

    if (attribute->only_fifo && !queue->settings.fifo)
        return NULL;
    switch (attribute->kind) {
    case SECONDS:
        return number_text(request, (uint64_t) * (const int64_t *)at / 1000);
    case SIZE:
        return number_text(request, *(const size_t *)at);
    case FLAG:
        return *(const bool *)at ? "true" : "false";
    case CHOICE:
        return attribute->words[*(const bool *)at];
    case REDRIVE:
        return queue->settings.redrive_policy;
    case KEPT:
        break;
    }
    pair = serve_sqs_pair_find(&queue->attributes, bytes_of(attribute->name));
    return pair ? pair->value : attribute->words[0];
}

// Attributes that only can be asked for.
static const struct computed {
    const char *name;
    enum { COUNT, ARN, CREATED, MODIFIED } kind;
    enum message_state state; // of COUNT
} computed[] = {
    {"ApproximateNumberOfMessages", COUNT, MESSAGE_READY},
    {"ApproximateNumberOfMessagesNotVisible", COUNT, MESSAGE_IN_FLIGHT},
    {"ApproximateNumberOfMessagesDelayed", COUNT, MESSAGE_DELAYED},
    {"QueueArn", ARN, MESSAGE_READY},
    {"CreatedTimestamp", CREATED, MESSAGE_READY},
    {"LastModifiedTimestamp", MODIFIED, MESSAGE_READY},
};

#define COMPUTED (sizeof(computed) / sizeof(computed[0]))

static const char *computed_value(struct request *request,
                                  const struct queue *queue,
                                  const struct computed *attribute)
{
    switch (attribute->kind) {
    case COUNT:
        return number_text(request, queue->counts[attribute->state]);
    case ARN:
        return serve_sqs_arn(request, queue);
    case CREATED:
        return number_text(request, (uint64_t)queue->created_ms / 1000);
    case MODIFIED:
        return number_text(request, (uint64_t)queue->modified_ms / 1000);
    }
    return NULL;
}

const char *serve_sqs_attribute_value(struct request *request,
                                      const struct queue *queue,
                                      struct bytes name)
{
    const struct attribute *attribute = find(name);

    if (attribute)
        return set_value(request, queue, attribute);
    for (size_t i = 0; i < COMPUTED; i++)
        if (bytes_equal(name, bytes_of(computed[i].name)))
            return computed_value(request, queue, &computed[i]);
    return NULL;
}

static void write_value(struct request *request, const struct queue *queue,
                        struct bytes name)
{
    const char *value = serve_sqs_attribute_value(request, queue, name);

    if (value)
        writer_pair(&request->writer, "Attribute", name, bytes_of(value));
}

static void write_every_value(struct request *request,
                              const struct queue *queue)
{
    for (size_t i = 0; i < COMPUTED; i++)
        write_value(request, queue, bytes_of(computed[i].name));
    for (size_t i = 0; i < ATTRIBUTES; i++)
        write_value(request, queue, bytes_of(attributes[i].name));
}

static bool is_known(struct bytes name)
{
    for (size_t i = 0; i < COMPUTED; i++)
        if (bytes_equal(name, bytes_of(computed[i].name)))
            return true;
    return find(name) || bytes_equal(name, BYTES("All"));
}

static bool asks_for_all(const struct vector *list)
{
    const struct bytes *names = list->items;

    for (size_t i = 0; i < list->count; i++)
        if (bytes_equal(names[i], BYTES("All")))
            return true;
    return false;
}

enum step serve_sqs_get_queue_attributes(struct request *request)
{
    const struct vector *list = &serve_sqs_input(request)->attribute_names;
    const struct bytes *names = list->items;
    const struct queue *queue = serve_sqs_queue(request);

    if (!queue)
        return STEP_REPLY;
    for (size_t i = 0; i < list->count; i++)
        if (!is_known(names[i]))
            return request_fail(request, API_INVALID_ATTRIBUTE_NAME,
                                "Unknown Attribute %.*s.",
                                BYTES_ARGS(names[i]));
    if (!list->count)
        return STEP_REPLY;
    writer_map(&request->writer, "Attributes");
    if (asks_for_all(list))
        write_every_value(request, queue);
    else
        for (size_t i = 0; i < list->count; i++)
            write_value(request, queue, names[i]);
    writer_map_end(&request->writer);
    return STEP_REPLY;
}

static void keep(struct queue *queue, struct list *kept)
{
    struct list *link;

    while ((link = list_first(kept))) {
        struct queue_pair *pair = LIST_ITEM(link, struct queue_pair, link);

        serve_sqs_pair_set(&queue->attributes, bytes_of(pair->name),
                           bytes_of(pair->value));
        serve_sqs_pair_destroy(pair);
    }
}

static void drop(struct list *kept)
{
    struct list *link;

    while ((link = list_first(kept)))
        serve_sqs_pair_destroy(LIST_ITEM(link, struct queue_pair, link));
}

// All or nothing, so they are set in a copy.
enum step serve_sqs_set_queue_attributes(struct request *request)
{
    struct queue *queue = serve_sqs_queue(request);
    struct queue_settings changed;
    struct sqs_problem problem = {0};
    struct list kept;

    if (!queue)
        return STEP_REPLY;
    list_init(&kept);
    changed = queue->settings;
    changed.redrive_policy = mem_strdup(changed.redrive_policy);
    changed.dead_letter = mem_strdup(changed.dead_letter);
    if (!serve_sqs_set_attributes(request,
                                  &serve_sqs_input(request)->attributes, false,
                                  &changed, &kept, &problem)) {
        clear_policy(&changed);
        drop(&kept);
        return serve_sqs_refuse(request, &problem);
    }
    clear_policy(&queue->settings);
    queue->settings = changed;
    keep(queue, &kept);
    queue->modified_ms = request->server->now_ms;
    return STEP_REPLY;
}
