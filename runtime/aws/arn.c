#include "aws/arn.h"

#include "base/error.h"

// The text up to the next colon, which is passed over.
static bool take_field(const char **at, struct bytes *field)
{
    const char *colon = strchr(*at, ':');

    if (!colon)
        return false;
    *field = (struct bytes){*at, (size_t)(colon - *at)};
    *at = colon + 1;
    return true;
}

// aws, aws-cn, aws-us-gov and the closed ones, aws-iso and on.
static bool is_partition(struct bytes partition)
{
    return bytes_equal(partition, BYTES("aws")) ||
           (partition.size > 4 && !memcmp(partition.data, "aws-", 4));
}

bool arn_parse(const char *text, struct arn *arn, struct error *err)
{
    struct arn found = {0};
    struct bytes scheme;
    const char *at = text;
    bool ok = take_field(&at, &scheme) && take_field(&at, &found.partition) &&
              take_field(&at, &found.service) &&
              take_field(&at, &found.region) && take_field(&at, &found.account);

    found.resource = bytes_of(at);
    if (!ok || !bytes_equal(scheme, BYTES("arn")) || !found.service.size ||
        !found.resource.size)
        return error_set(
            err, ERROR_INVALID,
            "\"%s\" is no ARN: arn:aws:SERVICE:REGION:ACCOUNT:NAME", text);
    if (!is_partition(found.partition))
        return error_set(err, ERROR_INVALID,
                         "\"%.*s\" is no partition of AWS: aws, aws-cn or "
                         "aws-us-gov",
                         BYTES_ARGS(found.partition));
    *arn = found;
    return true;
}
