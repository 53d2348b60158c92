#include "cli/local.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/command.h"
#include "local/local.h"

#define PORT 9324
#define THINGS_LIMIT 10000
#define ATTRIBUTES_LIMIT 16

/* What --queue and --stream said, in the order of the command line. */
struct thing {
    bool stream;
    char *text; // owned; taken apart in place
};

struct options {
    struct local_options server;
    char *faults; // owned; all of them, or NULL
    struct thing *things;
    size_t count;
    bool verbose;
};

static bool parse_number(const char *name, const char *text,
                         unsigned long long most, unsigned long long *number,
                         struct error *err)
{
    char *end;

    *number = strtoull(text, &end, 10);
    return (*text >= '0' && *text <= '9' && !*end && *number <= most) ||
           error_set(err, ERROR_INVALID, "--%s takes a number up to %llu", name,
                     most);
}

static bool add_thing(struct options *options, bool stream, const char *text,
                      struct error *err)
{
    if (options->count == THINGS_LIMIT)
        return error_set(err, ERROR_INVALID, "more than %d queues and streams",
                         THINGS_LIMIT);
    options->things = mem_realloc(options->things, options->count + 1,
                                  sizeof(*options->things));
    options->things[options->count++] =
        (struct thing){stream, mem_strdup(text)};
    return true;
}

static void add_faults(struct options *options, const char *text)
{
    char *all =
        mem_printf("%s;%s", options->faults ? options->faults : "", text);

    free(options->faults);
    options->faults = all;
}

static const struct option names[] = {
    {"port", required_argument, NULL, 'p'},
    {"address", required_argument, NULL, 'b'},
    {"region", required_argument, NULL, 'r'},
    {"account", required_argument, NULL, 'a'},
    {"queue", required_argument, NULL, 'q'},
    {"stream", required_argument, NULL, 's'},
    {"fault", required_argument, NULL, 'f'},
    {"seed", required_argument, NULL, 'e'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool set_option(struct options *options, int option, const char *value,
                       struct error *err)
{
    unsigned long long number = 0;

    switch (option) {
    case 'p':
        if (!parse_number("port", value, 65535, &number, err))
            return false;
        options->server.port = (uint16_t)number;
        return true;
    case 'b':
        options->server.address = value;
        return true;
    case 'r':
        options->server.region = value;
        return true;
    case 'a':
        options->server.account = value;
        return true;
    case 'q':
    case 's':
        return add_thing(options, option == 's', value, err);
    case 'f':
        add_faults(options, value);
        return true;
    case 'e':
        if (!parse_number("seed", value, UINT64_MAX, &number, err))
            return false;
        options->server.seed = number;
        return true;
    default:
        options->verbose = true;
        return true;
    }
}

static bool parse(struct options *options, int argc, char **argv, bool *help,
                  struct error *err)
{
    int option;

    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "p:hv", names, NULL)) != -1) {
        if (option == '?')
            return error_set(err, ERROR_INVALID,
                             "unknown or incomplete option "
                             "\"%s\"",
                             argv[optind - 1]);
        *help = *help || option == 'h';
        if (!set_option(options, option, optarg, err))
            return false;
    }
    if (optind < argc)
        return error_set(err, ERROR_INVALID, "unexpected argument \"%s\"",
                         argv[optind]);
    return true;
}

// redrive=DLQ:COUNT, the only attribute that is not SQS's own.
static bool expand_redrive(struct local *local, const struct options *options,
                           const char *value, char **policy, struct error *err)
{
    const char *colon = strchr(value, ':');
    AUTO_FREE char *name =
        colon ? mem_strndup(value, (size_t)(colon - value)) : NULL;

    if (!name || !*name || strspn(colon + 1, "0123456789") == 0)
        return error_set(err, ERROR_INVALID,
                         "redrive takes QUEUE:COUNT, not \"%s\"", value);
    *policy = mem_printf("{\"deadLetterTargetArn\":\"arn:aws:sqs:%s:%s:%s\","
                         "\"maxReceiveCount\":%s}",
                         options->server.region, options->server.account, name,
                         colon + 1);
    return local_create_queue(local, name, err);
}

struct attributes {
    struct local_attribute list[ATTRIBUTES_LIMIT];
    size_t count;
    char *policy; // owned
};

static bool add_attribute(struct local *local, const struct options *options,
                          char *text, struct attributes *all, struct error *err)
{
    char *equals = strchr(text, '=');
    struct local_attribute *attribute = &all->list[all->count];

    if (all->count == ATTRIBUTES_LIMIT)
        return error_set(err, ERROR_INVALID, "more than %d attributes",
                         ATTRIBUTES_LIMIT);
    all->count++;
    *attribute = (struct local_attribute){"FifoQueue", "true"};
    if (!equals)
        return strcmp(text, "fifo") == 0 ||
               error_set(err, ERROR_INVALID,
                         "\"%s\" is neither fifo nor NAME=VALUE", text);
    *equals = '\0';
    *attribute = (struct local_attribute){text, equals + 1};
    if (strcmp(text, "redrive") != 0)
        return true;
    if (!expand_redrive(local, options, equals + 1, &all->policy, err))
        return false;
    *attribute = (struct local_attribute){"RedrivePolicy", all->policy};
    return true;
}

static bool ends_with_fifo(const char *name)
{
    size_t size = strlen(name);

    return size > 5 && strcmp(name + size - 5, ".fifo") == 0;
}

static bool has_fifo(const struct attributes *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->list[i].name, "FifoQueue") == 0)
            return true;
    return false;
}

// NAME[,fifo][,redrive=DLQ:COUNT][,ATTRIBUTE=VALUE]...
static bool create_queue(struct local *local, const struct options *options,
                         char *text, struct error *err)
{
    struct attributes all = {0};
    char *rest, *name = strtok_r(text, ",", &rest), *part;
    bool ok = name || error_set(err, ERROR_INVALID, "a queue without a name");

    while (ok && (part = strtok_r(NULL, ",", &rest)))
        ok = add_attribute(local, options, part, &all, err);
    if (ok && ends_with_fifo(name) && !has_fifo(&all))
        ok = add_attribute(local, options, (char[]){"fifo"}, &all, err);
    ok = ok && local_create_queue_with(local, name, all.list, all.count, err);
    free(all.policy);
    return ok;
}

// NAME[:SHARDS]
static bool create_stream(struct local *local, char *text, struct error *err)
{
    char *colon = strrchr(text, ':');
    unsigned long long shards = 1;

    if (colon &&
        !parse_number("stream NAME:SHARDS", colon + 1, 10000, &shards, err))
        return false;
    if (colon)
        *colon = '\0';
    return local_create_stream(local, text, (unsigned)shards, err);
}

static bool create_all(struct local *local, const struct options *options,
                       struct error *err)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct thing *thing = &options->things[i];
        AUTO_FREE char *given = mem_strdup(thing->text);

        if (!(thing->stream ? create_stream(local, thing->text, err)
                            : create_queue(local, options, thing->text, err)))
            return error_wrap(err, "%s %s", thing->stream ? "stream" : "queue",
                              given);
    }
    return true;
}

static void print_greeting(const struct options *options, uint16_t port)
{
    bool v6 = strchr(options->server.address, ':');

    (void)printf(
        "SQS and Kinesis at http://%s%s%s:%u (region %s, account %s), in "
        "memory.\n\n"
        "  export AWS_ENDPOINT_URL=http://%s%s%s:%u AWS_REGION=%s \\\n"
        "         AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local\n"
        "  aws sqs create-queue --queue-name orders\n\n"
        "AWS CLI before 2.13: add --endpoint-url and AWS_DEFAULT_REGION. "
        "Ctrl-C ends it.\n",
        v6 ? "[" : "", options->server.address, v6 ? "]" : "", port,
        options->server.region, options->server.account, v6 ? "[" : "",
        options->server.address, v6 ? "]" : "", port, options->server.region);
    (void)fflush(stdout);
}

// The signals are blocked before the server's thread starts, so that they come
// here.
static int serve(const struct options *options, struct error *err)
{
    struct local *local;
    sigset_t signals;
    int signal;

    // One thread owns the messages: a heap of its own would grow page by page.
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TOP_PAD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    local = local_start(&options->server, err);
    if (!local)
        return err->code == ERROR_INVALID ? COMMAND_USAGE : COMMAND_UNAVAILABLE;
    if (!create_all(local, options, err)) {
        local_stop(local);
        return COMMAND_USAGE;
    }
    print_greeting(options, local_port(local));
    (void)sigwait(&signals, &signal);
    local_stop(local);
    return COMMAND_OK;
}

static void finish(struct options *options)
{
    for (size_t i = 0; i < options->count; i++)
        free(options->things[i].text);
    free(options->things);
    free(options->faults);
}

int local_main(int argc, char **argv)
{
    struct log_sink sink = {.fd = 2, .level = LOG_LEVEL_INFO};
    struct log log = {.sink = &sink};
    struct options options = {.server = {.port = PORT,
                                         .address = "127.0.0.1",
                                         .region = "us-east-1",
                                         .account = "000000000000",
                                         .log = &log}};
    struct error err = {0};
    bool help = false;
    int code;

    if (!parse(&options, argc, argv, &help, &err))
        code = command_usage("local", "%s", err.message);
    else if (help)
        code = command_help("local");
    else {
        options.server.faults = options.faults;
        sink.level = options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
        code = serve(&options, &err);
        if (code != COMMAND_OK)
            (void)fprintf(stderr, "pollard local: %s\n", err.message);
    }
    finish(&options);
    return code;
}
