#include "cli/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "aws/transport.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/command_line.h"
#include "cli/run_local.h"
#include "supervisor/settings.h"
#include "supervisor/supervisor.h"

struct run_options {
    const char *config;
    bool local;
    const char *level;
    const char *format;
};

static const struct command_option run_option_rows[] = {
    {"config", 'c', COMMAND_TEXT(struct run_options, config)},
    {"local", 0, COMMAND_FLAG(struct run_options, local)},
    {"log-level", 0, COMMAND_TEXT(struct run_options, level)},
    {"log-format", 0, COMMAND_TEXT(struct run_options, format)},
    {0}};

static int index_of(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

// What the command line says wins over the file, then and after each reload.
static bool override_log(const struct run_options *options,
                         struct log_config *log)
{
    static const char *const levels[] = {"debug", "info", "warn", "error",
                                         NULL};
    static const char *const formats[] = {"auto", "text", "json", NULL};

    if (options->level)
        log->level = index_of(levels, options->level);
    if (options->format)
        log->format = index_of(formats, options->format);
    return log->level >= 0 && log->format >= 0;
}

struct run {
    struct run_options options;
    struct run_local *local; // NULL without --local
};

static bool adjust(void *context, struct settings *settings, struct error *err)
{
    const struct run *run = context;

    (void)override_log(&run->options, &settings->log);
    return !run->local || run_local_adjust(run->local, settings, err);
}

static void open_sink(const struct log_config *config, struct log_sink *sink)
{
    bool text =
        config->format == 1 || (config->format == 0 && isatty(STDERR_FILENO));

    *sink = (struct log_sink){
        .fd = STDERR_FILENO,
        .format = text ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON,
        .level = config->level,
        .payloads = config->payloads,
    };
}

static int run_worker(struct run *run, struct settings *settings)
{
    struct log_sink sink;
    struct error err = {0};
    struct supervisor *supervisor;
    int status;

    open_sink(&settings->log, &sink);
    if (run->options.local) {
        run->local = run_local_start(&sink, &err);
        if (!run->local) {
            settings_destroy(settings);
            goto fail;
        }
    }
    supervisor =
        supervisor_create(&(struct supervisor_options){.settings = settings,
                                                       .sink = &sink,
                                                       .adjust = adjust,
                                                       .context = run},
                          &err);
    if (!supervisor)
        goto fail;
    status = supervisor_run(supervisor);
    if (!supervisor_destroy(supervisor))
        _exit(status); // user code still runs; nothing it uses may be freed
    run_local_stop(run->local);
    return status;

fail:
    (void)fprintf(stderr, "pollard run: %s\n", err.message);
    run_local_stop(run->local);
    return err.code == ERROR_INVALID ? COMMAND_CONFIG : COMMAND_UNAVAILABLE;
}

int run_main(int argc, char **argv)
{
    struct run run = {.options = {.config = command_default_config()}};
    struct command_words words;
    struct settings *settings;
    int status = command_line_read("run", argc, argv, run_option_rows,
                                   &run.options, 0, &words);

    if (status != COMMAND_OK)
        return status;
    supervisor_block_signals();
    settings = command_load_settings(run.options.config);
    if (!settings)
        return COMMAND_CONFIG;
    if (!override_log(&run.options, &settings->log)) {
        settings_destroy(settings);
        return command_usage("run", "--log-level is debug, info, warn or "
                                    "error; --log-format is auto, text or "
                                    "json");
    }
    transport_global_init();
    status = run_worker(&run, settings);
    curl_global_cleanup();
    return status;
}
