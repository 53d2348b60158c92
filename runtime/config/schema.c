#include "config/schema.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "config/key_path.h"
#include "config/problems.h"
#include "config/schema_json.h"
#include "config/schema_name.h"
#include "config/schema_value.h"
#include "config/variables.h"
#include "config/yaml.h"

#define TEXT_LIMIT 1000
#define VALUE_LIMIT ((size_t)64 * 1024)

// One map on its way into one struct.
struct apply {
    const struct schema_map *map;
    char *owner;
    struct problems *problems;
    const struct yaml_node **members; // owned; by row, NULL: not there
    bool one_of, ok, has_unknown;
};

static bool apply_map(struct apply *apply); // sections are maps within maps

static bool complain(struct apply *apply, int line, int column, const char *key,
                     const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static bool complain(struct apply *apply, int line, int column, const char *key,
                     const char *format, ...)
{
    struct key_path path = {.up = apply->map->path, .key = key};
    AUTO_FREE char *where = key_path_text(key ? &path : path.up);
    char text[TEXT_LIMIT];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    apply->ok = false;
    return problems_add(apply->problems, apply->map->file, line, column,
                        "%s%s%s", where, *where ? ": " : "", text);
}

// Where a map begins for the user: at its key.
static int line_of(const struct yaml_node *map)
{
    return map->key ? map->key_line : map->line;
}

static int column_of(const struct yaml_node *map)
{
    return map->key ? map->key_column : map->column;
}

static const struct field *find_row(const struct field *fields,
                                    const char *name)
{
    while (fields->name && strcmp(fields->name, name) != 0)
        fields++;
    return fields->name ? fields : NULL;
}

static const struct yaml_node *find_member(const struct yaml_node *node,
                                           const struct field *field)
{
    const struct yaml_node *member = node ? node->first : NULL;

    while (member && (!member->key || !schema_name_is(field, member->key)))
        member = member->next;
    return member;
}

const struct yaml_node *schema_find(const struct schema_map *map,
                                    const char *name)
{
    AUTO_FREE char *first = mem_strndup(name, strcspn(name, "."));
    const struct field *field = find_row(map->fields, first);
    const char *rest = name + strlen(first);
    struct schema_map inner;

    assert(field);
    if (!*rest)
        return find_member(map->node, field);
    schema_enter(map, first, &inner);
    return schema_find(&inner, rest + 1);
}

void schema_enter(const struct schema_map *outer, const char *name,
                  struct schema_map *inner)
{
    const struct field *field = find_row(outer->fields, name);

    assert(field);
    *inner = *outer;
    inner->fields = field->fields;
    inner->node = find_member(outer->node, field);
    inner->frame = (struct key_path){.up = outer->path, .key = field->name};
    inner->path = &inner->frame;
}

void schema_enter_item(const struct schema_map *list,
                       const struct yaml_node *item, size_t index,
                       struct schema_map *inner)
{
    *inner = *list;
    inner->node = item;
    inner->frame = (struct key_path){.up = list->path, .index = index};
    inner->path = &inner->frame;
}

void schema_enter_entry(const struct schema_map *outer,
                        const struct yaml_node *entry, struct schema_map *inner)
{
    *inner = *outer;
    inner->node = entry;
    inner->frame = (struct key_path){.up = outer->path, .key = entry->key};
    inner->path = &inner->frame;
}

static void refuse(struct apply *apply, const struct field *field,
                   const struct yaml_node *node, enum schema_verdict verdict)
{
    const char *kind =
        verdict == SCHEMA_MALFORMED ? schema_value_kind(field) : "";
    struct buffer found, range;

    buffer_init(&found, TEXT_LIMIT);
    buffer_init(&range, TEXT_LIMIT);
    schema_value_found(node, &found);
    schema_value_range(field, &range);
    complain(apply, node->line, node->column, field->name,
             "%s is not allowed: %s%s%s%s", buffer_text(&found), kind,
             *kind && range.size ? ", " : "", buffer_text(&range),
             node->quoted && (field->type == FIELD_TYPE_INT ||
                              field->type == FIELD_TYPE_BOOL)
                 ? " (without quotes)"
                 : "");
    buffer_finish(&found);
    buffer_finish(&range);
}

static void store_number(const struct field *field, char *owner, int64_t number)
{
    char *member = owner + field->offset;

    if (field->type == FIELD_TYPE_BOOL)
        *(bool *)(void *)member = number != 0;
    else if (field->type == FIELD_TYPE_CHOICE ||
             field->type == FIELD_TYPE_CHOICES)
        *(int *)(void *)member = (int)number;
    else
        *(int64_t *)(void *)member = number;
}

static void read_number(struct apply *apply, const struct field *field,
                        const struct yaml_node *node)
{
    enum schema_verdict verdict;
    int64_t number;

    verdict = schema_value_number(field, node, &number);
    store_number(field, apply->owner,
                 verdict == SCHEMA_GOOD ? number : field->unset);
    if (verdict == SCHEMA_GOOD)
        return;
    if (verdict == SCHEMA_PLANNED)
        complain(apply, node->line, node->column, field->name,
                 "%s: not implemented in this version of pollard", node->text);
    else
        refuse(apply, field, node, verdict);
}

static void read_choices(struct apply *apply, const struct field *field,
                         const struct yaml_node *node)
{
    int64_t set = field->unset;
    const struct yaml_node *wrong = schema_value_choices(field, node, &set);

    store_number(field, apply->owner, set);
    if (wrong)
        refuse(apply, field, wrong, SCHEMA_MALFORMED);
}

static char *absolute_path(const struct schema_map *map, const char *path)
{
    if (*path == '/')
        return mem_strdup(path);
    while (!strncmp(path, "./", 2))
        path += 2;
    return mem_printf("%s/%s", map->folder, path);
}

static void read_text(struct apply *apply, const struct field *field,
                      const struct yaml_node *node)
{
    char **member = (char **)(void *)(apply->owner + field->offset);

    if (field->or_empty && node->type == YAML_SCALAR && !yaml_is_null(node) &&
        !*node->text)
        return;
    if (node->type != YAML_SCALAR || yaml_is_null(node) || !*node->text)
        refuse(apply, field, node, SCHEMA_MALFORMED);
    else
        *member = field->type == FIELD_TYPE_PATH
                      ? absolute_path(apply->map, node->text)
                      : mem_strdup(node->text);
}

static void read_json(struct apply *apply, const struct field *field,
                      const struct yaml_node *node)
{
    json_t **member = (json_t **)(void *)(apply->owner + field->offset);
    const struct yaml_node *wrong = NULL;
    struct buffer found;

    if (node->type != YAML_MAP) {
        refuse(apply, field, node, SCHEMA_MALFORMED);
        return;
    }
    *member = schema_json(node, &wrong);
    if (*member)
        return;
    buffer_init(&found, TEXT_LIMIT);
    schema_value_found(wrong, &found);
    complain(apply, wrong->line, wrong->column, field->name,
             "%s has no form in JSON", buffer_text(&found));
    buffer_finish(&found);
}

static void read_json_text(struct apply *apply, const struct field *field,
                           const struct yaml_node *node)
{
    char **member = (char **)(void *)(apply->owner + field->offset);
    struct buffer text;

    if (node->type != YAML_MAP) {
        read_text(apply, field, node);
        return;
    }
    buffer_init(&text, VALUE_LIMIT);
    schema_json_text(node, &text);
    if (buffer_ok(&text))
        *member = buffer_detach(&text);
    else
        complain(apply, node->line, node->column, field->name,
                 "over 64 KiB as JSON");
    buffer_finish(&text);
}

static size_t count_items(const struct yaml_node *node)
{
    size_t count = 0;

    for (const struct yaml_node *item = node->first; item; item = item->next)
        count++;
    return count;
}

static void read_items(struct apply *apply, const struct field *field,
                       const struct yaml_node *node, struct schema_list *list)
{
    struct schema_map outer, inner;

    schema_enter(apply->map, field->name, &outer);
    list->items = mem_calloc(list->count, field->item_size);
    for (size_t i = 0; i < list->count; i++, node = node->next) {
        schema_enter_item(&outer, node, i, &inner);
        if (!apply_map(&(struct apply){.map = &inner,
                                       .owner = (char *)list->items +
                                                i * field->item_size,
                                       .problems = apply->problems}))
            apply->ok = false;
    }
}

static void read_list(struct apply *apply, const struct field *field,
                      const struct yaml_node *node)
{
    struct schema_list *list =
        (struct schema_list *)(void *)(apply->owner + field->offset);
    size_t count = count_items(node);

    if (yaml_is_null(node))
        return;
    if (node->type != YAML_LIST) {
        refuse(apply, field, node, SCHEMA_MALFORMED);
    } else if (count > (size_t)field->max) {
        complain(apply, node->line, node->column, field->name,
                 "%zu are too many: at most %lld", count,
                 (long long)field->max);
    } else if (count) {
        list->count = count;
        read_items(apply, field, node->first, list);
    }
}

static void read_section(struct apply *apply, const struct field *field)
{
    struct schema_map inner;

    schema_enter(apply->map, field->name, &inner);
    if (!apply_map(&(struct apply){.map = &inner,
                                   .owner = apply->owner + field->offset,
                                   .problems = apply->problems,
                                   .one_of = field->one_of}))
        apply->ok = false;
}

static void read_member(struct apply *apply, const struct field *field,
                        const struct yaml_node *node)
{
    if (node->wrong) {
        apply->ok = false;
        return;
    }
    switch (field->type) {
    case FIELD_TYPE_STRING:
    case FIELD_TYPE_PATH:
        read_text(apply, field, node);
        break;
    case FIELD_TYPE_INT:
    case FIELD_TYPE_BOOL:
    case FIELD_TYPE_MS:
    case FIELD_TYPE_SIZE:
    case FIELD_TYPE_CHOICE:
    case FIELD_TYPE_TIMESTAMP:
        read_number(apply, field, node);
        break;
    case FIELD_TYPE_CHOICES:
        read_choices(apply, field, node);
        break;
    case FIELD_TYPE_JSON:
        read_json(apply, field, node);
        break;
    case FIELD_TYPE_JSON_TEXT:
        read_json_text(apply, field, node);
        break;
    case FIELD_TYPE_LIST:
        read_list(apply, field, node);
        break;
    case FIELD_TYPE_SECTION:
        read_section(apply, field);
        break;
    case FIELD_TYPE_PLANNED:
        complain(apply, node->key_line, node->key_column, field->name,
                 "not implemented in this version of pollard");
        break;
    case FIELD_TYPE_MAP:
    case FIELD_TYPE_NAME_OR_SECTION:
    case FIELD_TYPE_NONE:
        break;
    }
}

// The fallback goes the way a user's value would.
static void read_fallback(struct apply *apply, const struct field *field)
{
    struct yaml_node node = {.type = YAML_SCALAR};
    struct error err = {0};
    struct buffer text;
    const char *at;

    buffer_init(&text, VALUE_LIMIT);
    if (!variables_replace(field->fallback, &text, &at, &err))
        abort(); // the row itself is wrong
    node.text = buffer_detach(&text);
    read_member(apply, field, &node);
    free(node.text);
}

static void use_default(struct apply *apply, const struct field *field)
{
    if (field->type == FIELD_TYPE_SECTION)
        read_section(apply, field);
    else if (field->fallback)
        read_fallback(apply, field);
    else if (field->unset)
        store_number(field, apply->owner, field->unset);
    if (field->required && apply->map->node)
        complain(apply, line_of(apply->map->node), column_of(apply->map->node),
                 field->name, "missing. %s", field->help);
}

static void complain_of_unknown(struct apply *apply,
                                const struct yaml_node *member)
{
    const struct field *nearest =
        schema_name_nearest(apply->map->fields, member->key);
    AUTO_FREE char *below = schema_name_below(apply->map->fields, member->key);
    const char *meant = below ? below : nearest ? nearest->name : NULL;
    struct buffer allowed;

    buffer_init(&allowed, TEXT_LIMIT);
    schema_name_list(apply->map->fields, &allowed);
    complain(apply, member->key_line, member->key_column, member->key,
             "unknown key; %s %s%s", meant ? "did you mean" : "allowed here:",
             meant ? meant : buffer_text(&allowed), meant ? "?" : "");
    apply->has_unknown = true;
    buffer_finish(&allowed);
}

static void match_member(struct apply *apply, const struct yaml_node *member)
{
    size_t row = 0;

    while (apply->map->fields[row].name &&
           !schema_name_is(&apply->map->fields[row], member->key))
        row++;
    if (!apply->map->fields[row].name)
        complain_of_unknown(apply, member);
    else if (apply->members[row])
        complain(apply, member->key_line, member->key_column, member->key,
                 "the same as %s, which is on line %d",
                 apply->members[row]->key, apply->members[row]->key_line);
    else
        apply->members[row] = member;
}

static void apply_row(struct apply *apply, size_t row)
{
    const struct field *field = &apply->map->fields[row];

    if (apply->members[row])
        read_member(apply, field, apply->members[row]);
    else
        use_default(apply, field);
    if (field->given)
        *(bool *)(void *)(apply->owner + field->given - 1) =
            apply->members[row] != NULL;
}

static void check_one_of(struct apply *apply, size_t rows)
{
    struct buffer allowed;
    size_t given = 0;

    for (size_t row = 0; row < rows; row++)
        given += apply->members[row] != NULL;
    if (given == 1 || apply->has_unknown)
        return;
    buffer_init(&allowed, TEXT_LIMIT);
    schema_name_list(apply->map->fields, &allowed);
    complain(apply, line_of(apply->map->node), column_of(apply->map->node),
             NULL, "exactly one of these must be given: %s",
             buffer_text(&allowed));
    buffer_finish(&allowed);
}

static bool complain_of_no_map(struct apply *apply,
                               const struct yaml_node *node)
{
    struct buffer allowed;

    buffer_init(&allowed, TEXT_LIMIT);
    schema_name_list(apply->map->fields, &allowed);
    complain(apply, node->line, node->column, NULL,
             "%s, not a mapping; allowed here: %s",
             node->type == YAML_LIST ? "a list" : "a single value",
             buffer_text(&allowed));
    buffer_finish(&allowed);
    return false;
}

static bool apply_map(struct apply *apply)
{
    const struct yaml_node *node = apply->map->node;
    size_t rows = 0;

    apply->ok = true;
    if (node && node->type != YAML_MAP && !yaml_is_null(node))
        return complain_of_no_map(apply, node);
    while (apply->map->fields[rows].name)
        rows++;
    apply->members = mem_calloc(rows, sizeof(*apply->members));
    for (const struct yaml_node *member = node ? node->first : NULL; member;
         member = member->next)
        match_member(apply, member);
    for (size_t row = 0; row < rows; row++)
        apply_row(apply, row);
    if (node && apply->one_of)
        check_one_of(apply, rows);
    free(apply->members);
    return apply->ok;
}

bool schema_apply(const struct schema_map *map, void *owner,
                  struct problems *problems)
{
    return apply_map(
        &(struct apply){.map = map, .owner = owner, .problems = problems});
}

bool schema_complain(const struct schema_map *map, const char *name,
                     struct problems *problems, const char *format, ...)
{
    const struct yaml_node *member = schema_find(map, name), *node = map->node;
    struct key_path path = {.up = map->path, .key = name};
    AUTO_FREE char *where = key_path_text(&path);
    int line = node ? line_of(node) : 0, column = node ? column_of(node) : 0;
    char text[TEXT_LIMIT];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return problems_add(problems, map->file, member ? member->line : line,
                        member ? member->column : column, "%s: %s", where,
                        text);
}
