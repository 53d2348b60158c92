#include "aws/sqs_queue.h"

#include <stdlib.h>
#include <string.h>

#include "aws/arn.h"
#include "aws/aws_config.h"
#include "aws/sqs_answer.h"
#include "aws/sqs_request.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#define BODY_LIMIT (64u * 1024)
#define BACKOFF_BASE_MS 100
#define MISSING_BASE_MS 1000
#define BACKOFF_MAXIMUM_MS 20000
#define SAY_AGAIN_MS 60000

enum step { STEP_URL, STEP_ATTRIBUTES, STEP_FOUND };

struct sqs_queue {
    // Set by create, never changed.
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed
    struct log log;
    char *name, *account; // owned; NULL: not known
    bool has_given_url, wants_attributes;
    void *owner; // borrowed
    int kind;

    // The owner's thread.
    enum step step;
    struct sqs_queue_facts facts;
    char *url, *path, *arn; // owned; what facts points at
    bool is_decided;        // facts.protocol is more than a first guess
    bool is_account_refused;
    bool is_asking, is_missing;
    int64_t due_ms;
    unsigned attempts; // that failed in a row
    struct log_repeat said;
    struct random random;
    struct error failure;
};

// The part of the URL behind host and port, or NULL.
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");

    return strchr(host ? host + 3 : url, '/');
}

static void set_url(struct sqs_queue *queue, char *url)
{
    const char *path = path_of(url);

    free(queue->url);
    free(queue->path);
    queue->url = url;
    queue->path = mem_strdup(path);
    queue->facts.url = url;
}

// Whom an ARN says the queue belongs to. Caller frees.
static char *account_of(const char *text)
{
    struct error err;
    struct arn arn;

    if (!text || !arn_parse(text, &arn, &err) || !arn.account.size)
        return NULL;
    return mem_strndup(arn.account.data, arn.account.size);
}

struct sqs_queue *sqs_queue_create(const struct sqs_queue_options *options)
{
    struct sqs_queue *queue = mem_calloc(1, sizeof(*queue));

    *queue = (struct sqs_queue){
        .session = options->session,
        .client = options->client,
        .log = *options->log,
        .name = mem_strdup(options->name),
        .account = account_of(options->arn),
        .has_given_url = options->url != NULL,
        .wants_attributes = options->wants_attributes,
        .owner = options->owner,
        .kind = options->kind,
        .facts = {.protocol = AWS_JSON_10, .visibility_s = -1},
        .random = {.state = options->seed}};
    if (options->url)
        set_url(queue, mem_strdup(options->url));
    queue->step = options->url ? STEP_ATTRIBUTES : STEP_URL;
    return queue;
}

void sqs_queue_destroy(struct sqs_queue *queue)
{
    if (!queue)
        return;
    free(queue->name);
    free(queue->account);
    free(queue->url);
    free(queue->path);
    free(queue->arn);
    free(queue);
}

// What is configured, or what another queue of the endpoint has found out.
static void use_known_protocol(struct sqs_queue *queue)
{
    int protocol = aws_session_sqs_protocol(queue->session);

    if (queue->is_decided || protocol == AWS_SQS_AUTO)
        return;
    queue->facts.protocol = protocol == AWS_SQS_QUERY ? AWS_QUERY : AWS_JSON_10;
    queue->is_decided = true;
}

static void decide_protocol(struct sqs_queue *queue)
{
    if (queue->is_decided)
        return;
    queue->is_decided = true;
    aws_session_set_sqs_protocol(
        queue->session,
        queue->facts.protocol == AWS_QUERY ? AWS_SQS_QUERY : AWS_SQS_JSON);
}

static void send_call(struct sqs_queue *queue)
{
    struct aws_request request = {.service = AWS_SQS,
                                  .protocol = queue->facts.protocol,
                                  .owner = queue->owner,
                                  .kind = queue->kind};

    buffer_init(&request.body, BODY_LIMIT);
    if (queue->step == STEP_URL) {
        request.operation = "GetQueueUrl";
        sqs_request_queue_url(request.protocol, queue->name,
                              queue->is_account_refused ? NULL : queue->account,
                              &request.body);
    } else {
        request.operation = "GetQueueAttributes";
        request.path = request.protocol == AWS_QUERY ? queue->path : NULL;
        sqs_request_attributes(request.protocol, queue->url, &request.body);
    }
    queue->is_asking = true;
    aws_client_send(queue->client, &request);
}

void sqs_queue_poll(struct sqs_queue *queue, int64_t now_ms)
{
    if (queue->step != STEP_FOUND && !queue->is_asking &&
        !queue->failure.code && now_ms >= queue->due_ms) {
        use_known_protocol(queue);
        send_call(queue);
    }
}

static bool is_markup(const struct buffer *body)
{
    size_t i = 0;

    while (i < body->size && strchr(" \t\r\n", body->data[i]))
        i++;
    return i < body->size && body->data[i] == '<';
}

// Does this look like the answer of a server that speaks another protocol than
// the one it was asked in? A 5xx says nothing.
static bool is_foreign(const struct aws_reply *reply,
                       enum aws_protocol protocol)
{
    if (reply->ok)
        return is_markup(&reply->body) != (protocol == AWS_QUERY);
    if (reply->status < 200 || reply->status >= 500)
        return false;
    if (sqs_answer_is_unknown_operation(reply) || reply->status == 415)
        return true;
    return protocol == AWS_QUERY ? !reply->code[0] : reply->not_json;
}

static void wait(struct sqs_queue *queue, int64_t base_ms, int64_t now_ms)
{
    queue->due_ms =
        now_ms + base_ms / 2 +
        random_full_jitter_ms(&queue->random, base_ms, BACKOFF_MAXIMUM_MS,
                              queue->attempts++);
}

static void wait_and_say(struct sqs_queue *queue, const struct error *why,
                         int64_t now_ms)
{
    queue->is_missing = why->code == ERROR_NOT_FOUND;
    wait(queue, queue->is_missing ? MISSING_BASE_MS : BACKOFF_BASE_MS, now_ms);
    if (!log_repeat_due(&queue->said, now_ms, SAY_AGAIN_MS))
        return;
    log_warn(&queue->log,
             queue->is_missing ? "sqs.queue_missing" : "sqs.queue_lookup",
             LOG_STR("queue", queue->url ? queue->url : queue->name),
             LOG_INT("repeated", queue->said.suppressed), LOG_ERROR(why));
    queue->said.suppressed = 0;
}

static void found(struct sqs_queue *queue)
{
    queue->step = STEP_FOUND;
    queue->facts.path = queue->facts.protocol == AWS_QUERY ? queue->path : NULL;
    if (queue->is_missing)
        log_info(&queue->log, "sqs.queue_found", LOG_STR("queue", queue->url));
    queue->is_missing = false;
    queue->attempts = 0;
    queue->said = (struct log_repeat){0};
}

static void move_on(struct sqs_queue *queue)
{
    queue->attempts = 0;
    queue->due_ms = 0;
    if (queue->step == STEP_URL && queue->wants_attributes)
        queue->step = STEP_ATTRIBUTES;
    else
        found(queue);
}

static bool read_answer(struct sqs_queue *queue, struct aws_reply *reply,
                        struct error *err)
{
    enum aws_protocol protocol = queue->facts.protocol;
    struct sqs_attributes attributes;
    char *url;

    if (queue->step == STEP_URL) {
        url = sqs_answer_queue_url(protocol, &reply->body, err);
        if (url)
            set_url(queue, url);
        return url != NULL;
    }
    if (!sqs_answer_attributes(protocol, &reply->body, &attributes, err))
        return false;
    // The ARN given out before stays: records point at it.
    if (queue->arn)
        free(attributes.arn);
    else
        queue->arn = attributes.arn;
    queue->facts.arn = queue->arn;
    queue->facts.visibility_s = attributes.visibility_s;
    return true;
}

static void answered(struct sqs_queue *queue, struct aws_reply *reply,
                     int64_t now_ms)
{
    struct error err = {0};

    if (!read_answer(queue, reply, &err)) {
        wait_and_say(queue, &err, now_ms);
        return;
    }
    decide_protocol(queue);
    move_on(queue);
}

// An owner's id is refused by some servers, whatever it says.
static bool tries_without_account(struct sqs_queue *queue)
{
    if (queue->step != STEP_URL || !queue->account)
        return false;
    queue->is_account_refused = !queue->is_account_refused;
    return queue->is_account_refused;
}

// The attributes are good to know, but receiving needs none of them.
static void go_without_attributes(struct sqs_queue *queue,
                                  const struct error *why)
{
    log_warn(&queue->log, "sqs.queue_attributes", LOG_STR("queue", queue->url),
             LOG_ERROR(why));
    move_on(queue);
}

static void failed(struct sqs_queue *queue, const struct aws_reply *reply,
                   int64_t now_ms)
{
    enum error_code code = reply->error.code;

    if (code == ERROR_THROTTLED || code == ERROR_TRANSIENT ||
        code == ERROR_LOST)
        wait_and_say(queue, &reply->error, now_ms);
    else if (tries_without_account(queue))
        queue->due_ms = 0;
    else if (code == ERROR_NOT_FOUND)
        wait_and_say(queue, &reply->error, now_ms);
    else if (queue->step == STEP_ATTRIBUTES)
        go_without_attributes(queue, &reply->error);
    else
        queue->failure = reply->error;
}

// JSON first, then Query; when neither is understood it may be another server
// that answers for now (a proxy's error page), so all begins again, later.
static void try_other_protocol(struct sqs_queue *queue,
                               const struct aws_reply *reply, int64_t now_ms)
{
    bool was_query = queue->facts.protocol == AWS_QUERY;
    struct error err = reply->error;

    queue->facts.protocol = was_query ? AWS_JSON_10 : AWS_QUERY;
    queue->due_ms = 0;
    if (!was_query)
        return;
    if (reply->ok)
        error_set(&err, ERROR_TRANSIENT,
                  "the server answers neither JSON nor XML of SQS");
    err.code = ERROR_TRANSIENT;
    wait_and_say(queue, &err, now_ms);
}

void sqs_queue_reply(struct sqs_queue *queue, struct aws_reply *reply,
                     int64_t now_ms)
{
    queue->is_asking = false;
    if (!reply->ok && reply->error.code == ERROR_STOPPED)
        return;
    if (!queue->is_decided && is_foreign(reply, queue->facts.protocol)) {
        try_other_protocol(queue, reply, now_ms);
        return;
    }
    if (reply->ok)
        answered(queue, reply, now_ms);
    else
        failed(queue, reply, now_ms);
}

const struct sqs_queue_facts *sqs_queue_facts(const struct sqs_queue *queue)
{
    return queue->step == STEP_FOUND ? &queue->facts : NULL;
}

void sqs_queue_lost(struct sqs_queue *queue, const struct error *why,
                    int64_t now_ms)
{
    if (queue->step != STEP_FOUND)
        return;
    queue->step = queue->has_given_url ? STEP_ATTRIBUTES : STEP_URL;
    queue->is_account_refused = false;
    wait_and_say(queue, why, now_ms);
}

bool sqs_queue_is_missing(const struct sqs_queue *queue)
{
    return queue->is_missing;
}

const struct error *sqs_queue_failure(const struct sqs_queue *queue)
{
    return queue->failure.code ? &queue->failure : NULL;
}

void sqs_queue_try_again(struct sqs_queue *queue, int64_t now_ms)
{
    struct error why = queue->failure;

    queue->failure = (struct error){0};
    wait_and_say(queue, &why, now_ms);
}

bool sqs_queue_is_asking(const struct sqs_queue *queue)
{
    return queue->is_asking;
}

int64_t sqs_queue_deadline_ms(const struct sqs_queue *queue)
{
    if (queue->step == STEP_FOUND || queue->is_asking || queue->failure.code)
        return CLOCK_NEVER;
    return queue->due_ms;
}
