#include "cli/run_local.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "destination/target.h"
#include "local/local.h"
#include "supervisor/settings.h"

#define STREAM_SHARDS 2
#define WAIT_SECONDS 1 // costs nothing here, and lets Ctrl-C be quick

struct run_local {
    struct local *server; // owned
    struct log log;
};

typedef bool create_queue_fn(struct run_local *local, const char *name,
                             struct error *err);

struct run_local *run_local_start(const struct log_sink *sink,
                                  struct error *err)
{
    struct run_local *local = mem_calloc(1, sizeof(*local));

    // The server takes any credentials, but wants to see some. Set before any
    // thread exists.
    (void)setenv("AWS_ACCESS_KEY_ID", "local", 0);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "local", 0);
    local->log.sink = sink;
    local->server = local_start(&(struct local_options){.port = RUN_LOCAL_PORT,
                                                        .address = "127.0.0.1",
                                                        .log = &local->log},
                                err);
    if (local->server)
        return local;
    free(local);
    error_wrap(err, "the embedded server");
    return NULL;
}

static void replace(char **text, char *value)
{
    free(*text);
    *text = value;
}

// A queue as production has it: what fails three times ends in NAME-dead.
static bool create_queue(struct run_local *local, const char *name,
                         struct error *err)
{
    size_t size = strlen(name);
    bool fifo = size > 5 && !strcmp(name + size - 5, ".fifo");
    AUTO_FREE char *dead =
        mem_printf("%.*s-dead%s", (int)(fifo ? size - 5 : size), name,
                   fifo ? ".fifo" : "");
    AUTO_FREE char *policy = mem_printf(
        "{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:%s\","
        "\"maxReceiveCount\":3}",
        dead);
    const struct local_attribute attributes[] = {{"RedrivePolicy", policy},
                                                 {"FifoQueue", "true"}};

    return local_create_queue(local->server, dead, err) &&
           local_create_queue_with(local->server, name, attributes,
                                   fifo ? 2 : 1, err);
}

// Folders, URLs, topics and buckets are not the server's, nor is the `delete`
// of on_filtered a destination.
static bool create_destination(struct run_local *local, const char *destination,
                               create_queue_fn *make_queue, struct error *err)
{
    AUTO_FREE char *name = NULL;
    struct target target;
    struct error none;

    if (!destination || !target_parse(destination, &target, &none))
        return true;
    name = mem_strndup(target.name.data, target.name.size);
    if (target.kind == TARGET_SQS)
        return make_queue(local, name, err);
    return target.kind != TARGET_KINESIS ||
           local_create_stream(local->server, name, STREAM_SHARDS, err);
}

static bool create_plain_queue(struct run_local *local, const char *name,
                               struct error *err)
{
    return local_create_queue(local->server, name, err);
}

static bool create_source(struct run_local *local,
                          const struct source_config *source, struct error *err)
{
    if (source->type == SOURCE_TYPE_SQS)
        return create_queue(local, source->name, err);
    if (source->type == SOURCE_TYPE_DYNAMODB)
        return error_set(err, ERROR_INVALID,
                         "table \"%s\": the embedded server has no DynamoDB",
                         source->name);
    return local_create_stream(local->server, source->name, STREAM_SHARDS, err);
}

void run_local_point(struct aws_config *aws, int port)
{
    replace(&aws->endpoint_url, mem_printf("http://127.0.0.1:%d", port));
    replace(&aws->endpoint_urls.sqs, NULL);
    replace(&aws->endpoint_urls.kinesis, NULL);
    replace(&aws->endpoint_urls.sts, NULL);
    if (!aws->region)
        aws->region = mem_strdup("us-east-1");
}

bool run_local_is_there(struct error *err)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(RUN_LOCAL_PORT),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 &&
              !connect(fd, (const struct sockaddr *)&address, sizeof(address));

    if (!ok)
        error_set(err, ERROR_TRANSIENT,
                  "--local: 127.0.0.1 port %d: %s: is `pollard run --local` "
                  "running?",
                  RUN_LOCAL_PORT, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

bool run_local_adjust(struct run_local *local, struct settings *settings,
                      struct error *err)
{
    run_local_point(&settings->aws, local_port(local->server));
    for (size_t i = 0; i < settings->trigger_count; i++) {
        struct trigger_config *trigger = &settings->triggers[i];

        trigger->wait_time_seconds = WAIT_SECONDS;
        if (!create_source(local, &trigger->source, err) ||
            !create_destination(
                local, trigger->destination_config.on_success.destination,
                create_queue, err))
            return error_wrap(err, "the embedded server: triggers.%s",
                              trigger->name);
    }
    // Last: one of these may be a trigger's source, with attributes of its own.
    for (size_t i = 0; i < settings->trigger_count; i++) {
        const struct trigger_config *trigger = &settings->triggers[i];

        if (!create_destination(
                local, trigger->destination_config.on_failure.destination,
                create_plain_queue, err) ||
            !create_destination(local, trigger->on_filtered, create_plain_queue,
                                err))
            return error_wrap(err, "the embedded server: triggers.%s",
                              trigger->name);
    }
    return true;
}

void run_local_stop(struct run_local *local)
{
    if (!local)
        return;
    local_stop(local->server);
    free(local);
}
