#include "cli/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/error.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/command_line.h"
#include "cli/validate_online.h"
#include "destination/destination.h"
#include "handler/handler.h"
#include "supervisor/settings.h"

static bool complain(const struct settings *settings,
                     const struct trigger_config *trigger, const char *key,
                     const struct error *err)
{
    (void)fprintf(stderr, "%s:%d:%d: triggers.%s.%s: %s\n", settings->path,
                  trigger->line, trigger->column, trigger->name, key,
                  err->message);
    return false;
}

// What `run` would refuse beyond the file itself: libraries and destinations.
static bool check_trigger(const struct settings *settings,
                          const struct trigger_config *trigger,
                          const struct log *log)
{
    const char *arn = trigger->destination_config.on_success.destination;
    struct error err = {0};
    bool ok = true;

    if (!handler_check(&trigger->handler, log, &err))
        ok = complain(settings, trigger, "handler", &err);
    if (arn && !destination_check(arn, &err))
        ok = complain(settings, trigger, "destination_config.on_success", &err);
    return ok;
}

static bool check_all(const struct settings *settings, bool online)
{
    struct log_sink sink = {.fd = STDERR_FILENO, .level = LOG_LEVEL_WARN};
    struct log log = {.sink = &sink};
    bool ok = true;

    for (size_t i = 0; i < settings->trigger_count; i++)
        ok &= check_trigger(settings, &settings->triggers[i], &log);
    if (ok && online) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        ok = validate_online(settings, &log);
        curl_global_cleanup();
    }
    return ok;
}

struct validate_options {
    const char *config;
    bool online;
};

static const struct command_option validate_option_rows[] = {
    {"config", 'c', COMMAND_TEXT(struct validate_options, config)},
    {"online", 0, COMMAND_FLAG(struct validate_options, online)},
    {0}};

int validate_main(int argc, char **argv)
{
    struct validate_options options = {.config = command_default_config()};
    struct command_words words;
    struct settings *settings;
    bool ok;
    int status = command_line_read("validate", argc, argv, validate_option_rows,
                                   &options, 0, &words);

    if (status != COMMAND_OK)
        return status;
    settings = command_load_settings(options.config);
    if (!settings)
        return COMMAND_CONFIG;
    ok = check_all(settings, options.online);
    if (ok)
        (void)printf("%s: good (%zu trigger%s%s)\n", options.config,
                     settings->trigger_count,
                     settings->trigger_count == 1 ? "" : "s",
                     options.online ? ", servers asked" : "");
    settings_destroy(settings);
    return ok ? COMMAND_OK : COMMAND_CONFIG;
}
