#include "cli/failed.h"

#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/command_line.h"
#include "cli/failed_inner.h"
#include "supervisor/settings.h"

#define NAME "failed"

struct verb {
    const char *name;
    int (*act)(const struct failed_arguments *arguments);
    bool is_replay; // runs a trigger's handler, so there must be one
};

static const struct verb verbs[] = {{"list", failed_do_list, false},
                                    {"show", failed_do_show, false},
                                    {"replay", failed_do_replay, true},
                                    {0}};

static const struct verb *find_verb(const char *name)
{
    for (const struct verb *verb = verbs; verb->name; verb++)
        if (!strcmp(verb->name, name))
            return verb;
    return NULL;
}

struct failed_options {
    const char *config;
    bool json, dry_run;
};

static const struct command_option failed_option_rows[] = {
    {"config", 'c', COMMAND_TEXT(struct failed_options, config)},
    {"json", 0, COMMAND_FLAG(struct failed_options, json)},
    {"dry-run", 'n', COMMAND_FLAG(struct failed_options, dry_run)},
    {0}};

static int parse(int argc, char **argv, const struct verb *verb,
                 struct failed_options *options,
                 struct failed_arguments *arguments)
{
    struct command_words words;
    int status = command_line_read(NAME, argc, argv, failed_option_rows,
                                   options, SIZE_MAX, &words);

    if (status != COMMAND_OK)
        return status;
    if (options->dry_run && !verb->is_replay)
        return command_usage(NAME, "--dry-run is for replay");
    if (options->json && strcmp(verb->name, "list") != 0)
        return command_usage(NAME, "--json is for list");
    *arguments = (struct failed_arguments){.json = options->json,
                                           .dry_run = options->dry_run,
                                           .paths = words.list,
                                           .path_count = words.count};
    return COMMAND_OK;
}

// With a configuration the first name is a trigger's.
static int act_on_trigger(const struct verb *verb, const char *config,
                          struct failed_arguments *arguments)
{
    struct settings *settings;
    int status;

    if (!arguments->path_count)
        return command_usage(NAME, "a trigger's name is missing");
    settings = command_load_settings(config);
    if (!settings)
        return COMMAND_CONFIG;
    arguments->settings = settings;
    arguments->trigger =
        command_find_trigger(NAME, settings, arguments->paths[0]);
    arguments->paths++;
    arguments->path_count--;
    status = arguments->trigger ? verb->act(arguments) : COMMAND_USAGE;
    settings_destroy(settings);
    return status;
}

int failed_main(int argc, char **argv)
{
    struct failed_options options = {0};
    struct failed_arguments arguments;
    const struct verb *verb;
    int status;

    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return command_help(NAME);
    verb = argc > 1 ? find_verb(argv[1]) : NULL;
    if (!verb)
        return command_usage(NAME,
                             argc > 1 ? "there is no '%s': list, show or "
                                        "replay"
                                      : "list, show or replay is missing",
                             argc > 1 ? argv[1] : "");
    status = parse(argc - 1, argv + 1, verb, &options, &arguments);
    if (status != COMMAND_OK)
        return status;
    if (!options.config && verb->is_replay)
        options.config = command_default_config();
    if (options.config)
        return act_on_trigger(verb, options.config, &arguments);
    if (!arguments.path_count)
        return command_usage(NAME, "a folder is missing, or -c FILE TRIGGER");
    return verb->act(&arguments);
}
