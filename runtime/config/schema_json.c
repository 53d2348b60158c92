#include "config/schema_json.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

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
