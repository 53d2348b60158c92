#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/local.h"
#include "cli/reference.h"
#include "cli/run.h"
#include "cli/send.h"
#include "cli/validate.h"

static int help_main(int argc, char **argv);
static int version_main(int argc, char **argv);

static int schema_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    reference_write_json_schema(stdout);
    return ferror(stdout) ? COMMAND_INTERNAL : COMMAND_OK;
}

static int reference_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    reference_write_markdown(stdout);
    return ferror(stdout) ? COMMAND_INTERNAL : COMMAND_OK;
}

const struct command commands[] = {
    {"run", run_main,
     "[-c FILE] [--local] [--log-level LEVEL] [--log-format FORMAT]",
     "Run the triggers of FILE (default: $POLLARD_CONFIG, or pollard.yaml).\n"
     "--local starts the embedded SQS and Kinesis server in the same process\n"
     "and creates the queues and streams that the triggers name.\n"
     "SIGTERM or SIGINT drains, a second one forces; SIGHUP reads FILE again."},
    {"validate", validate_main, "[-c FILE] [--online]",
     "Check FILE and its handlers, and print every mistake with its place.\n"
     "--online also asks the servers: credentials, queues, streams, timeouts.\n"
     "Exit status 78 when something is wrong."},
    {"send", send_main,
     "[-c FILE] [--key KEY] [--group ID] [--delay SECONDS] [--whole]\n"
     "       [--local] TRIGGER [FILE|-]",
     "Put messages or records, one a line, where TRIGGER reads them.\n"
     "--key is the records' partition key (otherwise any shard will do),\n"
     "--group the messages' group in a FIFO queue, --delay holds messages "
     "back.\n"
     "--whole sends the whole input as one, --local to the embedded server of\n"
     "a 'pollard run --local'.\n"
     "Exit status 65 when lines were refused, 75 when trying later may help."},
    {"local", local_main, "[--port N] [--queue NAME]... [--stream NAME:N]...",
     "Run the embedded SQS and Kinesis server alone, in memory, on loopback."},
    {"schema", schema_main, "",
     "Print the JSON Schema of the configuration, for editors."},
    {"reference", reference_main, "",
     "Print the reference of the configuration (docs/triggers.md)."},
    {"help", help_main, "[COMMAND]", "Explain a command."},
    {"version", version_main, "", "Print the version."},
    {0},
};

static int help_main(int argc, char **argv)
{
    if (argc > 1)
        return command_help(argv[1]);
    (void)printf(
        "Usage: pollard COMMAND [OPTION]...\n\n"
        "Polls queues and streams and runs your handlers, as AWS "
        "Lambda's event source\nmappings do, on your own machines.\n\n");
    for (const struct command *command = commands; command->name; command++)
        (void)printf("  %-10s %.*s\n", command->name,
                     (int)strcspn(command->help, "\n"), command->help);
    (void)printf("\n'pollard help COMMAND' tells more.\n");
    return COMMAND_OK;
}

static int version_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)printf("pollard %s\n", POLLARD_VERSION);
    return COMMAND_OK;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    if (!name) {
        (void)help_main(1, argv);
        return COMMAND_USAGE;
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    if (!strcmp(name, "--version"))
        name = "version";
    for (const struct command *command = commands; command->name; command++)
        if (!strcmp(command->name, name))
            return command->main(argc - 1, argv + 1);
    (void)fprintf(stderr,
                  "pollard: there is no command '%s'.\n"
                  "Try 'pollard help'.\n",
                  name);
    return COMMAND_USAGE;
}
