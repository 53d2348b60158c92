#include "cli/send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "aws/client.h"
#include "aws/session.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "cli/command.h"
#include "cli/command_line.h"
#include "cli/run_local.h"
#include "cli/send_run.h"
#include "cli/send_target.h"
#include "supervisor/settings.h"

struct send_arguments {
    const char *config, *trigger, *file;
    bool whole, local;
    struct send_options options;
};

static int send_over(struct aws_session *session, const struct log *log,
                     const struct trigger_config *trigger,
                     const struct send_arguments *arguments, FILE *file)
{
    const struct send_target_ops *ops =
        trigger->source.type == SOURCE_TYPE_SQS ? &send_queue : &send_stream;
    struct send_target *target = mem_calloc(1, ops->size);
    int status;

    *target = (struct send_target){
        .ops = ops,
        .source = &trigger->source,
        .options = &arguments->options,
        .session = session,
        .client = aws_client_create(
            &(struct aws_client_options){.session = session,
                                         .clock = clock_system(),
                                         .log = log,
                                         .seed = random_seed()}),
        .log = log,
        .random = {.state = random_seed()}};
    status = send_run(target, file, arguments->whole);
    aws_client_destroy(target->client);
    free(target);
    return status;
}

static int send_to_trigger(const struct settings *settings,
                           const struct trigger_config *trigger,
                           const struct send_arguments *arguments, FILE *file)
{
    struct log_sink sink = {.fd = STDERR_FILENO, .level = LOG_LEVEL_ERROR};
    struct log log = {.sink = &sink};
    struct error err = {0};
    struct aws_session *session;
    int status;

    session = aws_session_create(
        &(struct aws_session_options){
            .config = &settings->aws, .clock = clock_system(), .log = &log},
        &err);
    if (!session) {
        (void)fprintf(stderr, "pollard send: %s\n", err.message);
        return COMMAND_CONFIG;
    }
    status = send_over(session, &log, trigger, arguments, file);
    aws_session_destroy(session);
    return status;
}

static int send_with(struct settings *settings,
                     const struct send_arguments *arguments, FILE *file)
{
    const struct trigger_config *trigger =
        command_find_trigger("send", settings, arguments->trigger);
    struct error err = {0};
    const char *objection;

    if (!trigger)
        return COMMAND_USAGE;
    if (trigger->source.type == SOURCE_TYPE_DYNAMODB)
        return command_usage("send",
                             "'%s' reads a table's stream: put items into the "
                             "table instead",
                             trigger->name);
    objection =
        (trigger->source.type == SOURCE_TYPE_SQS ? send_queue : send_stream)
            .objection(&trigger->source, &arguments->options);
    if (objection)
        return command_usage("send", "%s", objection);
    if (arguments->local && !run_local_is_there(&err)) {
        (void)fprintf(stderr, "pollard send: %s\n", err.message);
        return COMMAND_UNAVAILABLE;
    }
    if (arguments->local)
        run_local_point(&settings->aws, RUN_LOCAL_PORT);
    return send_to_trigger(settings, trigger, arguments, file);
}

static const struct command_option send_option_rows[] = {
    {"config", 'c', COMMAND_TEXT(struct send_arguments, config)},
    {"key", 0, COMMAND_TEXT(struct send_arguments, options.key)},
    {"group", 0, COMMAND_TEXT(struct send_arguments, options.group)},
    {"delay", 0, COMMAND_NUMBER(struct send_arguments, options.delay_s),
     .is = "a number of seconds"},
    {"whole", 0, COMMAND_FLAG(struct send_arguments, whole)},
    {"local", 0, COMMAND_FLAG(struct send_arguments, local)},
    {0}};

static int parse(int argc, char **argv, struct send_arguments *arguments)
{
    struct command_words words;
    int status = command_line_read("send", argc, argv, send_option_rows,
                                   arguments, 2, &words);

    if (status != COMMAND_OK)
        return status;
    if (!words.count)
        return command_usage("send", "a trigger's name is missing");
    arguments->trigger = words.list[0];
    if (words.count > 1)
        arguments->file = words.list[1];
    return COMMAND_OK;
}

static FILE *open_input(const char *path)
{
    FILE *file = strcmp(path, "-") != 0 ? fopen(path, "re") : stdin;

    if (!file)
        (void)fprintf(stderr, "pollard send: %s: %s\n", path, strerror(errno));
    return file;
}

int send_main(int argc, char **argv)
{
    struct send_arguments arguments = {.config = command_default_config(),
                                       .file = "-"};
    int status = parse(argc, argv, &arguments);
    struct settings *settings;
    FILE *file;

    if (status != COMMAND_OK)
        return status;
    settings = command_load_settings(arguments.config);
    if (!settings)
        return COMMAND_CONFIG;
    file = open_input(arguments.file);
    status = COMMAND_NO_INPUT;
    if (file) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        status = send_with(settings, &arguments, file);
        curl_global_cleanup();
    }
    if (file && file != stdin)
        (void)fclose(file);
    settings_destroy(settings);
    return status;
}
