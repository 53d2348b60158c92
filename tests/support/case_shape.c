#include "case_shape.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DUMP (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

// ---- Texts that say only of what kind something is ----

bool case_shape_is_masked(const char *text, const char *mask)
{
    for (; text && *mask; mask++, text++) {
        unsigned char c = (unsigned char)*text;
        bool good = *mask == '0'   ? isdigit(c)
                    : *mask == 'x' ? isdigit(c) || (c >= 'a' && c <= 'f')
                                   : c == (unsigned char)*mask;

        if (!good)
            return false;
    }
    return text && !*text;
}

static bool is_like(const json_t *seen, const char *mask)
{
    return case_shape_is_masked(json_string_value(seen), mask);
}

static bool is_any(const json_t *seen)
{
    return seen != NULL;
}

static bool is_text(const json_t *seen)
{
    return json_string_length(seen) > 0;
}

static bool is_digits(const json_t *seen)
{
    struct bytes text = {json_string_value(seen), json_string_length(seen)};

    return text.size && bytes_are_digits(text);
}

static bool is_hex32(const json_t *seen)
{
    return is_like(seen, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static bool is_uuid(const json_t *seen)
{
    return is_like(seen, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
}

static bool is_time_ms(const json_t *seen)
{
    return is_like(seen, "0000-00-00T00:00:00.000Z");
}

static const struct kind_of_text {
    const char *name;
    bool (*is)(const json_t *seen);
} kinds[] = {
    {"<any>", is_any},     {"<text>", is_text}, {"<digits>", is_digits},
    {"<hex32>", is_hex32}, {"<uuid>", is_uuid}, {"<time ms>", is_time_ms},
};

static const struct kind_of_text *find_kind(const char *text)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!strcmp(kinds[i].name, text))
            return &kinds[i];
    return NULL;
}

// ---- Words ----

/* A new value for "<name argument>", which ends at `end`; NULL: none. */
static json_t *word_of(const char *text, const char *end,
                       const struct case_words *words)
{
    AUTO_FREE char *name = mem_strndup(text + 1, (size_t)(end - text - 1));
    char *argument = strchr(name, ' ');

    if (argument)
        *argument++ = '\0';
    return words->word(words->context, name, argument ? argument : "");
}

static void put_value(const json_t *value, struct buffer *text)
{
    AUTO_FREE char *written =
        json_is_string(value) ? NULL : json_dumps(value, DUMP);

    buffer_append_text(text, written ? written : json_string_value(value));
}

char *case_shape_text(const char *text, const struct case_words *words)
{
    struct buffer made;

    buffer_init(&made, 1 << 20);
    while (*text) {
        const char *end = *text == '<' ? strchr(text, '>') : NULL;
        json_t *value = end ? word_of(text, end, words) : NULL;

        if (value)
            put_value(value, &made);
        else
            buffer_append_char(&made, *text);
        text = value ? end + 1 : text + 1;
        json_decref(value);
    }
    return buffer_detach(&made);
}

/* A text that is one word becomes what that is, whatever its type. */
static json_t *expand(const char *text, const struct case_words *words)
{
    const char *end = *text == '<' ? strchr(text, '>') : NULL;
    json_t *value = end && !end[1] ? word_of(text, end, words) : NULL;
    AUTO_FREE char *whole = value ? NULL : case_shape_text(text, words);

    return value ? value : json_string(whole);
}

// ---- Comparing ----

static char *differs(const char *where, const json_t *wanted,
                     const json_t *seen)
{
    AUTO_FREE char *a = json_dumps(wanted, DUMP);
    AUTO_FREE char *b = json_dumps(seen, DUMP);

    return mem_printf("%s: wanted %s, saw %s", where, a, b ? b : "nothing");
}

static char *compare(const json_t *shape, const json_t *seen,
                     const struct case_words *words, const char *where);

static char *compare_text(const json_t *shape, const json_t *seen,
                          const struct case_words *words, const char *where)
{
    const struct kind_of_text *kind = find_kind(json_string_value(shape));
    char *difference = NULL;
    json_t *wanted;

    if (kind)
        return kind->is(seen) ? NULL : differs(where, shape, seen);
    wanted = expand(json_string_value(shape), words);
    if (!json_equal(wanted, (json_t *)(uintptr_t)seen))
        difference = differs(where, wanted, seen);
    json_decref(wanted);
    return difference;
}

static char *compare_members(const json_t *shape, const json_t *seen,
                             const struct case_words *words, const char *where)
{
    void *a = json_object_iter((json_t *)(uintptr_t)shape);
    void *b = json_object_iter((json_t *)(uintptr_t)seen);
    char *difference = NULL;

    while (a && b && !difference) {
        const char *key = json_object_iter_key(a);
        AUTO_FREE char *within = mem_printf("%s.%s", where, key);

        difference = strcmp(key, json_object_iter_key(b)) != 0
                         ? differs(within, shape, seen)
                         : compare(json_object_iter_value(a),
                                   json_object_iter_value(b), words, within);
        a = json_object_iter_next((json_t *)(uintptr_t)shape, a);
        b = json_object_iter_next((json_t *)(uintptr_t)seen, b);
    }
    if (!difference && (a || b))
        return differs(where, shape, seen);
    return difference;
}

static char *compare_elements(const json_t *shape, const json_t *seen,
                              const struct case_words *words, const char *where)
{
    char *difference = NULL;

    if (json_array_size(shape) != json_array_size(seen))
        return differs(where, shape, seen);
    for (size_t i = 0; i < json_array_size(shape) && !difference; i++) {
        AUTO_FREE char *within = mem_printf("%s[%zu]", where, i);

        difference = compare(json_array_get(shape, i), json_array_get(seen, i),
                             words, within);
    }
    return difference;
}

static char *compare(const json_t *shape, const json_t *seen,
                     const struct case_words *words, const char *where)
{
    if (json_is_string(shape))
        return compare_text(shape, seen, words, where);
    if (json_is_object(shape) && json_is_object(seen))
        return compare_members(shape, seen, words, where);
    if (json_is_array(shape) && json_is_array(seen))
        return compare_elements(shape, seen, words, where);
    return json_equal((json_t *)(uintptr_t)shape, (json_t *)(uintptr_t)seen)
               ? NULL
               : differs(where, shape, seen);
}

char *case_shape_difference(const json_t *shape, struct bytes text,
                            const struct case_words *words)
{
    json_error_t err;
    json_t *seen = json_loadb(text.data, text.size, 0, &err);
    AUTO_FREE char *written = json_dumps(seen, DUMP);
    char *difference;

    if (!written || strlen(written) != text.size ||
        memcmp(written, text.data, text.size) != 0)
        difference =
            mem_printf("not as it would be written: %.*s", BYTES_ARGS(text));
    else
        difference = compare(shape, seen, words, "$");
    json_decref(seen);
    return difference;
}
