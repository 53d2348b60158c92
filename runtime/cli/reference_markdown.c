#include "cli/reference.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "config/schema.h"
#include "config/schema_name.h"
#include "config/schema_value.h"
#include "supervisor/settings.h"

static const char introduction[] =
    "# The configuration file\n"
    "\n"
    "<!-- Written by `make docs` from the tables that read the file. -->\n"
    "\n"
    "One YAML file says everything. At its heart are **triggers**: a source "
    "(an SQS\n"
    "queue, a Kinesis stream), a handler, and the policy between them. This is "
    "all it\n"
    "takes:\n"
    "\n"
    "```yaml\n"
    "version: 1\n"
    "triggers:\n"
    "  orders:\n"
    "    source: {sqs: {queue: orders}}\n"
    "    handler: {library: ./handlers/orders.so}\n"
    "```\n"
    "\n"
    "`pollard validate -c FILE` reads a file as `pollard run` would and tells "
    "every\n"
    "mistake at once, with file, line, column, the key, what was found and "
    "what is\n"
    "allowed. A wrong file is refused whole; a wrong reload changes nothing. "
    "`pollard\n"
    "schema` prints a JSON Schema for editors.\n"
    "\n"
    "## How values are written\n"
    "\n"
    "- **Names.** Every parameter of a Lambda event source mapping keeps its "
    "AWS name\n"
    "  in snake_case, with its default, range and meaning, so AWS's "
    "documentation is\n"
    "  ours. The AWS spelling (`BatchSize`) is another name of the same key, "
    "for every\n"
    "  key of the file. `EventSourceArn` stands within `Source`. A key given\n"
    "  in both spellings, or twice, is an error.\n"
    "- **Unknown keys are errors**, and so are keys that Lambda knows and this "
    "version\n"
    "  does not: nothing is ignored silently.\n"
    "- **Durations** carry their unit: `500ms`, `30s`, `5m`, `2h`, unless the "
    "AWS name\n"
    "  says it (`..._in_seconds`). **Sizes** do too: `64KiB`, `6MiB`.\n"
    "- **YAML 1.2**: `true` and `false` are the only booleans, `yes` is text. "
    "What is\n"
    "  quoted is text.\n"
    "- **Paths** that do not begin with `/` begin at the folder of this file.\n"
    "- **Variables.** Within values, `${NAME}` is replaced from the "
    "environment,\n"
    "  `${NAME:-default}` has a default for a variable that is unset or empty, "
    "and `$$`\n"
    "  is a dollar. An unset variable without default is an error. `key: "
    "${NAME:-}`\n"
    "  that comes out empty leaves its key out. Within `[]` and `{}`, YAML "
    "wants\n"
    "  `\"${NAME}\"` in quotes.\n"
    "- **Bounds**: 1 MiB of file, 32 levels, 100,000 values with aliases "
    "expanded, 64\n"
    "  KiB a value. One document, UTF-8.\n"
    "\n";

static const char queue_examples[] =
    "## Examples\n"
    "\n"
    "A queue of small jobs, 100 at a time or what one second brings, at most "
    "four\n"
    "batches at once; what fails comes back after a growing, jittered delay "
    "instead of\n"
    "the queue's visibility timeout:\n"
    "\n"
    "```yaml\n"
    "version: 1\n"
    "triggers:\n"
    "  thumbnails:\n"
    "    source: {arn: \"arn:aws:sqs:eu-west-1:123456789012:thumbnails\"}\n"
    "    handler:\n"
    "      library: /usr/local/lib/pollard/handlers/thumbnails.so\n"
    "      timeout: 30s\n"
    "      settings: {bucket: thumbnails, sizes: [64, 256]}\n"
    "    batch_size: 100\n"
    "    maximum_batching_window_in_seconds: 1\n"
    "    scaling_config: {maximum_concurrency: 4}\n"
    "    visibility_timeout: 2m\n"
    "    retry_backoff: {base: 2s, maximum: 10m}\n"
    "```\n"
    "\n"
    "The same trigger in AWS's spelling, as it may be copied from a template:\n"
    "\n"
    "```yaml\n"
    "version: 1\n"
    "triggers:\n"
    "  thumbnails:\n"
    "    Source: {EventSourceArn: "
    "\"arn:aws:sqs:eu-west-1:123456789012:thumbnails\"}\n"
    "    Handler: {Library: /usr/local/lib/pollard/handlers/thumbnails.so}\n"
    "    BatchSize: 100\n"
    "    MaximumBatchingWindowInSeconds: 1\n"
    "    ScalingConfig: {MaximumConcurrency: 4}\n"
    "```\n"
    "\n"
    "Work that takes long, from a FIFO queue: one batch at a time, whose "
    "messages stay\n"
    "hidden while it runs, however long that is:\n"
    "\n"
    "```yaml\n"
    "version: 1\n"
    "triggers:\n"
    "  reports:\n"
    "    source: {sqs: {queue: reports.fifo}}\n"
    "    handler: {library: ./handlers/reports.so, timeout: 15m}\n"
    "    batch_size: 1\n"
    "    scaling_config: {maximum_concurrency: 1}\n"
    "    visibility_timeout: 1m\n"
    "    visibility_heartbeat: true\n"
    "```\n"
    "\n";

static const char stream_examples[] =
    "One stream, read twice: each trigger has checkpoints of its own. The "
    "first emits\n"
    "its results into another stream, and a batch is checkpointed only after "
    "they were\n"
    "accepted there:\n"
    "\n"
    "```yaml\n"
    "version: 1\n"
    "store:\n"
    "  sqlite: {path: /var/lib/pollard/clicks.db}\n"
    "handlers:\n"
    "  sessions: {library: ./handlers/sessions.so, timeout: 10s}\n"
    "triggers:\n"
    "  sessions:\n"
    "    source: {kinesis: {stream: clicks}}\n"
    "    handler: sessions\n"
    "    starting_position: TRIM_HORIZON\n"
    "    batch_size: 500\n"
    "    destination_config:\n"
    "      on_success: {destination: "
    "\"arn:aws:kinesis:eu-west-1:123456789012:stream/sessions\"}\n"
    "  archive:\n"
    "    source: {kinesis: {stream: clicks}}\n"
    "    handler: {library: ./handlers/archive.so}\n"
    "    starting_position: AT_TIMESTAMP\n"
    "    starting_position_timestamp: 2026-01-01T00:00:00Z\n"
    "    batch_size: 10000\n"
    "    maximum_batching_window_in_seconds: 60\n"
    "```\n"
    "\n"
    "Servers that are not AWS, and what differs between machines from the "
    "environment:\n"
    "\n"
    "```yaml\n"
    "version: 1\n"
    "aws:\n"
    "  region: ${REGION:-us-east-1}\n"
    "  endpoint_urls:\n"
    "    sqs: http://127.0.0.1:9324\n"
    "    kinesis: http://127.0.0.1:4567\n"
    "log: {level: \"${LOG_LEVEL:-info}\", format: json}\n"
    "stop_grace: 25s\n"
    "triggers:\n"
    "  orders:\n"
    "    enabled: true\n"
    "    source: {sqs: {queue_url: "
    "\"http://127.0.0.1:9324/000000000000/orders\"}}\n"
    "    handler: {library: ./handlers/orders.so}\n"
    "```\n";

// A column's worth of what is allowed.
static const char *short_kind(const struct field *field)
{
    switch (field->type) {
    case FIELD_TYPE_STRING:
        return "text";
    case FIELD_TYPE_PATH:
        return "path";
    case FIELD_TYPE_MS:
        return "duration, ";
    case FIELD_TYPE_SIZE:
        return "size, ";
    case FIELD_TYPE_BOOL:
        return "`true` or `false`";
    case FIELD_TYPE_TIMESTAMP:
        return "ISO 8601 with zone, or seconds since 1970";
    case FIELD_TYPE_JSON:
        return "mapping";
    case FIELD_TYPE_JSON_TEXT:
        return "mapping, or JSON in a string";
    case FIELD_TYPE_LIST:
        return "list of mappings, ";
    case FIELD_TYPE_SECTION:
        return field->one_of ? "mapping, exactly one key" : "mapping";
    case FIELD_TYPE_NAME_OR_SECTION:
        return "name or mapping";
    case FIELD_TYPE_MAP:
        return "mapping of names";
    case FIELD_TYPE_CHOICES:
        return "list of ";
    case FIELD_TYPE_INT:
    case FIELD_TYPE_CHOICE:
    case FIELD_TYPE_PLANNED:
    case FIELD_TYPE_NONE:
        break;
    }
    return "";
}

static void write_choices(const struct choice *choice, FILE *out)
{
    const char *comma = "";

    for (; choice->name; choice++) {
        if (choice->value == CHOICE_PLANNED)
            continue;
        (void)fprintf(out, "%s`%s`", comma, choice->name);
        comma = ", ";
    }
}

static void write_allowed(const struct field *field, FILE *out)
{
    struct buffer range;

    if (field->choices) {
        (void)fputs(short_kind(field), out);
        write_choices(field->choices, out);
        return;
    }
    buffer_init(&range, 200);
    schema_value_range(field, &range);
    (void)fprintf(out, "%s%s", short_kind(field), buffer_text(&range));
    buffer_finish(&range);
}

static void write_default(const struct field *field, FILE *out)
{
    if (field->required)
        (void)fputs("**required**", out);
    else if (field->fallback)
        (void)fprintf(out, "`%s`", field->fallback);
    else if (field->type != FIELD_TYPE_SECTION)
        (void)fputs(field->otherwise ? field->otherwise : "none", out);
}

enum kind { AS_IN_LAMBDA, BEYOND_LAMBDA };

struct table {
    FILE *out;
    bool has_alias; // a column with AWS's names
    enum kind kind;
};

static void write_row(const struct table *table, const char *path,
                      const struct field *field)
{
    AUTO_FREE char *alias = schema_name_alias(field);

    (void)fprintf(table->out, "| `%s` | ", path);
    if (table->has_alias)
        (void)fprintf(table->out, "`%s` | ", alias);
    write_allowed(field, table->out);
    (void)fputs(" | ", table->out);
    write_default(field, table->out);
    (void)fprintf(table->out, " | %s |\n", field->help);
}

static void write_rows(const struct table *table, const char *prefix,
                       const struct field *fields, bool beyond);

static void write_item_rows(const struct table *table, const char *path,
                            const struct field *field, bool beyond)
{
    AUTO_FREE char *item = mem_printf("%s[]", path);

    write_rows(table, item, field->fields, beyond);
}

// The rows of a table, and of the sections within, under dotted keys.
static void write_rows(const struct table *table, const char *prefix,
                       const struct field *fields, bool beyond)
{
    for (const struct field *field = fields; field->name; field++) {
        bool is_beyond = beyond || field->beyond_lambda;
        bool is_wanted = is_beyond == (table->kind == BEYOND_LAMBDA);
        AUTO_FREE char *path =
            mem_printf("%s%s%s", prefix, *prefix ? "." : "", field->name);

        if (field->type == FIELD_TYPE_PLANNED)
            continue;
        if (is_wanted)
            write_row(table, path, field);
        if (field->type == FIELD_TYPE_SECTION)
            write_rows(table, path, field->fields, is_beyond);
        if (field->type == FIELD_TYPE_LIST)
            write_item_rows(table, path, field, is_beyond);
    }
}

static void write_table(const struct table *table, const struct field *fields)
{
    (void)fprintf(table->out,
                  "| key |%s allowed | default | meaning |\n"
                  "| --- |%s --- | --- | --- |\n",
                  table->has_alias ? " AWS |" : "",
                  table->has_alias ? " --- |" : "");
    write_rows(table, "", fields, false);
    (void)fputc('\n', table->out);
}

static const struct field *find(const char *name)
{
    const struct field *field = settings_fields;

    while (strcmp(field->name, name) != 0)
        field++;
    return field;
}

static void write_section(const char *name, const char *title, FILE *out)
{
    const struct field *field = find(name);

    (void)fprintf(out, "## %s\n\n%s\n\n", title, field->help);
    write_table(&(struct table){.out = out}, field->fields);
}

// Keys of the top that are values themselves.
static void write_top(FILE *out)
{
    const struct table table = {.out = out};

    (void)fputs("## Top level\n\n"
                "| key | allowed | default | meaning |\n"
                "| --- | --- | --- | --- |\n",
                out);
    for (const struct field *field = settings_fields; field->name; field++)
        if (!field->fields && field->type != FIELD_TYPE_PLANNED)
            write_row(&table, field->name, field);
    (void)fputs("| `aws`, `store`, `log`, `handlers`, `triggers` | sections | "
                "| see below |\n\n",
                out);
}

static void write_triggers(FILE *out)
{
    const struct field *triggers = find("triggers");

    (void)fprintf(out, "## triggers.NAME\n\n%s\n\n### As in Lambda\n\n",
                  triggers->help);
    write_table(&(struct table){out, true, AS_IN_LAMBDA}, triggers->fields);
    (void)fputs("### Beyond Lambda\n\n", out);
    write_table(&(struct table){out, true, BEYOND_LAMBDA}, triggers->fields);
}

static void write_planned_choices(const char *path, const struct choice *choice,
                                  FILE *out)
{
    for (; choice && choice->name; choice++)
        if (choice->value == CHOICE_PLANNED)
            (void)fprintf(out, "| `%s: %s` | This value. |\n", path,
                          choice->name);
}

static void write_planned(const char *prefix, const struct field *fields,
                          FILE *out)
{
    for (; fields->name; fields++) {
        AUTO_FREE char *path =
            mem_printf("%s%s%s", prefix, *prefix ? "." : "", fields->name);

        write_planned_choices(path, fields->choices, out);
        if (fields->type == FIELD_TYPE_PLANNED)
            (void)fprintf(out, "| `%s` | %s |\n", path, fields->help);
        else if (fields->fields && fields->type != FIELD_TYPE_NAME_OR_SECTION)
            write_planned(path, fields->fields, out);
    }
}

void reference_write_markdown(FILE *out)
{
    (void)fputs(introduction, out);
    write_top(out);
    write_triggers(out);
    write_section("handlers", "handlers.NAME", out);
    write_section("aws", "aws", out);
    write_section("store", "store", out);
    write_section("log", "log", out);
    (void)fputs("## Not implemented yet\n\n"
                "These keys are known and refused by name.\n\n"
                "| key | meaning |\n| --- | --- |\n",
                out);
    write_planned("", settings_fields, out);
    (void)fputc('\n', out);
    (void)fputs(queue_examples, out);
    (void)fputs(stream_examples, out);
}
