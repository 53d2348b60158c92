#include "destination/target.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/arn.h"
#include "aws/resource.h"
#include "base/error.h"
#include "base/mem.h"

#define KINDS                                                                 \
    "the ARN of an SQS queue, an SNS topic or an S3 bucket, file:///folder/ " \
    "or https://..."

static bool begins_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static bool is_made_of(struct bytes name, const char *allowed)
{
    for (size_t i = 0; i < name.size; i++)
        if (!name.data[i] || !strchr(allowed, name.data[i]))
            return false;
    return true;
}

// Between slashes there are names: nothing climbs, nothing is repeated.
static bool has_plain_parts(const char *path)
{
    while (*path == '/') {
        size_t size = strcspn(++path, "/");

        if (!size)
            return !*path; // the slash at the end
        if ((size == 1 && path[0] == '.') ||
            (size == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        path += size;
    }
    return true;
}

static bool from_file(const char *text, struct target *target,
                      struct error *err)
{
    const char *path = text + strlen("file://");

    if (!begins_with(text, "file:///"))
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\" is not absolute: file:///folder/", text);
    if (strchr(path, '%'))
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\": the path is taken as it is written, "
                         "without percent-encoding",
                         text);
    if (!path[1] || !has_plain_parts(path) || strlen(path) >= PATH_MAX / 2)
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\" is no path of a folder: without \".\", "
                         "\"..\", repeated slashes, and not the root",
                         text);
    target->kind = TARGET_FILE;
    target->name = bytes_of(path);
    return true;
}

static bool is_loopback(const char *url)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    bool found;

    (void)curl_url_set(parts, CURLUPART_URL, url, 0);
    (void)curl_url_get(parts, CURLUPART_HOST, &host, 0);
    found = host && (!strcmp(host, "localhost") || !strcmp(host, "[::1]") ||
                     (begins_with(host, "127.") &&
                      is_made_of(bytes_of(host), "0123456789.")));
    curl_free(host);
    curl_url_cleanup(parts);
    return found;
}

static bool from_url(const char *text, struct target *target, struct error *err)
{
    if (!resource_check_url(text, err))
        return false;
    if (begins_with(text, "http://") && !is_loopback(text))
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\": records do not leave the machine "
                         "unencrypted; https://, or http:// to 127.0.0.1",
                         text);
    target->kind = TARGET_HTTP;
    target->name = bytes_of(text);
    return true;
}

static bool from_topic(const char *text, const struct arn *arn,
                       struct target *target, struct error *err)
{
    if (resource_is_fifo(arn->resource))
        return error_set(err, ERROR_INVALID,
                         "\"%s\" is a FIFO topic, which takes no message "
                         "without a group",
                         text);
    if (!arn->region.size || arn->account.size != 12 ||
        !is_made_of(arn->account, "0123456789") || arn->resource.size > 256)
        return error_set(err, ERROR_INVALID,
                         "\"%s\" is no topic: "
                         "arn:aws:sns:REGION:ACCOUNT:TOPIC",
                         text);
    for (size_t i = 0; i < arn->resource.size; i++)
        if (!isalnum((unsigned char)arn->resource.data[i]) &&
            arn->resource.data[i] != '-' && arn->resource.data[i] != '_')
            return error_set(err, ERROR_INVALID,
                             "\"%.*s\" is no name of a topic",
                             BYTES_ARGS(arn->resource));
    target->kind = TARGET_SNS;
    target->name = arn->resource;
    return true;
}

static bool from_bucket(const char *text, const struct arn *arn,
                        struct target *target, struct error *err)
{
    struct bytes name = arn->resource;

    if (arn->region.size || arn->account.size)
        return error_set(err, ERROR_INVALID,
                         "\"%s\" is no bucket: arn:aws:s3:::BUCKET", text);
    if (name.size < 3 || name.size > 63 ||
        !is_made_of(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") ||
        !isalnum((unsigned char)name.data[0]) ||
        !isalnum((unsigned char)name.data[name.size - 1]) ||
        memmem(name.data, name.size, "..", 2))
        return error_set(err, ERROR_INVALID,
                         "\"%.*s\" is no name of a bucket: 3 to 63 lower-case "
                         "letters, digits, '.' and '-'",
                         BYTES_ARGS(name));
    target->kind = TARGET_S3;
    target->name = name;
    return true;
}

static bool from_arn(const char *text, struct target *target, struct error *err)
{
    enum aws_service service;
    struct arn arn;

    if (!arn_parse(text, &arn, err))
        return false;
    if (bytes_equal(arn.service, BYTES("sns")))
        return from_topic(text, &arn, target, err);
    if (bytes_equal(arn.service, BYTES("s3")))
        return from_bucket(text, &arn, target, err);
    if (!bytes_equal(arn.service, BYTES("sqs")) &&
        !bytes_equal(arn.service, BYTES("kinesis")))
        return error_set(err, ERROR_INVALID, "\"%s\" is no destination: " KINDS,
                         text);
    if (!resource_from_arn(text, &service, &target->name, err))
        return false;
    target->kind = service == AWS_SQS ? TARGET_SQS : TARGET_KINESIS;
    return true;
}

bool target_parse(const char *text, struct target *target, struct error *err)
{
    if (begins_with(text, "file:"))
        return from_file(text, target, err);
    if (begins_with(text, "http://") || begins_with(text, "https://"))
        return from_url(text, target, err);
    if (begins_with(text, "kafka://"))
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\": a Kafka topic takes the reports of Kafka "
                         "sources only; " KINDS,
                         text);
    if (begins_with(text, "arn:"))
        return from_arn(text, target, err);
    return error_set(err, ERROR_INVALID, "\"%.200s\" is no destination: " KINDS,
                     strchr(text, '@') ? "..." : text);
}

bool target_check_folder(const char *path, struct error *err)
{
    struct stat status;

    if (stat(path, &status))
        return errno == ENOENT || error_set(err, ERROR_DENIED, "folder %s: %s",
                                            path, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return error_set(err, ERROR_INVALID, "%s is no folder", path);
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return error_set(err, ERROR_INVALID,
                         "folder %s belongs to uid %u, neither to root nor to "
                         "uid %u, which runs pollard",
                         path, status.st_uid, geteuid());
    if (status.st_mode & S_IWOTH)
        return error_set(err, ERROR_INVALID,
                         "everybody may write to folder %s (mode %04o): "
                         "chmod o-w %s",
                         path, status.st_mode & 07777u, path);
    return !access(path, R_OK | W_OK | X_OK) ||
           error_set(err, ERROR_DENIED, "folder %s: %s", path, strerror(errno));
}
