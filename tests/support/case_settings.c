#include "case_settings.h"

#include <string.h>

#include "base/mem.h"
#include "case_world.h"
#include "test.h"

static const struct case_kind kinds[] = {
    {"sqs",
     "sqs: {queue: q}",
     true,
     false,
     {RECORD_SQS, "arn:aws:sqs:us-east-1:000000000000:q", "us-east-1", NULL,
      NULL}},
    {"fifo",
     "sqs: {queue: q.fifo}",
     true,
     true,
     {RECORD_SQS, "arn:aws:sqs:us-east-1:000000000000:q.fifo", "us-east-1",
      NULL, NULL}},
    {"kinesis",
     "kinesis: {stream: s}",
     false,
     false,
     {RECORD_KINESIS, "arn:aws:kinesis:us-east-1:000000000000:stream/s",
      "us-east-1", NULL, "arn:aws:iam::000000000000:role/pollard"}},
    {"dynamodb",
     "arn: \"arn:aws:dynamodb:us-east-1:000000000000:table/tab/stream/"
     "2026-01-01T00:00:00.000\"",
     false,
     false,
     {RECORD_DYNAMODB,
      "arn:aws:dynamodb:us-east-1:000000000000:table/tab/stream/"
      "2026-01-01T00:00:00.000",
      "us-east-1", NULL, NULL}},
};

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const struct case_kind *case_kind_of(const json_t *spec)
{
    const char *name = text_of(spec, "source");

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (name && !strcmp(kinds[i].name, name))
            return &kinds[i];
    fail_msg("%s: no source \"%s\"", text_of(spec, "name"), name);
    return NULL;
}

/* The text with the first mark replaced; takes it over. Caller frees. */
static char *with_mark(char *text, const char *mark, const char *meaning)
{
    char *at = strstr(text, mark), *whole;

    if (!at)
        return text;
    whole = mem_printf("%.*s%s%s", (int)(at - text), text, meaning,
                       at + strlen(mark));
    free(text);
    return whole;
}

/* "$at MS" is a time after the start, in seconds; "$failed" the ARN of a queue,
 * "$bucket" that of a bucket. Caller frees. */
static char *setting_text(const json_t *value)
{
    const char *text = json_string_value(value);
    char *made;

    if (text && !strncmp(text, "$at ", 4))
        return mem_printf("%.3f",
                          (double)(CASE_WALL_MS + atoll(text + 4)) / 1000);
    made = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    made =
        with_mark(made, "$failed", "arn:aws:sqs:us-east-1:000000000000:failed");
    return with_mark(made, "$bucket", "arn:aws:s3:::failed");
}

/* JSON is YAML, so the case's settings go into the file as they are. */
static void put_settings(const json_t *settings, struct buffer *text)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)settings, key, value)
    {
        AUTO_FREE char *written = setting_text(value);

        buffer_printf(text, "    %s: %s\n", key, written);
    }
}

/* A handler in place, or the name that the case gives it. */
static void put_handler(const json_t *spec, struct buffer *text)
{
    const char *timeout = text_of(spec, "handler_timeout");
    const char *name = text_of(spec, "handler_name");

    if (name)
        buffer_printf(text, "    handler: %s\n", name);
    else
        buffer_printf(text, "    handler: {library: a.so, timeout: %s}\n",
                      timeout ? timeout : "1s");
}

/* The kind's, or what the case gives: "" is none. */
static void put_source(const json_t *spec, const struct case_kind *kind,
                       struct buffer *text)
{
    const char *given = text_of(spec, "source_text");

    if (!given || *given)
        buffer_printf(text, "    source: {%s}\n", given ? given : kind->source);
}

/* The case's, with what its restart changes. */
static json_t *settings_of(const json_t *spec, int life)
{
    json_t *settings = json_copy(json_object_get(spec, "settings"));

    if (life > 1)
        json_object_update(settings, json_object_get(spec, "restart"));
    return settings;
}

char *case_settings_text(const json_t *spec, int life)
{
    const struct case_kind *kind = case_kind_of(spec);
    json_t *settings = settings_of(spec, life);
    struct buffer text;

    buffer_init(&text, 1 << 20);
    buffer_append_text(&text, "version: 1\ntriggers:\n  t:\n");
    put_source(spec, kind, &text);
    put_handler(spec, &text);
    if (!kind->is_queue && !json_is_true(json_object_get(spec, "no_start")) &&
        !json_object_get(settings, "starting_position"))
        buffer_append_text(&text, "    starting_position: TRIM_HORIZON\n");
    put_settings(settings, &text);
    assert_true(buffer_ok(&text));
    json_decref(settings);
    return buffer_detach(&text);
}
