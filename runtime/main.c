#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/failed.h"
#include "cli/filter.h"
#include "cli/local.h"
#include "cli/reference.h"
#include "cli/run.h"
#include "cli/send.h"
#include "cli/validate.h"

static int help_main(int argc, char **argv);
static int version_main(int argc, char **argv);

static int schema_main(int argc, char **argv)
{
    return command_plain(argc, argv, reference_write_json_schema);
}

static int reference_main(int argc, char **argv)
{
    return command_plain(argc, argv, reference_write_markdown);
}

const struct command commands[] = {
    {"run", run_main,
     "[-c FILE] [--local] [--log-level LEVEL] [--log-format FORMAT]",
     "Run the triggers of FILE (default: $POLLARD_CONFIG, or pollard.yaml).\n"
     "--local starts the embedded SQS and Kinesis server in the same process,\n"
     "on port 9324 of the loopback, and creates the queues and streams that\n"
     "the triggers name (docs/local.md). LEVEL: debug, info, warn or error.\n"
     "FORMAT: auto, text or json.\n"
     "SIGTERM or SIGINT drains, a second one forces; SIGHUP reads FILE again."},
    {"validate", validate_main, "[-c FILE] [--online]",
     "Check FILE and its handlers, and print every mistake with its place.\n"
     "--online also asks the servers: credentials, queues, streams, timeouts.\n"
     "Exit status 78 when something is wrong."},
    {"send", send_main, "[-c FILE] [--local] [OPTION]... TRIGGER [INPUT|-]",
     "Put messages or records, one a line, where TRIGGER reads them.\n\n"
     "  --local    to the server of `pollard run --local` or `pollard local`\n"
     "  --whole    all of the input is one message, not each line\n"
     "  --delay S  seconds before the messages are visible (queues)\n"
     "  --group G  the message group (FIFO queues, which need it)\n"
     "  --key K    the partition key (streams)\n\n"
     "The input is standard input unless a file is named; empty lines are\n"
     "skipped. Exit status 65 when lines were refused, 75 when trying later "
     "may\n"
     "help."},
    {"failed", failed_main,
     "list [--json] FOLDER... | -c FILE TRIGGER\n"
     "       pollard failed show PATH... | -c FILE TRIGGER\n"
     "       pollard failed replay [-c FILE] [--dry-run] TRIGGER [PATH]...",
     "What a trigger gave up and reported to a folder "
     "(on_failure: file:///...).\n\n"
     "  list    a line a report, by time; --json: an object a line\n"
     "  show    reports as JSON, with their records\n"
     "  replay  runs the records through TRIGGER's handler once more; a "
     "report\n"
     "          is deleted when all of its records were handled, and stays\n"
     "          otherwise; --dry-run only says what would be run\n\n"
     "A TRIGGER stands for all that it reported. replay's FILE is "
     "$POLLARD_CONFIG,\n"
     "or pollard.yaml, where none is given.\n"
     "Exit status 65 when a file is no report, 75 when records failed again."},
    {"filter", filter_main,
     "test [--source SOURCE] [--data|--whole] PATTERN [EVENT]...\n"
     "       pollard filter test [-c FILE] --trigger NAME [--data|--whole] "
     "[EVENT]...",
     "Say which events a pattern, or a trigger's filters, match, and why.\n"
     "docs/filters.md tells what a pattern may say.\n\n"
     "  --source   whose rules hold: sqs, kinesis or dynamodb; event: none's, "
     "the\n"
     "             event as it is. Default: what a record's eventSource says\n"
     "  --trigger  the source and all filters of that trigger\n"
     "  --data     an EVENT holds data alone, a line each, as `pollard send` "
     "takes\n"
     "             it: bodies, or what is within a record\n"
     "  --whole    all of an EVENT is one record's data\n\n"
     "PATTERN and EVENT are JSON when they begin with {, else files, and - is\n"
     "standard input, which is also read when there is no EVENT. An EVENT is "
     "a\n"
     "record, one of Lambda's events with `Records`, or many, one behind "
     "another.\n\n"
     "Exit status 0 when all match, 1 when one does not, 65 when the pattern "
     "or\n"
     "an event is wrong."},
    {"local", local_main, "[OPTION]...",
     "Run the embedded SQS and Kinesis server alone, in memory, on "
     "loopback.\n\n"
     "  -p, --port N          9324; 0: any free one\n"
     "  --address A           127.0.0.1 or ::1\n"
     "  --region R            us-east-1\n"
     "  --account A           000000000000\n"
     "  --queue NAME[,fifo][,redrive=QUEUE:COUNT][,ATTRIBUTE=VALUE]...\n"
     "  --stream NAME[:SHARDS]\n"
     "  --fault FAULT         docs/local.md explains them\n"
     "  --seed N              of the faults' chance\n"
     "  -v, --verbose         log each request\n\n"
     "--queue, --stream and --fault may be given again and again."},
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
    if (argc > 1 && argv[1][0] != '-')
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

static void write_version(FILE *file)
{
    (void)fprintf(file, "pollard %s\n", POLLARD_VERSION);
}

static int version_main(int argc, char **argv)
{
    return command_plain(argc, argv, write_version);
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
    return command_help(name);
}
