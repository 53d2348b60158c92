#include "destination/destination_config.h"

#include "base/error.h"
#include "destination/destination.h"
#include "destination/on_failure.h"
#include "destination/target.h"

static const struct field on_success_fields[] = {
    {"destination",
     FIELD_STRING(struct destination_config, on_success.destination),
     .required = true,
     .help = "The ARN of an SQS queue or a Kinesis stream; or what "
             "`on_failure` takes."},
    {0},
};

static const struct field on_failure_fields[] = {
    {"destination",
     FIELD_STRING(struct destination_config, on_failure.destination),
     .or_empty = true,
     .help = "The ARN of an SQS queue, an SNS topic or an S3 bucket; beyond "
             "Lambda also file:///folder/ or https://..., whose URL stands in "
             "the log."},
    {"include_payload",
     FIELD_BOOL(struct destination_config, on_failure.include_payload),
     .fallback = "false", .beyond_lambda = true,
     .help =
         "Send the records themselves to a queue or topic too, as far as "
         "they fit into a message. S3, files and https have them in any case."},
    {0},
};

const struct field destination_config_fields[] = {
    {"on_success", FIELD_SECTION(on_success_fields), .beyond_lambda = true,
     .help = "Where the records that the handler emits go. A batch is settled "
             "only after they were accepted there. (Lambda refuses this key on "
             "triggers.)"},
    {"on_failure", FIELD_SECTION(on_failure_fields),
     .help = "Where the reports of discarded batches go. Streams only: a "
             "queue has its redrive policy."},
    {0},
};

typedef bool check_fn(const char *destination, struct error *err);

// The folder too, where there is one already.
static void check(const char *key, const char *destination, check_fn *is_good,
                  const struct schema_map *map, struct problems *problems)
{
    struct target target;
    struct error err;

    if (!destination)
        return;
    if (!is_good(destination, &err) ||
        !target_parse(destination, &target, &err) ||
        (target.kind == TARGET_FILE &&
         !target_check_folder(target.name.data, &err)))
        schema_complain(map, key, problems, "%s", err.message);
}

void destination_config_check_report(const char *key, const char *destination,
                                     const struct schema_map *map,
                                     struct problems *problems)
{
    check(key, destination, on_failure_check, map, problems);
}

// Lambda lists `OnFailure: {}` where there is none.
static void check_on_failure(const struct destination_config *config,
                             const struct schema_map *map,
                             struct problems *problems)
{
    const char *destination = config->on_failure.destination;

    if (config->on_failure.include_payload && !destination)
        schema_complain(map, "on_failure.include_payload", problems,
                        "means nothing without a destination");
    destination_config_check_report("on_failure.destination", destination, map,
                                    problems);
}

void destination_config_check(const struct destination_config *config,
                              const struct schema_map *map,
                              struct problems *problems)
{
    check("on_success.destination", config->on_success.destination,
          destination_check, map, problems);
    check_on_failure(config, map, problems);
}
