#include <stdio.h>

#include "base/codec.h"
#include "local/input.h"
#include "local/text.h"

struct form {
    struct arena *arena;
    struct input_error *error;
};

static bool fail(struct form *form, const char *what, struct bytes name)
{
    (void)snprintf(form->error->text, sizeof(form->error->text), "%s: %.*s",
                   what, BYTES_ARGS(name));
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// %41 and + undone in place. Stray percent signs stay.
static struct bytes decode(char *text, size_t size)
{
    char *out = text;

    for (size_t i = 0; i < size; i++) {
        int high = i + 2 < size ? hex_digit(text[i + 1]) : -1;
        int low = high < 0 ? -1 : hex_digit(text[i + 2]);

        if (text[i] == '%' && low >= 0) {
            *out++ = (char)(high << 4 | low);
            i += 2;
        } else {
            *out++ = text[i] == '+' ? ' ' : text[i];
        }
    }
    return (struct bytes){text, (size_t)(out - text)};
}

// Takes what stands before the next dot off the path.
static struct bytes next_part(struct bytes *path)
{
    const char *dot = path->size ? memchr(path->data, '.', path->size) : NULL;
    struct bytes part = *path;

    if (!dot) {
        *path = (struct bytes){0};
        return part;
    }
    part.size = (size_t)(dot - path->data);
    *path = (struct bytes){dot + 1, path->size - part.size - 1};
    return part;
}

// Item N of a list, counted from 1; those before it may still be to come.
static void *item_at(struct form *form, struct vector *list, size_t size,
                     struct bytes number)
{
    int64_t n;

    if (!text_to_int(number, &n) || n < 1 || n > INPUT_FORM_LIST_LIMIT)
        return NULL;
    while (list->count < (size_t)n)
        (void)vector_add(list, form->arena, size);
    return (char *)list->items + (size_t)(n - 1) * size;
}

static bool set(struct form *form, const struct input_fields *fields,
                void *base, struct bytes path, struct bytes value);

static bool set_int(struct form *form, struct input_int *number,
                    struct bytes name, struct bytes value)
{
    number->given = true;
    return text_to_int(value, &number->value) ||
           fail(form, "not a number", name);
}

static bool set_blob(struct form *form, struct bytes *data, struct bytes name,
                     struct bytes value)
{
    char *copy = arena_copy(form->arena, value);

    data->data = copy;
    return codec_base64_decode(value, copy, &data->size) ||
           fail(form, "not base64", name);
}

static bool set_pair(struct input_pair *pair, struct bytes part,
                     struct bytes value)
{
    if (bytes_equal(part, BYTES("Value")))
        pair->value = value;
    else if (bytes_equal(part, BYTES("Name")) ||
             bytes_equal(part, BYTES("Key")))
        pair->name = value;
    return true;
}

static bool set_named(struct form *form, const struct input_fields *nested,
                      void *object, struct bytes path, struct bytes value)
{
    struct bytes part = next_part(&path);

    if (bytes_equal(part, BYTES("Name")))
        *(struct bytes *)object = value;
    else if (bytes_equal(part, BYTES("Value")))
        return set(form, nested, object, path, value);
    return true;
}

static bool set_item(struct form *form, const struct input_field *field,
                     struct vector *list, struct bytes path, struct bytes value)
{
    size_t size = field->type == INPUT_TEXTS   ? sizeof(struct bytes)
                  : field->type == INPUT_PAIRS ? sizeof(struct input_pair)
                                               : field->nested->size;
    struct bytes number = path.size ? next_part(&path) : BYTES("1");
    void *item = item_at(form, list, size, number);

    if (!item)
        return fail(form, "no place in a list", number);
    if (field->type == INPUT_TEXTS) {
        *(struct bytes *)item = value;
        return true;
    }
    if (field->type == INPUT_PAIRS)
        return set_pair(item, path, value);
    if (field->type == INPUT_NAMED)
        return set_named(form, field->nested, item, path, value);
    return set(form, field->nested, item, path, value);
}

static bool set(struct form *form, const struct input_fields *fields,
                void *base, struct bytes path, struct bytes value)
{
    struct bytes name = next_part(&path);
    const struct input_field *field = input_find(fields, name, true);
    void *at = field ? (char *)base + field->offset : NULL;

    if (!field)
        return true;
    switch (field->type) {
    case INPUT_TEXT:
        *(struct bytes *)at = value;
        return true;
    case INPUT_INT:
    case INPUT_TIME:
        return set_int(form, at, name, value);
    case INPUT_BOOL:
        *(bool *)at = bytes_equal(value, BYTES("true"));
        return true;
    case INPUT_BLOB:
        return set_blob(form, at, name, value);
    case INPUT_OBJECT:
        return set(form, field->nested, at, path, value);
    case INPUT_TEXTS:
    case INPUT_PAIRS:
    case INPUT_OBJECTS:
    case INPUT_NAMED:
        return set_item(form, field, at, path, value);
    }
    return false;
}

bool input_read_form(const struct input_fields *fields, struct arena *arena,
                     char *form, size_t size, void *input,
                     struct input_error *error)
{
    struct form in = {arena, error};
    char *at = form, *end = form + size;

    while (at && at < end) {
        char *next = memchr(at, '&', (size_t)(end - at));
        char *stop = next ? next : end;
        char *equals = memchr(at, '=', (size_t)(stop - at));
        char *value = equals ? equals + 1 : stop;

        if (!set(&in, fields, input,
                 decode(at, (size_t)((equals ? equals : stop) - at)),
                 decode(value, (size_t)(stop - value))))
            return false;
        at = next ? next + 1 : NULL;
    }
    return true;
}

struct bytes input_peek_form(struct bytes form, const char *name)
{
    size_t length = strlen(name);
    const char *at = form.data, *end = at ? at + form.size : NULL;

    while (at && at < end) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        const char *stop = next ? next : end;

        if ((size_t)(stop - at) > length && at[length] == '=' &&
            memcmp(at, name, length) == 0)
            return (struct bytes){at + length + 1,
                                  (size_t)(stop - at) - length - 1};
        at = next ? next + 1 : NULL;
    }
    return (struct bytes){0};
}
