/*
 * input: the parameters of a request, read into a struct by a table of fields,
 * whatever the protocol: JSON, CBOR, or the Query protocol's form.
 *
 * Texts are slices of the request's body, decoded in place. What is not given
 * is zero: a text has data NULL, a number `given` false, a list no items. An
 * explicit null counts as not given, unknown names are passed over.
 *
 * Threads: none.
 */
#ifndef POLLARD_LOCAL_INPUT_H
#define POLLARD_LOCAL_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "local/arena.h"

enum input_type {
    INPUT_TEXT,    // struct bytes
    INPUT_INT,     // struct input_int
    INPUT_BOOL,    // bool
    INPUT_BLOB,    // struct bytes, decoded
    INPUT_TIME,    // struct input_int, milliseconds
    INPUT_TEXTS,   // struct vector of struct bytes
    INPUT_PAIRS,   // struct vector of struct input_pair: a map of texts
    INPUT_OBJECT,  // the nested fields, in place
    INPUT_OBJECTS, // struct vector of the nested struct
    INPUT_NAMED,   // a map of objects: the nested struct begins with its name
};

struct input_int {
    int64_t value;
    bool given;
};

struct input_pair {
    struct bytes name, value;
};

struct input_fields;

struct input_field {
    const char *name;
    const char *query; // NULL: the same as name
    enum input_type type;
    size_t offset;
    const struct input_fields *nested;
};

struct input_fields {
    const struct input_field *fields;
    size_t count;
    size_t size; // of the struct
};

#define INPUT_FIELDS(table_, type_)                                   \
    {                                                                 \
        (table_), sizeof(table_) / sizeof((table_)[0]), sizeof(type_) \
    }

struct input_error {
    char text[160]; // what is wrong, and where
};

/* A list in a form is at most this long. */
#define INPUT_FORM_LIST_LIMIT 1000

bool input_read_json(const struct input_fields *fields, struct arena *arena,
                     struct buffer *body, void *input,
                     struct input_error *error);
bool input_read_cbor(const struct input_fields *fields, struct arena *arena,
                     struct buffer *body, void *input,
                     struct input_error *error);

/* `form` is decoded in place: name=value&name=value. */
bool input_read_form(const struct input_fields *fields, struct arena *arena,
                     char *form, size_t size, void *input,
                     struct input_error *error);

/* One value of a form, by its exact name, before the form is decoded; names and
 * values are those that need no decoding. NULL data when there is none. */
struct bytes input_peek_form(struct bytes form, const char *name);

/* For input_form.c. */
const struct input_field *input_find(const struct input_fields *fields,
                                     struct bytes name, bool query);

#endif
