#include "config/schema_name.h"

#include <ctype.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "config/schema.h"
#include "config/suggest.h"

#define NAME_LIMIT 200

char *schema_name_by_rule(const struct field *field)
{
    struct buffer out;
    bool begins = true;

    buffer_init(&out, NAME_LIMIT);
    for (const char *c = field->name; *c; c++) {
        if (*c != '_')
            buffer_append_char(&out,
                               begins ? (char)toupper((unsigned char)*c) : *c);
        begins = *c == '_';
    }
    return buffer_detach(&out);
}

char *schema_name_alias(const struct field *field)
{
    return field->alias ? mem_strdup(field->alias) : schema_name_by_rule(field);
}

bool schema_name_is_alias(const char *name, const char *key)
{
    bool begins = true;

    for (; *name; name++) {
        if (*name == '_') {
            begins = true;
            continue;
        }
        if (*key++ != (begins ? toupper((unsigned char)*name) : *name))
            return false;
        begins = false;
    }
    return !*key;
}

bool schema_name_is(const struct field *field, const char *key)
{
    return !strcmp(field->name, key) ||
           (field->alias && !strcmp(field->alias, key)) ||
           schema_name_is_alias(field->name, key);
}

const struct field *schema_name_nearest(const struct field *fields,
                                        const char *key)
{
    const struct field *nearest = NULL;
    int best = SUGGEST_FAR;

    for (const struct field *field = fields; field->name; field++) {
        int steps = suggest_distance(key, field->name);

        if (steps < best) {
            best = steps;
            nearest = field;
        }
    }
    return nearest;
}

char *schema_name_below(const struct field *fields, const char *key)
{
    for (const struct field *field = fields; field->name; field++) {
        if (field->type != FIELD_TYPE_SECTION &&
            field->type != FIELD_TYPE_NAME_OR_SECTION)
            continue;
        for (const struct field *row = field->fields; row->name; row++)
            if (row->type != FIELD_TYPE_PLANNED && schema_name_is(row, key))
                return mem_printf("%s.%s", field->name, row->name);

        AUTO_FREE char *deeper = schema_name_below(field->fields, key);

        if (deeper)
            return mem_printf("%s.%s", field->name, deeper);
    }
    return NULL;
}

void schema_name_list(const struct field *fields, struct buffer *out)
{
    size_t start = out->size;

    for (const struct field *field = fields; field->name; field++)
        if (field->type != FIELD_TYPE_PLANNED)
            buffer_printf(out, "%s%s", out->size > start ? ", " : "",
                          field->name);
}
