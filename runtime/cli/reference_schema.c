#include "cli/reference.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "config/schema.h"
#include "config/schema_name.h"
#include "supervisor/settings.h"

static json_t *variable(void)
{
    return json_pack("{s:s}", "$ref", "#/$defs/variable");
}

// `what`, or ${NAME}, which an editor cannot look into.
static json_t *or_variable(json_t *what)
{
    return json_pack("{s:[o,o]}", "anyOf", what, variable());
}

static json_t *whole_number(const struct field *field)
{
    json_t *number = json_pack("{s:s}", "type", "integer");

    if (field->min || field->max) {
        json_object_set_new(number, "minimum", json_integer(field->min));
        json_object_set_new(number, "maximum", json_integer(field->max));
    }
    return or_variable(number);
}

static json_t *choice_names(const struct choice *choice)
{
    json_t *names = json_array();

    for (; choice->name; choice++)
        if (choice->value != CHOICE_PLANNED)
            json_array_append_new(names, json_string(choice->name));
    return or_variable(json_pack("{s:o}", "enum", names));
}

static json_t *section(json_t *definitions, const char *path,
                       const struct field *field);

static json_t *named_sections(json_t *definitions, const char *path,
                              const struct field *field)
{
    return json_pack("{s:s, s:{s:s}, s:o}", "type", "object", "propertyNames",
                     "pattern", "^[A-Za-z0-9_-]{1,64}$", "additionalProperties",
                     section(definitions, path, field));
}

static json_t *list_of(json_t *definitions, const char *path,
                       const struct field *field)
{
    return json_pack("{s:[s,s], s:o, s:I}", "type", "array", "null", "items",
                     section(definitions, path, field), "maxItems",
                     (json_int_t)field->max);
}

static json_t *value_of(json_t *definitions, const char *path,
                        const struct field *field)
{
    switch (field->type) {
    case FIELD_TYPE_INT:
        return whole_number(field);
    case FIELD_TYPE_BOOL:
        return or_variable(json_pack("{s:s}", "type", "boolean"));
    case FIELD_TYPE_MS:
        return json_pack("{s:s, s:s}", "type", "string", "pattern",
                         "^([0-9]+(ms|s|m|h)|.*\\$\\{.*)$");
    case FIELD_TYPE_SIZE:
        return json_pack("{s:s, s:s}", "type", "string", "pattern",
                         "^([0-9]+(B|KiB|MiB|GiB)|.*\\$\\{.*)$");
    case FIELD_TYPE_CHOICE:
        return choice_names(field->choices);
    case FIELD_TYPE_CHOICES:
        return json_pack("{s:[s,s], s:o, s:b}", "type", "array", "null",
                         "items", choice_names(field->choices), "uniqueItems",
                         1);
    case FIELD_TYPE_TIMESTAMP:
        return json_pack("{s:[s,s]}", "type", "string", "number");
    case FIELD_TYPE_JSON:
        return json_pack("{s:s}", "type", "object");
    case FIELD_TYPE_JSON_TEXT:
        return json_pack("{s:[s,s]}", "type", "object", "string");
    case FIELD_TYPE_LIST:
        return list_of(definitions, path, field);
    case FIELD_TYPE_SECTION:
        return section(definitions, path, field);
    case FIELD_TYPE_MAP:
        return named_sections(definitions, path, field);
    case FIELD_TYPE_NAME_OR_SECTION:
        return json_pack("{s:[{s:s},o]}", "anyOf", "type", "string",
                         section(definitions, path, field));
    case FIELD_TYPE_PLANNED:
        return json_pack("{s:{}}", "not");
    case FIELD_TYPE_STRING:
    case FIELD_TYPE_PATH:
    case FIELD_TYPE_NONE:
        break;
    }
    return json_pack("{s:s, s:i}", "type", "string", "minLength", 1);
}

static json_t *default_of(const struct field *field)
{
    if (field->type == FIELD_TYPE_INT)
        return json_integer(strtoll(field->fallback, NULL, 10));
    if (field->type == FIELD_TYPE_BOOL)
        return json_boolean(!strcmp(field->fallback, "true"));
    return json_string(field->fallback);
}

static json_t *property(json_t *definitions, const char *path,
                        const struct field *field)
{
    json_t *made = value_of(definitions, path, field);
    AUTO_FREE char *help =
        mem_printf("%s%s",
                   field->type == FIELD_TYPE_PLANNED
                       ? "Not implemented in this version of pollard. "
                       : "",
                   field->help);

    json_object_set_new(made, "description", json_string(help));
    if (field->fallback)
        json_object_set_new(made, "default", default_of(field));
    return made;
}

// Under any spelling.
static json_t *requirement(const char *const spellings[3])
{
    json_t *ways = json_array();

    for (size_t i = 0; i < 3; i++)
        json_array_append_new(ways,
                              json_pack("{s:[s]}", "required", spellings[i]));
    return json_pack("{s:o}", "anyOf", ways);
}

static void add_property(json_t *definitions, const char *path,
                         const struct field *field, json_t *map)
{
    AUTO_FREE char *alias = schema_name_alias(field);
    AUTO_FREE char *by_rule = schema_name_by_rule(field);
    const char *const spellings[3] = {field->name, alias, by_rule};
    AUTO_FREE char *below =
        mem_printf("%s%s%s", path, *path ? "." : "", field->name);
    json_t *properties = json_object_get(map, "properties");
    json_t *made = property(definitions, below, field);

    for (size_t i = 0; i < 3; i++)
        json_object_set_new(properties, spellings[i], json_deep_copy(made));
    json_decref(made);
    if (field->required)
        json_array_append_new(json_object_get(map, "allOf"),
                              requirement(spellings));
}

static json_t *map_of(json_t *definitions, const char *path,
                      const struct field *fields)
{
    json_t *map = json_pack("{s:s, s:{}, s:b, s:[]}", "type", "object",
                            "properties", "additionalProperties", 0, "allOf");

    for (; fields->name; fields++)
        add_property(definitions, path, fields, map);
    if (!json_array_size(json_object_get(map, "allOf")))
        json_object_del(map, "allOf");
    return map;
}

// Each table is defined once, by its path: "triggers", "triggers.source.sqs".
static json_t *section(json_t *definitions, const char *path,
                       const struct field *field)
{
    const char *name =
        field->type == FIELD_TYPE_NAME_OR_SECTION ? "handlers" : path;
    AUTO_FREE char *reference = mem_printf("#/$defs/%s", name);
    json_t *map;

    if (!json_object_get(definitions, name)) {
        map = map_of(definitions, name, field->fields);
        if (field->type == FIELD_TYPE_SECTION && !field->one_of)
            json_object_set_new(map, "type",
                                json_pack("[s,s]", "object", "null"));
        if (field->one_of) {
            json_object_set_new(map, "minProperties", json_integer(1));
            json_object_set_new(map, "maxProperties", json_integer(1));
        }
        json_object_set_new(definitions, name, map);
    }
    return json_pack("{s:s}", "$ref", reference);
}

void reference_write_json_schema(FILE *out)
{
    json_t *root = json_pack(
        "{s:s, s:s, s:s}", "$schema",
        "https://json-schema.org/draft/2020-12/schema", "title",
        "pollard configuration", "description",
        "Triggers: queues and streams, and the handlers that run their "
        "records.");
    json_t *definitions =
        json_pack("{s:{s:s, s:s, s:s}}", "variable", "type", "string",
                  "pattern", "\\$\\{", "description",
                  "Replaced from the environment: ${NAME} or "
                  "${NAME:-default}.");
    json_t *map = map_of(definitions, "", settings_fields);

    json_object_update(root, map);
    json_decref(map);
    json_object_set_new(root, "$defs", definitions);
    (void)json_dumpf(root, out, JSON_INDENT(2));
    (void)fputc('\n', out);
    json_decref(root);
}
