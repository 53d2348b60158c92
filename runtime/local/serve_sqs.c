#include "local/serve_sqs.h"

#include <stdarg.h>
#include <stdio.h>

#include "local/server.h"
#include "local/services.h"

#define FIELD(type_, struct_, member_) (type_), offsetof(struct_, member_), NULL
#define NESTED(type_, struct_, member_, nested_) \
    (type_), offsetof(struct_, member_), &(nested_)

static const struct input_field attribute_fields[] = {
    {"DataType", NULL, FIELD(INPUT_TEXT, struct sqs_attribute, type)},
    {"StringValue", NULL, FIELD(INPUT_TEXT, struct sqs_attribute, text)},
    {"BinaryValue", NULL, FIELD(INPUT_BLOB, struct sqs_attribute, binary)},
};
static const struct input_fields attribute_input =
    INPUT_FIELDS(attribute_fields, struct sqs_attribute);

// In a single request these stand beside the others, hence the macro: member
// is where the struct sqs_entry is.
#define ENTRY_FIELDS(struct_, entry_)                                          \
    {"Id", NULL, FIELD(INPUT_TEXT, struct_, entry_ id)},                       \
        {"ReceiptHandle", NULL, FIELD(INPUT_TEXT, struct_, entry_ receipt)},   \
        {"VisibilityTimeout", NULL,                                            \
         FIELD(INPUT_INT, struct_, entry_ visibility_s)},                      \
        {"MessageBody", NULL, FIELD(INPUT_TEXT, struct_, entry_ body)},        \
        {"DelaySeconds", NULL, FIELD(INPUT_INT, struct_, entry_ delay_s)},     \
        {"MessageDeduplicationId", NULL,                                       \
         FIELD(INPUT_TEXT, struct_, entry_ dedup_id)},                         \
        {"MessageGroupId", NULL, FIELD(INPUT_TEXT, struct_, entry_ group_id)}, \
        {"MessageAttributes", "MessageAttribute",                              \
         NESTED(INPUT_NAMED, struct_, entry_ attributes, attribute_input)},    \
    {                                                                          \
        "MessageSystemAttributes", "MessageSystemAttribute",                   \
            NESTED(INPUT_NAMED, struct_, entry_ system_attributes,             \
                   attribute_input)                                            \
    }

static const struct input_field entry_fields[] = {
    ENTRY_FIELDS(struct sqs_entry, ),
};
static const struct input_fields entry_input =
    INPUT_FIELDS(entry_fields, struct sqs_entry);

#define IN struct sqs_input
static const struct input_field serve_sqs_fields[] = {
    {"QueueUrl", NULL, FIELD(INPUT_TEXT, IN, queue_url)},
    {"Entries", "SendMessageBatchRequestEntry",
     NESTED(INPUT_OBJECTS, IN, entries, entry_input)},
    {"Entries", "DeleteMessageBatchRequestEntry",
     NESTED(INPUT_OBJECTS, IN, entries, entry_input)},
    {"Entries", "ChangeMessageVisibilityBatchRequestEntry",
     NESTED(INPUT_OBJECTS, IN, entries, entry_input)},
    ENTRY_FIELDS(IN, entry.),
    {"MaxNumberOfMessages", NULL, FIELD(INPUT_INT, IN, wanted)},
    {"WaitTimeSeconds", NULL, FIELD(INPUT_INT, IN, wait_s)},
    {"AttributeNames", "AttributeName",
     FIELD(INPUT_TEXTS, IN, attribute_names)},
    {"MessageSystemAttributeNames", "MessageSystemAttributeName",
     FIELD(INPUT_TEXTS, IN, system_names)},
    {"MessageAttributeNames", "MessageAttributeName",
     FIELD(INPUT_TEXTS, IN, message_names)},
    {"ReceiveRequestAttemptId", NULL, FIELD(INPUT_TEXT, IN, attempt_id)},
    {"QueueName", NULL, FIELD(INPUT_TEXT, IN, queue_name)},
    {"QueueNamePrefix", NULL, FIELD(INPUT_TEXT, IN, prefix)},
    {"MaxResults", NULL, FIELD(INPUT_INT, IN, page)},
    {"NextToken", NULL, FIELD(INPUT_TEXT, IN, next_token)},
    {"Attributes", "Attribute", FIELD(INPUT_PAIRS, IN, attributes)},
    {"tags", "Tag", FIELD(INPUT_PAIRS, IN, tags)}, // of CreateQueue
    {"Tags", "Tag", FIELD(INPUT_PAIRS, IN, tags)}, // of TagQueue
    {"TagKeys", "TagKey", FIELD(INPUT_TEXTS, IN, tag_keys)},
};
#undef IN
static const struct input_fields serve_sqs_input_fields =
    INPUT_FIELDS(serve_sqs_fields, struct sqs_input);

static const struct operation serve_sqs_operations[] = {
    {"ReceiveMessage", serve_sqs_receive_message},
    {"DeleteMessageBatch", serve_sqs_delete_message_batch},
    {"SendMessageBatch", serve_sqs_send_message_batch},
    {"DeleteMessage", serve_sqs_delete_message},
    {"SendMessage", serve_sqs_send_message},
    {"ChangeMessageVisibility", serve_sqs_change_visibility},
    {"ChangeMessageVisibilityBatch", serve_sqs_change_visibility_batch},
    {"GetQueueAttributes", serve_sqs_get_queue_attributes},
    {"SetQueueAttributes", serve_sqs_set_queue_attributes},
    {"GetQueueUrl", serve_sqs_get_queue_url},
    {"CreateQueue", serve_sqs_create_queue},
    {"DeleteQueue", serve_sqs_delete_queue},
    {"PurgeQueue", serve_sqs_purge_queue},
    {"ListQueues", serve_sqs_list_queues},
    {"ListDeadLetterSourceQueues", serve_sqs_list_dead_letter_sources},
    {"TagQueue", serve_sqs_tag_queue},
    {"UntagQueue", serve_sqs_untag_queue},
    {"ListQueueTags", serve_sqs_list_queue_tags},
};

// What follows the last slash.
static struct bytes last_part(struct bytes url)
{
    const char *slash = url.size ? memrchr(url.data, '/', url.size) : NULL;

    if (!slash)
        return (struct bytes){0};
    return (struct bytes){slash + 1, (size_t)(url.data + url.size - slash - 1)};
}

// Some clients of the Query protocol post to the queue's own URL instead.
static struct bytes url_of(const struct request *request)
{
    struct bytes url = serve_sqs_input(request)->queue_url;

    if (!url.data && request->head.path.size > 1)
        url = request->head.path;
    return url;
}

static struct bytes serve_sqs_resource(const struct request *request)
{
    struct bytes url = url_of(request);

    return url.data ? last_part(url) : serve_sqs_input(request)->queue_name;
}

const struct service serve_sqs_service = {
    .target = "AmazonSQS.",
    .json_type = "application/x-amz-json-1.0",
    .error_prefix = "com.amazonaws.sqs#",
    .xml_namespace = "http://queue.amazonaws.com/doc/2012-11-05/",
    .query_header = true,
    .operations = serve_sqs_operations,
    .count = sizeof(serve_sqs_operations) / sizeof(serve_sqs_operations[0]),
    .input = &serve_sqs_input_fields,
    .resource = serve_sqs_resource,
};

bool serve_sqs_problem(struct request *request, struct sqs_problem *problem,
                       enum api_error error, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    *problem = (struct sqs_problem){
        true, error, arena_copy(&request->arena, bytes_of(text))};
    return false;
}

enum step serve_sqs_refuse(struct request *request,
                           const struct sqs_problem *problem)
{
    return request_fail(request, problem->error, "%s", problem->text);
}

struct queue *serve_sqs_queue(struct request *request)
{
    struct server *server = request->server;
    struct bytes url = url_of(request);
    struct queue *queue;

    if (!url.data) {
        (void)request_fail(request, API_MISSING_PARAMETER,
                           "The request must contain the parameter QueueUrl.");
        return NULL;
    }
    if (!last_part(url).size) {
        (void)request_fail(request, API_INVALID_ADDRESS,
                           "The address %.*s is not valid for this endpoint.",
                           BYTES_ARGS(url));
        return NULL;
    }
    queue = server_queue(server, request->resource);
    if (queue)
        queue_expire(queue, server->now_ms);
    else
        (void)request_fail(request, API_QUEUE_DOES_NOT_EXIST,
                           "The specified queue does not exist.");
    return queue;
}

const char *serve_sqs_arn(struct request *request, const struct queue *queue)
{
    const struct server *server = request->server;

    return arena_printf(&request->arena, "arn:aws:sqs:%s:%s:%s", server->region,
                        server->account, queue->name);
}

// By the name under which the client reached us, so that it can follow it.
const char *serve_sqs_url(struct request *request, const struct queue *queue)
{
    struct bytes host = request->head.host;

    return arena_printf(&request->arena, "http://%.*s/%s/%s", BYTES_ARGS(host),
                        request->server->account, queue->name);
}

struct queue *serve_sqs_dead_letter(const struct request *request,
                                    const struct queue *queue)
{
    const char *name = queue->settings.dead_letter;

    return name ? server_queue(request->server, bytes_of(name)) : NULL;
}
