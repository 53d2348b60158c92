#include "base/json_read.h"
#include "destination/destination_inner.h"
#include "record/emission.h"

// A result may be anything; most are JSON. The reader works in place.
static bool is_json(struct bytes data)
{
    struct json_read in;
    struct buffer copy;
    bool ok;

    buffer_init(&copy, data.size);
    buffer_append_bytes(&copy, data);
    json_read_init(&in, copy.data, copy.size);
    ok = json_read_skip(&in) && json_read_end(&in);
    buffer_finish(&copy);
    return ok;
}

const char *destination_content_type(const struct emission *emission)
{
    // What has a name is a report or an event.
    return emission->name.size || is_json(emission->data)
               ? "application/json"
               : "application/octet-stream";
}

// Tried once a call: the outbox tries again, and what another's server does
// must not use up what AWS's calls may be tried.
static void http_write(struct destination *destination, const struct send *send,
                       struct aws_request *request)
{
    const struct emission *emission = send->parcels[0]->emission;

    request->protocol = AWS_REST;
    request->operation = "POST";
    request->max_attempts = 1;
    request->rest =
        (struct aws_rest){.is_foreign = true,
                          .url = destination->arn,
                          .content_type = destination_content_type(emission)};
    buffer_init(&request->body, emission->data.size);
    buffer_append_bytes(&request->body, emission->data);
}

static bool http_read(const struct send *send, struct buffer *body,
                      struct verdicts *verdicts, struct error *err)
{
    (void)body;
    (void)err;
    return destination_all_accepted(send, verdicts);
}

const struct destination_ops destination_http = {
    .kind = TARGET_HTTP,
    .size = sizeof(struct destination),
    .calls = 4,
    .limits = {.parcels = 1, .bytes = SIZE_MAX},
    .write = http_write,
    .read = http_read,
};
