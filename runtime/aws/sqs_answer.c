#include "aws/sqs_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/sqs_xml.h"
#include "base/json_read.h"
#include "base/mem.h"

static void copy_text(char *out, size_t size, struct bytes text)
{
    (void)snprintf(out, size, "%.*s", text.data ? (int)text.size : 0,
                   text.data ? text.data : "");
}

static int64_t parse_int(struct bytes text, int64_t otherwise)
{
    char digits[24], *end;
    long long number;

    copy_text(digits, sizeof(digits), text);
    number = strtoll(digits, &end, 10);
    return end == digits || *end ? otherwise : number;
}

static bool is_name(struct bytes name, const char *text)
{
    return bytes_equal(name, bytes_of(text));
}

bool sqs_answer_inner_error(struct error *err, struct bytes code,
                            struct bytes message)
{
    return error_set(err, ERROR_TRANSIENT,
                     "a successful answer holds an error: %.*s: %.*s",
                     BYTES_ARGS(code), BYTES_ARGS(message));
}

// The members of interest of any answer, whatever its form, as they come along.
struct answer {
    struct bytes queue_url;
    struct sqs_attributes *attributes;
    struct sqs_results *results;

    // Of the attribute or the entry being read.
    struct bytes name, value, id, code, message;
    bool is_sender_fault;

    // An error where success was announced.
    struct bytes error_code, error_message;
    bool is_error;
};

static void take_attribute(struct answer *answer)
{
    struct sqs_attributes *attributes = answer->attributes;

    if (attributes && is_name(answer->name, "QueueArn") && !attributes->arn &&
        answer->value.size)
        attributes->arn = mem_strndup(answer->value.data, answer->value.size);
    else if (attributes && is_name(answer->name, "VisibilityTimeout"))
        attributes->visibility_s = parse_int(answer->value, -1);
    answer->name = answer->value = (struct bytes){0};
}

static void take_entry(struct answer *answer, bool ok)
{
    int64_t index = parse_int(answer->id, -1);

    if (answer->results && index >= 0 && index < SQS_BATCH_MOST) {
        struct sqs_result *result = &answer->results->entries[index];

        result->state = ok ? SQS_RESULT_OK : SQS_RESULT_FAILED;
        result->is_sender_fault = answer->is_sender_fault;
        copy_text(result->code, sizeof(result->code), answer->code);
        copy_text(result->message, sizeof(result->message), answer->message);
    }
    answer->id = answer->code = answer->message = (struct bytes){0};
    answer->is_sender_fault = false;
}

static void read_text(struct json_read *in, struct bytes *text)
{
    enum json_read_type type = json_read_peek(in);

    if (type == JSON_READ_NUMBER)
        (void)json_read_number(in, text);
    else if (type == JSON_READ_STRING || type == JSON_READ_NULL)
        (void)json_read_string(in, text);
    else
        (void)json_read_skip(in);
}

static void read_attributes(struct json_read *in, struct answer *answer)
{
    if (!json_read_object(in))
        return;
    while (json_read_member(in, &answer->name)) {
        read_text(in, &answer->value);
        take_attribute(answer);
    }
}

// moto writes the flag as a string.
static void read_flag(struct json_read *in, bool *flag)
{
    struct bytes text = {0};

    if (json_read_peek(in) == JSON_READ_STRING) {
        read_text(in, &text);
        *flag = is_name(text, "true");
    } else {
        (void)json_read_bool(in, flag);
    }
}

static void read_entry(struct json_read *in, struct answer *answer)
{
    struct bytes name;

    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        if (is_name(name, "Id"))
            read_text(in, &answer->id);
        else if (is_name(name, "SenderFault"))
            read_flag(in, &answer->is_sender_fault);
        else if (is_name(name, "Code"))
            read_text(in, &answer->code);
        else if (is_name(name, "Message"))
            read_text(in, &answer->message);
        else
            (void)json_read_skip(in);
    }
}

static void read_entries(struct json_read *in, struct answer *answer, bool ok)
{
    if (!json_read_array(in))
        return;
    while (json_read_element(in)) {
        read_entry(in, answer);
        take_entry(answer, ok);
    }
}

static void read_member(struct json_read *in, struct bytes name,
                        struct answer *answer)
{
    if (is_name(name, "QueueUrl")) {
        read_text(in, &answer->queue_url);
    } else if (is_name(name, "Attributes")) {
        read_attributes(in, answer);
    } else if (is_name(name, "Successful")) {
        read_entries(in, answer, true);
    } else if (is_name(name, "Failed")) {
        read_entries(in, answer, false);
    } else if (is_name(name, "__type")) {
        answer->is_error = true;
        read_text(in, &answer->error_code);
    } else if (is_name(name, "message") || is_name(name, "Message")) {
        read_text(in, &answer->error_message);
    } else {
        (void)json_read_skip(in);
    }
}

static bool read_json(struct buffer *body, struct answer *answer,
                      struct error *err)
{
    struct json_read in;
    struct bytes name;

    if (!body->size)
        return true; // an answer without members
    json_read_init(&in, body->data, body->size);
    if (json_read_object(&in))
        while (json_read_member(&in, &name))
            read_member(&in, name, answer);
    if (!json_read_end(&in))
        return error_set(err, ERROR_TRANSIENT, "answer is not JSON: %s at %zu",
                         in.error, json_read_offset(&in));
    return true;
}

static void on_leaf(void *context, const char *parent, const char *name,
                    struct bytes text)
{
    struct answer *answer = context;
    bool is_error = !strcmp(parent, "Error");

    if (!strcmp(name, "QueueUrl"))
        answer->queue_url = text;
    else if (!strcmp(name, "Name"))
        answer->name = text;
    else if (!strcmp(name, "Value"))
        answer->value = text;
    else if (!strcmp(name, "Id"))
        answer->id = text;
    else if (!strcmp(name, "SenderFault"))
        answer->is_sender_fault = is_name(text, "true");
    else if (!strcmp(name, "Code"))
        *(is_error ? &answer->error_code : &answer->code) = text;
    else if (!strcmp(name, "Message"))
        *(is_error ? &answer->error_message : &answer->message) = text;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t size = strlen(name), tail = strlen(ending);

    return size >= tail && !strcmp(name + size - tail, ending);
}

static void on_end(void *context, const char *name)
{
    struct answer *answer = context;

    if (!strcmp(name, "Attribute"))
        take_attribute(answer);
    else if (ends_with(name, "BatchResultEntry"))
        take_entry(answer, true);
    else if (!strcmp(name, "BatchResultErrorEntry"))
        take_entry(answer, false);
    else if (!strcmp(name, "Error"))
        answer->is_error = true;
}

static bool read_xml(const struct buffer *body, struct buffer *text,
                     struct answer *answer, struct error *err)
{
    const struct sqs_xml_events events = {
        .leaf = on_leaf, .end = on_end, .context = answer};

    return sqs_xml_walk(buffer_bytes(body), text, &events, err) ||
           error_wrap(err, "answer");
}

// What was read stays valid as long as body and text do.
static bool read_answer(enum aws_protocol protocol, struct buffer *body,
                        struct buffer *text, struct answer *answer,
                        struct error *err)
{
    bool ok = protocol == AWS_QUERY ? read_xml(body, text, answer, err)
                                    : read_json(body, answer, err);

    if (ok && answer->is_error)
        return sqs_answer_inner_error(err, answer->error_code,
                                      answer->error_message);
    return ok;
}

char *sqs_answer_queue_url(enum aws_protocol protocol, struct buffer *body,
                           struct error *err)
{
    struct answer answer = {0};
    struct buffer text = {0};
    char *url = NULL;

    if (!read_answer(protocol, body, &text, &answer, err))
        error_wrap(err, "GetQueueUrl");
    else if (!answer.queue_url.size)
        error_set(err, ERROR_TRANSIENT, "GetQueueUrl: answer without QueueUrl");
    else
        url = mem_strndup(answer.queue_url.data, answer.queue_url.size);
    buffer_finish(&text);
    return url;
}

bool sqs_answer_attributes(enum aws_protocol protocol, struct buffer *body,
                           struct sqs_attributes *attributes, struct error *err)
{
    struct sqs_attributes found = {.visibility_s = -1};
    struct answer answer = {.attributes = &found};
    struct buffer text = {0};
    bool ok = read_answer(protocol, body, &text, &answer, err);

    buffer_finish(&text);
    if (!ok) {
        free(found.arn);
        return error_wrap(err, "GetQueueAttributes");
    }
    *attributes = found;
    return true;
}

bool sqs_answer_results(enum aws_protocol protocol, struct buffer *body,
                        struct sqs_results *results, struct error *err)
{
    struct answer answer = {.results = results};
    struct buffer text = {0};
    bool ok;

    *results = (struct sqs_results){0};
    ok = read_answer(protocol, body, &text, &answer, err);
    buffer_finish(&text);
    return ok;
}

bool sqs_answer_is_unknown_operation(const struct aws_reply *reply)
{
    static const char *const codes[] = {
        "InvalidAction", "MissingAction", "UnknownOperation",
        "UnknownOperationException", "UnsupportedOperation"};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (!strcmp(reply->code, codes[i]))
            return true;
    // A router that knows no such action has no error of AWS's form either.
    return (reply->status == 404 || reply->status == 501) && !reply->code[0];
}
