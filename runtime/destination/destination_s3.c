#include <stdlib.h>

#include "aws/endpoint.h"
#include "base/error.h"
#include "base/mem.h"
#include "destination/destination_inner.h"
#include "record/emission.h"

struct destination_s3 {
    struct destination base; // first
    char *bucket;            // owned
};

static struct destination_s3 *s3_of(struct destination *destination)
{
    return (struct destination_s3 *)destination;
}

static bool s3_open(struct destination *destination, struct bytes name,
                    const struct destination_options *options,
                    struct outbox_limits *limits, struct error *err)
{
    (void)options;
    (void)limits;
    (void)err;
    s3_of(destination)->bucket = mem_strndup(name.data, name.size);
    return true;
}

// AWS wants the bucket in the host's name, which its certificates allow where
// it has no dot; other servers seldom know the name.
static void put_base(const char *bucket, const char *endpoint,
                     struct buffer *url)
{
    struct endpoint parts;
    struct error err;
    bool in_host = false;

    if (endpoint_parse(endpoint, &parts, &err)) {
        in_host = parts.is_aws && !strchr(bucket, '.') && !parts.path[0];
        if (in_host)
            buffer_printf(url, "https://%s.%s/", bucket, parts.host);
        endpoint_finish(&parts);
    }
    if (!in_host)
        buffer_printf(url, "%s/%s/", endpoint, bucket);
}

// Keys are made of what URLs leave alone.
static void s3_write(struct destination *destination, const struct send *send,
                     struct aws_request *request)
{
    const struct emission *emission = send->parcels[0]->emission;
    struct buffer *url = &destination->scratch;

    buffer_clear(url);
    put_base(s3_of(destination)->bucket,
             aws_session_endpoint(destination->session, AWS_S3), url);
    destination_name(send->parcels[0], url);
    request->service = AWS_S3;
    request->protocol = AWS_REST;
    request->operation = "PutObject";
    request->rest =
        (struct aws_rest){.is_put = true,
                          .url = buffer_text(url),
                          .content_type = destination_content_type(emission)};
    buffer_init(&request->body, emission->data.size);
    buffer_append_bytes(&request->body, emission->data);
}

static bool s3_read(const struct send *send, struct buffer *body,
                    struct verdicts *verdicts, struct error *err)
{
    (void)body;
    (void)err;
    return destination_all_accepted(send, verdicts);
}

static void s3_close(struct destination *destination)
{
    free(s3_of(destination)->bucket);
}

const struct destination_ops destination_s3 = {
    .kind = TARGET_S3,
    .size = sizeof(struct destination_s3),
    .calls = 4,
    .limits = {.parcels = 1, .bytes = SIZE_MAX},
    .open = s3_open,
    .write = s3_write,
    .read = s3_read,
    .close = s3_close,
};
