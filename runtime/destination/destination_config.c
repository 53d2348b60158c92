#include "destination/destination_config.h"

#include "aws/resource.h"
#include "base/error.h"

static const struct field on_success_fields[] = {
    {"destination",
     FIELD_STRING(struct destination_config, on_success.destination),
     .required = true, .help = "The ARN of an SQS queue or a Kinesis stream."},
    {0},
};

const struct field destination_config_fields[] = {
    {"on_success", FIELD_SECTION(on_success_fields), .beyond_lambda = true,
     .help = "Where the records that the handler emits go. A batch is settled "
             "only after they were accepted there. (Lambda refuses this key on "
             "triggers.)"},
    {"on_failure", FIELD_PLANNED,
     .help = "Where the reports of discarded batches go."},
    {0},
};

void destination_config_check(const struct destination_config *config,
                              const struct schema_map *map,
                              struct problems *problems)
{
    const char *arn = config->on_success.destination;
    enum aws_service service;
    struct bytes name;
    struct error err;

    if (arn && !resource_from_arn(arn, &service, &name, &err))
        schema_complain(map, "on_success.destination", problems, "%s",
                        err.message);
}
