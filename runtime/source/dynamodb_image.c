#include "source/dynamodb_image.h"

#include <stdlib.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "record/event.h"

#define KEYS_LIMIT 8 // attributes of a key; DynamoDB has two at the most

// The word or number that comes, as it is written.
static bool put_plain(struct json_read *in, struct buffer *out)
{
    const char *start = in->at;
    bool ok = json_read_skip(in);

    if (ok)
        buffer_append(out, start, (size_t)(in->at - start));
    return ok;
}

static bool put_text(struct json_read *in, struct buffer *out)
{
    struct bytes text;
    bool ok = json_read_string(in, &text);

    if (ok)
        json_put_string(out, text);
    return ok;
}

// Not deeper than json_read goes.
static bool put_value(struct json_read *in, struct buffer *out);

static bool put_object(struct json_read *in, struct buffer *out)
{
    struct bytes name;
    bool later = false;

    if (!json_read_object(in))
        return false;
    buffer_append_char(out, '{');
    for (; json_read_member(in, &name); later = true) {
        if (later)
            buffer_append_char(out, ',');
        json_put_string(out, name);
        buffer_append_char(out, ':');
        if (!put_value(in, out))
            return false;
    }
    buffer_append_char(out, '}');
    return !in->error;
}

static bool put_array(struct json_read *in, struct buffer *out)
{
    bool later = false;

    if (!json_read_array(in))
        return false;
    buffer_append_char(out, '[');
    for (; json_read_element(in); later = true) {
        if (later)
            buffer_append_char(out, ',');
        if (!put_value(in, out))
            return false;
    }
    buffer_append_char(out, ']');
    return !in->error;
}

static bool put_value(struct json_read *in, struct buffer *out)
{
    switch (json_read_peek(in)) {
    case JSON_READ_OBJECT:
        return put_object(in, out);
    case JSON_READ_ARRAY:
        return put_array(in, out);
    case JSON_READ_STRING:
        return put_text(in, out);
    case JSON_READ_NUMBER:
    case JSON_READ_TRUE:
    case JSON_READ_FALSE:
    case JSON_READ_NULL:
        return json_read_peek(in) != JSON_READ_NOTHING && put_plain(in, out);
    case JSON_READ_NOTHING:
        break;
    }
    return false;
}

static void open_raw(struct json_read *in, struct bytes raw)
{
    json_read_init(in, (char *)(uintptr_t)raw.data, raw.size);
}

static bool is_none(struct bytes raw)
{
    return !raw.size || bytes_equal(raw, BYTES("null"));
}

// ,"name":{...} with the comma and the name given as they are written.
static bool put_image(struct buffer *out, struct bytes name, struct bytes raw)
{
    struct json_read in;

    if (is_none(raw))
        return true;
    open_raw(&in, raw);
    buffer_append_bytes(out, name);
    return put_object(&in, out);
}

bool dynamodb_image_put(const struct dynamodb_image *image, struct buffer *out)
{
    buffer_append_text(out, "{\"ApproximateCreationDateTime\":");
    event_put_seconds(out, image->created_ms);
    if (!put_image(out, BYTES(",\"Keys\":"), image->keys) ||
        !put_image(out, BYTES(",\"NewImage\":"), image->new_image) ||
        !put_image(out, BYTES(",\"OldImage\":"), image->old_image))
        return false;
    buffer_append_text(out, ",\"SequenceNumber\":");
    json_put_string(out, image->sequence_number);
    buffer_append_text(out, ",\"SizeBytes\":");
    json_put_int(out, image->size_bytes);
    if (image->view_type.size) {
        buffer_append_text(out, ",\"StreamViewType\":");
        json_put_string(out, image->view_type);
    }
    buffer_append_char(out, '}');
    return true;
}

struct attribute {
    struct bytes name, value; // value: JSON
};

static int compare_names(const void *a, const void *b)
{
    struct bytes x = ((const struct attribute *)a)->name;
    struct bytes y = ((const struct attribute *)b)->name;
    int order = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);

    return order ? order : (x.size > y.size) - (x.size < y.size);
}

static bool read_key(struct json_read *in, struct attribute *key, size_t *count)
{
    struct bytes name;

    *count = 0;
    if (!json_read_object(in))
        return false;
    while (json_read_member(in, &name)) {
        if (*count == KEYS_LIMIT)
            return false;
        key[*count].name = name;
        if (!json_read_raw(in, &key[(*count)++].value))
            return false;
    }
    return !in->error;
}

static bool put_key(char *copy, size_t size, struct buffer *out)
{
    struct attribute key[KEYS_LIMIT];
    struct json_read in;
    size_t count;

    json_read_init(&in, copy, size);
    if (!read_key(&in, key, &count))
        return false;
    qsort(key, count, sizeof(key[0]), compare_names);
    for (size_t i = 0; i < count; i++) {
        buffer_append_char(out, i ? ',' : '{');
        json_put_string(out, key[i].name);
        buffer_append_char(out, ':');
        open_raw(&in, key[i].value);
        if (!put_value(&in, out))
            return false;
    }
    if (count)
        buffer_append_char(out, '}');
    return true;
}

bool dynamodb_image_put_key(const struct dynamodb_image *image,
                            struct buffer *out)
{
    AUTO_FREE char *copy = NULL;

    if (is_none(image->keys))
        return true;
    copy = mem_strndup(image->keys.data, image->keys.size);
    return put_key(copy, image->keys.size, out);
}

void dynamodb_image_put_identity(const struct dynamodb_image *image,
                                 struct buffer *out)
{
    if (!image->has_identity)
        return;
    buffer_append_text(out, "{\"principalId\":");
    json_put_string(out, image->principal_id);
    buffer_append_text(out, ",\"type\":");
    json_put_string(out, image->identity_type);
    buffer_append_char(out, '}');
}
