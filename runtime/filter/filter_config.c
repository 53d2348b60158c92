#include "filter/filter_config.h"

#include "base/error.h"
#include "base/mem.h"
#include "config/key_path.h"
#include "config/problems.h"
#include "config/schema_json.h"
#include "config/yaml.h"
#include "filter/pattern.h"

static const struct field item_fields[] = {
    {"pattern", FIELD_JSON_TEXT(struct filter_config_item, pattern),
     .required = true,
     .help = "What a record must have, in EventBridge's pattern syntax (see "
             "docs/filters.md)."},
    {0},
};

const struct field filter_config_fields[] = {
    {"filters",
     FIELD_LIST(struct filter_config, filters, struct filter_config_item,
                item_fields),
     .max = FILTER_LIMIT, .otherwise = "every record is wanted",
     .help = "A record is wanted when one of them matches. (Lambda allows 5, "
             "and 10 on request.)"},
    {0},
};

// ---- checks ----------------------------------------------------------------

struct check {
    const struct schema_map *map; // of one filter
    struct problems *problems;
    enum record_kind kind;
};

static bool complain(const struct check *check, int line, int column,
                     const char *text)
{
    struct key_path path = {.up = check->map->path, .key = "pattern"};
    AUTO_FREE char *where = key_path_text(&path);

    return problems_add(check->problems, check->map->file, line, column,
                        "%s: %s", where, text);
}

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

static bool check_length(const struct check *check, const char *text,
                         const struct yaml_node *node)
{
    size_t count = characters(text);
    AUTO_FREE char *message = NULL;

    if (count <= FILTER_PATTERN_LIMIT)
        return true;
    message = mem_printf("%zu characters as JSON are too many: at most %d",
                         count, FILTER_PATTERN_LIMIT);
    return complain(check, node->line, node->column, message);
}

// What came from the environment is not for messages.
static bool is_replaced(const struct yaml_node *node)
{
    if (node->replaced)
        return true;
    for (const struct yaml_node *child = node->first; child;
         child = child->next)
        if (is_replaced(child))
            return true;
    return false;
}

// In a mapping the mistake has a place of its own, in a string a character.
static void complain_at(const struct check *check, const struct yaml_node *node,
                        size_t offset, const char *text)
{
    int line = node->line, column = node->column;
    AUTO_FREE char *message = NULL;

    if (is_replaced(node))
        text = "what the environment gives makes no pattern";
    if (node->type == YAML_SCALAR)
        message =
            mem_printf("%s (character %zu of the string)", text, offset + 1);
    else
        schema_json_place(node, offset, &line, &column);
    (void)complain(check, line, column, message ? message : text);
}

static void check_pattern(const struct check *check, const char *text)
{
    const struct yaml_node *node = schema_find(check->map, "pattern");
    struct pattern *pattern;
    struct error err = {0};
    size_t offset = 0;

    if (!text || !node || !check_length(check, text, node))
        return;
    pattern = pattern_create(pattern_view_of(check->kind));
    if (!pattern_add(pattern, bytes_of(text), &offset, &err))
        complain_at(check, node, offset, err.message);
    pattern_destroy(pattern);
}

void filter_config_check(const struct filter_config *config,
                         enum record_kind kind, const struct schema_map *map,
                         struct problems *problems)
{
    const struct filter_config_item *items = config->filters.items;
    const struct yaml_node *item;
    struct schema_map list, inner;

    schema_enter(map, "filters", &list);
    item = list.node ? list.node->first : NULL;
    for (size_t i = 0; item && i < config->filters.count; i++) {
        schema_enter_item(&list, item, i, &inner);
        check_pattern(&(struct check){&inner, problems, kind},
                      items[i].pattern);
        item = item->next;
    }
}
