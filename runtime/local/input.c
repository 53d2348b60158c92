#include "local/input.h"

#include <stdio.h>

#include "base/cbor_read.h"
#include "base/codec.h"
#include "base/json_read.h"

// JSON or CBOR behind the same few calls.
struct reader {
    bool cbor;
    struct json_read json;
    struct cbor_read binary;
    struct arena *arena;
    const char *error; // beyond what the readers find
};

static bool read_object(struct reader *in)
{
    return in->cbor ? cbor_read_map(&in->binary) : json_read_object(&in->json);
}

static bool read_array(struct reader *in)
{
    return in->cbor ? cbor_read_array(&in->binary) : json_read_array(&in->json);
}

static bool read_member(struct reader *in, struct bytes *name)
{
    return in->cbor ? cbor_read_member(&in->binary, name)
                    : json_read_member(&in->json, name);
}

static bool read_element(struct reader *in)
{
    return in->cbor ? cbor_read_element(&in->binary)
                    : json_read_element(&in->json);
}

static bool skip(struct reader *in)
{
    return in->cbor ? cbor_read_skip(&in->binary) : json_read_skip(&in->json);
}

static bool is_null(struct reader *in)
{
    return in->cbor ? cbor_read_peek(&in->binary) == CBOR_READ_NULL
                    : json_read_peek(&in->json) == JSON_READ_NULL;
}

static bool read_text(struct reader *in, struct bytes *text)
{
    return in->cbor ? cbor_read_text(&in->binary, text)
                    : json_read_string(&in->json, text);
}

static bool read_int(struct reader *in, struct input_int *number)
{
    number->given = !is_null(in);
    return in->cbor ? cbor_read_int(&in->binary, &number->value)
                    : json_read_int(&in->json, &number->value);
}

static bool read_time(struct reader *in, struct input_int *time)
{
    time->given = !is_null(in);
    return in->cbor ? cbor_read_time_ms(&in->binary, &time->value)
                    : json_read_seconds_as_ms(&in->json, &time->value);
}

static bool read_bool(struct reader *in, bool *value)
{
    return in->cbor ? cbor_read_bool(&in->binary, value)
                    : json_read_bool(&in->json, value);
}

static bool read_blob(struct reader *in, struct bytes *data)
{
    if (in->cbor)
        return cbor_read_bytes(&in->binary, data);
    if (!json_read_string(&in->json, data))
        return false;
    // Decoded into its own place.
    if (data->data &&
        !codec_base64_decode(
            *data, in->json.start + (data->data - in->json.start), &data->size))
        in->error = "a value is not base64";
    return !in->error;
}

static bool read_fields(struct reader *in, const struct input_fields *fields,
                        void *base);

static bool read_texts(struct reader *in, struct vector *texts)
{
    if (!read_array(in))
        return true;
    while (read_element(in))
        if (!read_text(in, vector_add(texts, in->arena, sizeof(struct bytes))))
            return false;
    return true;
}

static bool read_pairs(struct reader *in, struct vector *pairs)
{
    struct bytes name;

    if (!read_object(in))
        return true;
    while (read_member(in, &name)) {
        struct input_pair *pair = vector_add(pairs, in->arena, sizeof(*pair));

        pair->name = name;
        if (!read_text(in, &pair->value))
            return false;
    }
    return true;
}

static bool read_objects(struct reader *in, const struct input_fields *nested,
                         struct vector *objects)
{
    if (!read_array(in))
        return true;
    while (read_element(in))
        if (!read_fields(in, nested,
                         vector_add(objects, in->arena, nested->size)))
            return false;
    return true;
}

static bool read_named(struct reader *in, const struct input_fields *nested,
                       struct vector *objects)
{
    struct bytes name;

    if (!read_object(in))
        return true;
    while (read_member(in, &name)) {
        struct bytes *object = vector_add(objects, in->arena, nested->size);

        *object = name;
        if (!read_fields(in, nested, object))
            return false;
    }
    return true;
}

static bool read_field(struct reader *in, const struct input_field *field,
                       void *base)
{
    void *at = (char *)base + field->offset;

    switch (field->type) {
    case INPUT_TEXT:
        return read_text(in, at);
    case INPUT_INT:
        return read_int(in, at);
    case INPUT_BOOL:
        return read_bool(in, at);
    case INPUT_BLOB:
        return read_blob(in, at);
    case INPUT_TIME:
        return read_time(in, at);
    case INPUT_TEXTS:
        return read_texts(in, at);
    case INPUT_PAIRS:
        return read_pairs(in, at);
    case INPUT_OBJECT:
        return read_fields(in, field->nested, at);
    case INPUT_OBJECTS:
        return read_objects(in, field->nested, at);
    case INPUT_NAMED:
        return read_named(in, field->nested, at);
    }
    return false;
}

const struct input_field *input_find(const struct input_fields *fields,
                                     struct bytes name, bool query)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct input_field *field = &fields->fields[i];
        const char *known = query && field->query ? field->query : field->name;

        if (strlen(known) == name.size &&
            memcmp(known, name.data, name.size) == 0)
            return field;
    }
    return NULL;
}

static bool read_fields(struct reader *in, const struct input_fields *fields,
                        void *base)
{
    struct bytes name;

    if (!read_object(in))
        return true;
    while (read_member(in, &name)) {
        const struct input_field *field = input_find(fields, name, false);

        if (!(field ? read_field(in, field, base) : skip(in)))
            return false;
    }
    return true;
}

static bool finish(struct reader *in, struct input_error *error)
{
    const char *reason = in->error;

    if (in->cbor && !cbor_read_end(&in->binary) && !reason)
        reason = in->binary.error;
    if (!in->cbor && !json_read_end(&in->json) && !reason)
        reason = in->json.error;
    if (!reason)
        return true;
    (void)snprintf(
        error->text, sizeof(error->text), "%s, near byte %zu", reason,
        in->cbor ? cbor_read_offset(&in->binary) : json_read_offset(&in->json));
    return false;
}

// An empty body is an empty object: some clients send it so.
bool input_read_json(const struct input_fields *fields, struct arena *arena,
                     struct buffer *body, void *input,
                     struct input_error *error)
{
    struct reader in = {.arena = arena};

    if (!body->size)
        return true;
    json_read_init(&in.json, body->data, body->size);
    (void)read_fields(&in, fields, input);
    return finish(&in, error);
}

bool input_read_cbor(const struct input_fields *fields, struct arena *arena,
                     struct buffer *body, void *input,
                     struct input_error *error)
{
    struct reader in = {.cbor = true, .arena = arena};

    if (!body->size)
        return true;
    cbor_read_init(&in.binary, body->data, body->size);
    (void)read_fields(&in, fields, input);
    return finish(&in, error);
}
