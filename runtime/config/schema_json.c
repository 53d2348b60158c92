#include "config/schema_json.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/json_write.h"
#include "config/yaml.h"

static const char digits[] = "0123456789";

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(text, *words))
            return true;
    return false;
}

static bool is_bool(const char *text, bool value)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};

    return is_one_of(text, value ? yes : no);
}

static bool is_special(const char *text)
{
    static const char *const words[] = {".inf", ".Inf", ".INF", ".nan",
                                        ".NaN", ".NAN", NULL};

    return is_one_of(text + (*text == '-' || *text == '+'), words);
}

// 10 by [-+]?[0-9]+, 16 and 8 by their prefix, 0: no integer.
static int integer_base(const char *text)
{
    const char *body = text + (*text == '-' || *text == '+');

    if (*body && !body[strspn(body, digits)])
        return 10;
    if (!strncmp(text, "0x", 2) && text[2] &&
        !text[2 + strspn(text + 2, "0123456789abcdefABCDEF")])
        return 16;
    if (!strncmp(text, "0o", 2) && text[2] &&
        !text[2 + strspn(text + 2, "01234567")])
        return 8;
    return 0;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
static bool is_float(const char *text)
{
    const char *at = text + (*text == '-' || *text == '+');
    size_t whole = strspn(at, digits), fraction = 0;

    at += whole;
    if (*at == '.') {
        fraction = strspn(++at, digits);
        at += fraction;
    }
    if (!whole && !fraction)
        return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        if (!*at)
            return false;
        at += strspn(at, digits);
    }
    return !*at;
}

static json_t *integer(const char *text, int base)
{
    long long number;

    errno = 0;
    number = strtoll(base == 8 ? text + 2 : text, NULL, base);
    return errno ? NULL : json_integer(number);
}

static json_t *plain(const struct yaml_node *node)
{
    const char *text = node->text;
    int base = integer_base(text);

    if (yaml_is_null(node))
        return json_null();
    if (is_bool(text, true) || is_bool(text, false))
        return json_boolean(is_bool(text, true));
    if (base)
        return integer(text, base);
    if (is_special(text))
        return NULL;
    if (is_float(text)) // NULL when it is infinite as a double
        return json_real(strtod(text, NULL));
    return json_string(text);
}

static json_t *collection(const struct yaml_node *node,
                          const struct yaml_node **wrong)
{
    json_t *made = node->type == YAML_MAP ? json_object() : json_array();

    for (const struct yaml_node *child = node->first; child;
         child = child->next) {
        json_t *value = schema_json(child, wrong);

        if (!value) {
            json_decref(made);
            return NULL;
        }
        if (node->type == YAML_MAP)
            json_object_set_new(made, child->key, value);
        else
            json_array_append_new(made, value);
    }
    return made;
}

json_t *schema_json(const struct yaml_node *node,
                    const struct yaml_node **wrong)
{
    json_t *value;

    if (node->type != YAML_SCALAR)
        return collection(node, wrong);
    value = node->quoted ? json_string(node->text) : plain(node);
    if (!value)
        *wrong = node;
    return value;
}

// Text on its way out, and what stands at one byte of it.
struct writer {
    struct buffer *out;
    size_t target;
    int line, column;
};

static void note(struct writer *writer, int line, int column)
{
    if (writer->out->size > writer->target)
        return;
    writer->line = line;
    writer->column = column;
}

// YAML allows what JSON does not: +1, 007, .5 and 1.
static void put_decimal(struct buffer *out, const char *text)
{
    if (*text == '-')
        buffer_append_char(out, '-');
    text += *text == '-' || *text == '+';
    while (*text == '0' && text[1] >= '0' && text[1] <= '9')
        text++;
    if (*text == '.')
        buffer_append_char(out, '0');
    for (; *text; text++) {
        buffer_append_char(out, *text);
        if (*text == '.' && (text[1] < '0' || text[1] > '9'))
            buffer_append_char(out, '0');
    }
}

static void put_plain(struct buffer *out, const struct yaml_node *node)
{
    const char *text = node->text;
    int base = integer_base(text);

    if (yaml_is_null(node))
        buffer_append_text(out, "null");
    else if (is_bool(text, true) || is_bool(text, false))
        buffer_append_text(out, is_bool(text, true) ? "true" : "false");
    else if (base == 10 || is_float(text))
        put_decimal(out, text);
    else if (base && strlen(text) <= 16)
        json_put_int(out, strtoll(base == 8 ? text + 2 : text, NULL, base));
    else if (base || is_special(text))
        buffer_append_text(out, text);
    else
        json_put_string(out, bytes_of(text));
}

static void put_node(struct writer *writer, const struct yaml_node *node);

static void put_children(struct writer *writer, const struct yaml_node *node)
{
    bool is_map = node->type == YAML_MAP;

    buffer_append_char(writer->out, is_map ? '{' : '[');
    for (const struct yaml_node *child = node->first; child;
         child = child->next) {
        if (child != node->first)
            buffer_append_char(writer->out, ',');
        if (is_map) {
            note(writer, child->key_line, child->key_column);
            json_put_string(writer->out, bytes_of(child->key));
            buffer_append_char(writer->out, ':');
        }
        put_node(writer, child);
    }
    buffer_append_char(writer->out, is_map ? '}' : ']');
}

static void put_node(struct writer *writer, const struct yaml_node *node)
{
    note(writer, node->line, node->column);
    if (node->type != YAML_SCALAR)
        put_children(writer, node);
    else if (node->quoted)
        json_put_string(writer->out, bytes_of(node->text));
    else
        put_plain(writer->out, node);
}

void schema_json_text(const struct yaml_node *node, struct buffer *out)
{
    put_node(&(struct writer){.out = out, .target = SIZE_MAX}, node);
}

void schema_json_place(const struct yaml_node *node, size_t offset, int *line,
                       int *column)
{
    struct buffer out;
    struct writer writer = {.out = &out, .target = offset};

    buffer_init(&out, (size_t)64 * 1024);
    put_node(&writer, node);
    *line = writer.line;
    *column = writer.column;
    buffer_finish(&out);
}
