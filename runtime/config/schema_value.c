#include "config/schema_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "config/schema.h"
#include "config/timestamp.h"
#include "config/yaml.h"

struct unit {
    const char *name; // NULL ends the list
    int64_t factor;
};

// The largest first, as they are shown.
static const struct unit durations[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {0}};
static const struct unit sizes[] = {
    {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {0}};

static bool parse_whole(const char *text, int64_t *number)
{
    const char *digits = text + (*text == '-' || *text == '+');

    if (!*digits || digits[strspn(digits, "0123456789")])
        return false;
    errno = 0;
    *number = strtoll(text, NULL, 10);
    return errno == 0;
}

static bool parse_with_unit(const char *text, const struct unit *unit,
                            int64_t *number)
{
    size_t digits = strspn(text, "0123456789");

    if (!digits)
        return false;
    errno = 0;
    *number = strtoll(text, NULL, 10);
    for (; unit->name; unit++)
        if (!strcmp(unit->name, text + digits))
            return !errno &&
                   !__builtin_mul_overflow(*number, unit->factor, number);
    return false;
}

bool schema_parse_duration(const char *text, int64_t *ms)
{
    return parse_with_unit(text, durations, ms);
}

bool schema_parse_size(const char *text, int64_t *size_bytes)
{
    return parse_with_unit(text, sizes, size_bytes);
}

static bool parse_bool(const char *text, int64_t *number)
{
    static const char *const words[] = {"false", "False", "FALSE",
                                        "true",  "True",  "TRUE"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcmp(text, words[i])) {
            *number = i >= 3;
            return true;
        }
    return false;
}

static bool parse_choice(const struct choice *choice, const char *text,
                         int64_t *number)
{
    for (; choice->name; choice++)
        if (!strcmp(choice->name, text)) {
            *number = choice->value;
            return true;
        }
    return false;
}

static bool parse(const struct field *field, const struct yaml_node *node,
                  int64_t *number)
{
    switch (field->type) {
    case FIELD_TYPE_INT:
        return !node->quoted && parse_whole(node->text, number);
    case FIELD_TYPE_BOOL:
        return !node->quoted && parse_bool(node->text, number);
    case FIELD_TYPE_MS:
        return schema_parse_duration(node->text, number);
    case FIELD_TYPE_SIZE:
        return schema_parse_size(node->text, number);
    case FIELD_TYPE_CHOICE:
        return parse_choice(field->choices, node->text, number);
    case FIELD_TYPE_TIMESTAMP:
        return timestamp_parse(node->text, number);
    case FIELD_TYPE_NONE:
    case FIELD_TYPE_STRING:
    case FIELD_TYPE_PATH:
    case FIELD_TYPE_CHOICES:
    case FIELD_TYPE_JSON:
    case FIELD_TYPE_JSON_TEXT:
    case FIELD_TYPE_SECTION:
    case FIELD_TYPE_LIST:
    case FIELD_TYPE_PLANNED:
    case FIELD_TYPE_MAP:
    case FIELD_TYPE_NAME_OR_SECTION:
        break;
    }
    return false;
}

enum schema_verdict schema_value_number(const struct field *field,
                                        const struct yaml_node *node,
                                        int64_t *number)
{
    int64_t found;

    if (node->type != YAML_SCALAR || !parse(field, node, &found))
        return SCHEMA_MALFORMED;
    if (field->type == FIELD_TYPE_CHOICE && found == CHOICE_PLANNED)
        return SCHEMA_PLANNED;
    if ((field->min || field->max) &&
        (found < field->min || found > field->max))
        return SCHEMA_OUT_OF_RANGE;
    *number = found;
    return SCHEMA_GOOD;
}

const struct yaml_node *schema_value_choices(const struct field *field,
                                             const struct yaml_node *node,
                                             int64_t *set)
{
    int64_t sum = 0, bit;

    if (node->type != YAML_LIST && !yaml_is_null(node))
        return node;
    for (const struct yaml_node *item = node->first; item; item = item->next) {
        if (item->type != YAML_SCALAR ||
            !parse_choice(field->choices, item->text, &bit) || (sum & bit))
            return item;
        sum |= bit;
    }
    *set = sum;
    return NULL;
}

const char *schema_value_kind(const struct field *field)
{
    switch (field->type) {
    case FIELD_TYPE_STRING:
        return "text that is not empty";
    case FIELD_TYPE_PATH:
        return "a path";
    case FIELD_TYPE_INT:
        return "a whole number";
    case FIELD_TYPE_BOOL:
        return "true or false";
    case FIELD_TYPE_MS:
        return "a duration with its unit (500ms, 30s, 5m, 2h)";
    case FIELD_TYPE_SIZE:
        return "a size with its unit (64KiB, 6MiB)";
    case FIELD_TYPE_TIMESTAMP:
        return "a time with its zone (2026-11-22T15:00:00Z) or seconds since "
               "1970";
    case FIELD_TYPE_JSON:
    case FIELD_TYPE_SECTION:
    case FIELD_TYPE_MAP:
        return "a mapping";
    case FIELD_TYPE_JSON_TEXT:
        return "a mapping, or JSON in a string";
    case FIELD_TYPE_LIST:
        return "a list of mappings";
    case FIELD_TYPE_NAME_OR_SECTION:
        return "a name or a mapping";
    case FIELD_TYPE_CHOICES: // told by the range
    case FIELD_TYPE_CHOICE:
    case FIELD_TYPE_NONE:
    case FIELD_TYPE_PLANNED:
        break;
    }
    return "";
}

// In the largest unit that leaves nothing over.
static void put_with_unit(int64_t number, const struct unit *unit,
                          struct buffer *out)
{
    while (number % unit->factor)
        unit++;
    buffer_printf(out, "%lld%s", (long long)(number / unit->factor),
                  unit->name);
}

static void put_number(const struct field *field, int64_t number,
                       struct buffer *out)
{
    if (number && field->type == FIELD_TYPE_MS)
        put_with_unit(number, durations, out);
    else if (number && field->type == FIELD_TYPE_SIZE)
        put_with_unit(number, sizes, out);
    else
        buffer_printf(out, "%lld%s", (long long)number,
                      field->type == FIELD_TYPE_MS ? "s" : "");
}

void schema_format_duration(int64_t ms, char text[SCHEMA_DURATION_SIZE])
{
    const struct field duration = {.type = FIELD_TYPE_MS};
    struct buffer out;

    buffer_init(&out, SCHEMA_DURATION_SIZE - 1);
    put_number(&duration, ms, &out);
    memcpy(text, buffer_text(&out), out.size + 1);
    buffer_finish(&out);
}

// The next that is implemented, or the list's end.
static const struct choice *implemented(const struct choice *choice)
{
    while (choice->name && choice->value == CHOICE_PLANNED)
        choice++;
    return choice;
}

static void put_choices(const struct choice *choice, struct buffer *out)
{
    for (choice = implemented(choice); choice->name;) {
        const struct choice *next = implemented(choice + 1);

        buffer_append_text(out, choice->name);
        if (next->name)
            buffer_append_text(out,
                               implemented(next + 1)->name ? ", " : " or ");
        choice = next;
    }
}

void schema_value_range(const struct field *field, struct buffer *out)
{
    if (field->type == FIELD_TYPE_CHOICES)
        buffer_append_text(out, "a list, each at most once, of ");
    if (field->type == FIELD_TYPE_CHOICE || field->type == FIELD_TYPE_CHOICES)
        put_choices(field->choices, out);
    if (!field->min && !field->max)
        return;
    if (field->type == FIELD_TYPE_LIST) {
        buffer_printf(out, "at most %lld", (long long)field->max);
        return;
    }
    put_number(field, field->min, out);
    if (field->min == field->max)
        return;
    buffer_append_text(out, " to ");
    put_number(field, field->max, out);
}

void schema_value_found(const struct yaml_node *node, struct buffer *out)
{
    int64_t number;

    if (node->type != YAML_SCALAR)
        buffer_append_text(out,
                           node->type == YAML_LIST ? "a list" : "a mapping");
    else if (node->replaced)
        buffer_append_text(out, "what the environment gives");
    else if (yaml_is_null(node))
        buffer_append_text(out, "nothing");
    else if (!node->quoted && parse_whole(node->text, &number))
        buffer_append_text(out, node->text);
    else
        buffer_printf(out, "\"%.60s%s\"", node->text,
                      strlen(node->text) > 60 ? "..." : "");
}
