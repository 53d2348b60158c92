#include "aws/resource.h"

#include <curl/curl.h>
#include <ctype.h>

#include "aws/arn.h"
#include "base/error.h"

static const struct bytes fifo_ending = {".fifo", 5};

static bool is_name(struct bytes name, size_t limit, const char *others)
{
    for (size_t i = 0; i < name.size; i++)
        if (!isalnum((unsigned char)name.data[i]) &&
            !strchr(others, name.data[i]))
            return false;
    return name.size > 0 && name.size <= limit;
}

bool resource_is_fifo(struct bytes queue)
{
    return queue.size > fifo_ending.size &&
           !memcmp(queue.data + queue.size - fifo_ending.size, fifo_ending.data,
                   fifo_ending.size);
}

bool resource_is_queue_name(struct bytes name)
{
    size_t limit = 80;

    if (resource_is_fifo(name)) {
        name.size -= fifo_ending.size;
        limit -= fifo_ending.size;
    }
    return is_name(name, limit, "-_");
}

bool resource_is_stream_name(struct bytes name)
{
    return is_name(name, 128, "-_.");
}

bool resource_is_table_name(struct bytes name)
{
    return name.size >= 3 && is_name(name, 255, "-_.");
}

bool resource_is_consumer_name(struct bytes name)
{
    return is_name(name, 128, "-_.");
}

static bool is_account(struct bytes account)
{
    for (size_t i = 0; i < account.size; i++)
        if (!isdigit((unsigned char)account.data[i]))
            return false;
    return account.size == 12;
}

static bool from_stream(struct bytes resource, struct bytes *name,
                        struct error *err)
{
    static const struct bytes prefix = {"stream/", 7};

    if (resource.size <= prefix.size ||
        memcmp(resource.data, prefix.data, prefix.size) != 0)
        return error_set(err, ERROR_INVALID,
                         "\"%.*s\" is no stream: ...:ACCOUNT:stream/NAME",
                         BYTES_ARGS(resource));
    *name = (struct bytes){resource.data + prefix.size,
                           resource.size - prefix.size};
    if (memmem(name->data, name->size, "/consumer/", 10))
        return error_set(err, ERROR_INVALID,
                         "a consumer of a stream is a source, and nothing to "
                         "send to");
    return resource_is_stream_name(*name) ||
           error_set(err, ERROR_INVALID, "\"%.*s\" is no name of a stream",
                     BYTES_ARGS(*name));
}

static bool from_queue(struct bytes resource, struct bytes *name,
                       struct error *err)
{
    *name = resource;
    return resource_is_queue_name(resource) ||
           error_set(err, ERROR_INVALID, "\"%.*s\" is no name of a queue",
                     BYTES_ARGS(resource));
}

// table/NAME/stream/LABEL
static bool from_table_stream(struct bytes resource, struct bytes *name,
                              struct error *err)
{
    static const struct bytes prefix = {"table/", 6}, middle = {"/stream/", 8};
    const char *end =
        memmem(resource.data, resource.size, middle.data, middle.size);
    bool is_table = resource.size > prefix.size &&
                    !memcmp(resource.data, prefix.data, prefix.size);

    if (!is_table || !end || end + middle.size == resource.data + resource.size)
        return error_set(err, ERROR_INVALID,
                         "\"%.*s\" is no stream of a table: "
                         "...:ACCOUNT:table/NAME/stream/LABEL (or name the "
                         "table: `source: {dynamodb: {table: NAME}}`)",
                         BYTES_ARGS(resource));
    *name = (struct bytes){resource.data + prefix.size,
                           (size_t)(end - resource.data) - prefix.size};
    return resource_is_table_name(*name) ||
           error_set(err, ERROR_INVALID, "\"%.*s\" is no name of a table",
                     BYTES_ARGS(*name));
}

static bool refuse_service(struct bytes service, struct error *err)
{
    static const char *const others[] = {"sns", "s3", "kafka", "mq", "lambda"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (bytes_equal(service, bytes_of(others[i])))
            return error_set(
                err, ERROR_INVALID,
                "%s is not implemented in this version of pollard: sqs, "
                "kinesis or dynamodb",
                others[i]);
    return error_set(err, ERROR_INVALID,
                     "\"%.*s\" is no service known here: sqs, kinesis or "
                     "dynamodb",
                     BYTES_ARGS(service));
}

bool resource_from_arn(const char *text, enum aws_service *service,
                       struct bytes *name, struct error *err)
{
    static const struct kind {
        const char *name;
        enum aws_service service;
        bool (*find)(struct bytes resource, struct bytes *name,
                     struct error *err);
    } kinds[] = {{"sqs", AWS_SQS, from_queue},
                 {"kinesis", AWS_KINESIS, from_stream},
                 {"dynamodb", AWS_DYNAMODB_STREAMS, from_table_stream},
                 {0}};
    const struct kind *kind = kinds;
    struct arn arn;

    if (!arn_parse(text, &arn, err))
        return false;
    while (kind->name && !bytes_equal(arn.service, bytes_of(kind->name)))
        kind++;
    if (!kind->name)
        return refuse_service(arn.service, err);
    if (!arn.region.size || !is_account(arn.account))
        return error_set(err, ERROR_INVALID,
                         "\"%s\" lacks its region or an account of 12 digits",
                         text);
    *service = kind->service;
    return kind->find(arn.resource, name, err);
}

#define CONSUMER "/consumer/"

bool resource_is_consumer_arn(const char *text)
{
    struct arn arn;
    struct error ignored;

    return arn_parse(text, &arn, &ignored) &&
           bytes_equal(arn.service, BYTES("kinesis")) &&
           strstr(text, CONSUMER) != NULL;
}

// stream/STREAM/consumer/NAME:CREATION
static bool split_consumer(struct bytes resource, struct bytes *stream,
                           struct bytes *name)
{
    static const struct bytes prefix = {"stream/", 7};
    const char *end = resource.data + resource.size, *middle, *colon;

    if (resource.size <= prefix.size ||
        memcmp(resource.data, prefix.data, prefix.size) != 0)
        return false;
    middle = strstr(resource.data, CONSUMER);
    colon = middle ? strchr(middle, ':') : NULL;
    if (!colon || colon + 1 == end)
        return false;
    for (const char *at = colon + 1; at < end; at++)
        if (!isdigit((unsigned char)*at))
            return false;
    *stream = (struct bytes){resource.data + prefix.size,
                             (size_t)(middle - resource.data) - prefix.size};
    middle += strlen(CONSUMER);
    *name = (struct bytes){middle, (size_t)(colon - middle)};
    return resource_is_stream_name(*stream) && resource_is_consumer_name(*name);
}

bool resource_from_consumer_arn(const char *text, struct bytes *stream,
                                struct bytes *name, struct error *err)
{
    struct arn arn;

    if (!arn_parse(text, &arn, err))
        return false;
    if (!arn.region.size || !is_account(arn.account) ||
        !split_consumer(arn.resource, stream, name))
        return error_set(err, ERROR_INVALID,
                         "\"%.300s\" is no consumer: arn:aws:kinesis:REGION:"
                         "ACCOUNT:stream/NAME/consumer/NAME:CREATION",
                         text);
    return true;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool found = curl_url_get(url, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return found;
}

// A user's name and password are not for messages.
static const char *shown(const char *url)
{
    return strchr(url, '@') ? "..." : url;
}

static bool check_parts(CURLU *url, const char *text, struct error *err)
{
    static const CURLUPart unwanted[] = {CURLUPART_USER, CURLUPART_PASSWORD,
                                         CURLUPART_QUERY, CURLUPART_FRAGMENT};
    CURLUcode code;

    if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\" is not allowed: a URL that begins with "
                         "http:// or https://",
                         shown(text));
    code = curl_url_set(url, CURLUPART_URL, text, 0);
    if (code != CURLUE_OK)
        return error_set(err, ERROR_INVALID, "\"%.200s\" is no URL: %s",
                         shown(text), curl_url_strerror(code));
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
        if (has_part(url, unwanted[i])) // may be a secret: not shown
            return error_set(err, ERROR_INVALID,
                             "a URL without user, password, query and "
                             "fragment is wanted");
    return true;
}

bool resource_check_url(const char *url, struct error *err)
{
    CURLU *parts = curl_url();
    bool ok = check_parts(parts, url, err);

    curl_url_cleanup(parts);
    return ok;
}
