#include "source/kinesis_origin.h"

#include <stdlib.h>
#include <string.h>

#include "aws/session.h"
#include "base/mem.h"
#include "source/kinesis.h"

static const char *partition_of(const char *region)
{
    if (!strncmp(region, "cn-", 3))
        return "aws-cn";
    return strncmp(region, "us-gov-", 7) != 0 ? "aws" : "aws-us-gov";
}

void kinesis_origin_init(struct kinesis_origin *origin,
                         const struct kinesis_options *options)
{
    const char *region = aws_session_region(options->session);
    const char *account = aws_session_account(options->session);
    const char *partition = partition_of(region);

    origin->shard = mem_strdup(options->shard);
    origin->region = mem_strdup(region);
    origin->arn = options->arn
                      ? mem_strdup(options->arn)
                      : mem_printf("arn:%s:kinesis:%s:%s:stream/%s", partition,
                                   region, account, options->stream);
    origin->identity =
        mem_printf("arn:%s:iam::%s:role/pollard", partition, account);
    origin->record = (struct record_origin){.kind = RECORD_KINESIS,
                                            .arn = origin->arn,
                                            .region = origin->region,
                                            .shard = origin->shard,
                                            .identity = origin->identity};
}

void kinesis_origin_finish(struct kinesis_origin *origin)
{
    free(origin->shard);
    free(origin->arn);
    free(origin->region);
    free(origin->identity);
}

bool kinesis_is_aws(const struct kinesis_options *options)
{
    const char *endpoint = aws_session_endpoint(options->session, AWS_KINESIS);

    return strstr(endpoint, ".amazonaws.com") || strstr(endpoint, ".api.aws");
}
