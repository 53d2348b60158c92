#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "config/suggest.h"
#include "filter/fields.h"
#include "filter/pattern_build.h"
#include "filter/reader.h"

// What may be within the braces.
struct scope {
    uint32_t node;
    bool in_or;
    struct drafts *drafts;
};

static bool read_members(struct reader *reader, const struct scope *scope);

static size_t name_offset(const struct reader *reader, struct bytes name)
{
    return (size_t)(name.data - reader->in.start) - 1;
}

// ---- $or -------------------------------------------------------------------

static bool read_way(struct reader *reader, const struct scope *scope,
                     const struct drafts *common, struct drafts *all)
{
    struct drafts way = pattern_build_copy(common);
    struct scope inner = {scope->node, true, &way};
    size_t at = reader_here(reader);
    bool ok;

    if (json_read_peek(&reader->in) != JSON_READ_OBJECT)
        ok = reader_refuse_value(reader, "a mapping of fields");
    else
        ok = read_members(reader, &inner);
    if (ok && !pattern_build_join(all, &way))
        ok = reader_refuse(reader, at,
                           "$or makes more than %d combinations of fields",
                           PATTERN_RULE_LIMIT);
    pattern_build_drop(&way);
    return ok;
}

static bool read_ways(struct reader *reader, const struct scope *scope,
                      const struct drafts *common)
{
    size_t at = reader_here(reader), i = 0;

    (void)json_read_array(&reader->in);
    for (; json_read_element(&reader->in); i++) {
        size_t before = reader_enter_item(reader, i);

        if (!read_way(reader, scope, common, scope->drafts))
            return false;
        reader_leave(reader, before);
    }
    if (reader->in.error)
        return reader_refuse_json(reader);
    return i > 1 || reader_refuse(reader, at, "$or needs two mappings or more");
}

// What was read until now is common to all ways.
static bool read_or(struct reader *reader, const struct scope *scope)
{
    struct drafts common = *scope->drafts;
    bool ok;

    if (json_read_peek(&reader->in) != JSON_READ_ARRAY)
        return reader_refuse_value(reader, "a list of mappings");
    *scope->drafts = (struct drafts){0};
    ok = read_ways(reader, scope, &common);
    pattern_build_drop(&common);
    return ok;
}

// ---- fields ----------------------------------------------------------------

static bool is_operator(struct bytes name)
{
    static const char *const names[] = {"exactly",
                                        "equals-ignore-case",
                                        "prefix",
                                        "suffix",
                                        "anything-but",
                                        "exists",
                                        "wildcard",
                                        "numeric",
                                        "cidr",
                                        "=",
                                        "<",
                                        "<=",
                                        ">",
                                        ">=",
                                        "regex",
                                        "not-wildcard",
                                        "not-equals-ignore-case",
                                        "date-after",
                                        "date-on-or-after",
                                        "date-before",
                                        "date-on-or-before",
                                        "in-date-range",
                                        "ip-address-in-range",
                                        "ip-address-not-in-range"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (bytes_equal(name, bytes_of(names[i])))
            return true;
    return false;
}

static bool read_list(struct reader *reader, const struct scope *scope,
                      uint32_t node)
{
    struct pattern *pattern = reader->pattern;
    bool is_text = pattern->view == PATTERN_VIEW_SQS ||
                   pattern->view == PATTERN_VIEW_EVENT;
    size_t at = reader_here(reader);
    uint32_t condition;

    if (node == pattern->data_node && !is_text)
        return reader_refuse(reader, at,
                             "%s is JSON, of which the fields are wanted: a "
                             "mapping, not a list of values",
                             fields_data_key(pattern->view));
    condition = pattern_build_condition(pattern, node);
    if (!criterion_read_list(reader, &pattern->conditions[condition]))
        return false;
    return pattern_build_require(pattern, scope->drafts, condition) ||
           reader_refuse(reader, at,
                         "this field is listed already; all that is wanted of "
                         "it goes in one list");
}

static bool read_field(struct reader *reader, const struct scope *scope,
                       uint32_t node)
{
    struct scope inner = {node, scope->in_or, scope->drafts};

    switch (json_read_peek(&reader->in)) {
    case JSON_READ_OBJECT:
        return read_members(reader, &inner);
    case JSON_READ_ARRAY:
        return read_list(reader, scope, node);
    case JSON_READ_STRING:
    case JSON_READ_NUMBER:
    case JSON_READ_TRUE:
    case JSON_READ_FALSE:
    case JSON_READ_NULL:
    case JSON_READ_NOTHING:
        break;
    }
    return reader_refuse_value(reader,
                               "a list of the values that are wanted, [\"a\"], "
                               "or a mapping of fields");
}

// A key at the top, which the records of this source may not have.
static bool check_top(struct reader *reader, struct bytes name, size_t at)
{
    const char *const *known = fields_of(reader->pattern->view);
    const char *dot = name.size ? memchr(name.data, '.', name.size) : NULL;
    AUTO_FREE char *step =
        mem_strndup(name.data, dot ? (size_t)(dot - name.data) : name.size);
    const char *nearest = NULL;
    struct buffer all;

    if (!known)
        return true;
    buffer_init(&all, 300);
    for (; *known && strcmp(*known, step) != 0; known++) {
        buffer_printf(&all, "%s%s", all.size ? ", " : "", *known);
        if (!nearest && suggest_distance(step, *known) < SUGGEST_FAR)
            nearest = *known;
    }
    if (!*known)
        (void)reader_refuse(
            reader, at, "a record of this source has no such field; %s %s%s",
            nearest ? "did you mean" : "there are:",
            nearest ? nearest : buffer_text(&all), nearest ? "?" : "");
    buffer_finish(&all);
    return *known != NULL;
}

static void note_data(struct pattern *pattern, uint32_t node)
{
    const char *key = fields_data_key(pattern->view);

    while (node && pattern->nodes[node].parent != PATTERN_ROOT)
        node = pattern->nodes[node].parent;
    if (node && key && bytes_equal(pattern->nodes[node].key, bytes_of(key)))
        pattern->data_node = node;
}

static bool is_kinesis_data(const struct pattern *pattern, uint32_t node)
{
    const struct pattern_node *self = &pattern->nodes[node];
    const struct pattern_node *above = &pattern->nodes[self->parent];

    return node != PATTERN_ROOT && self->parent != PATTERN_ROOT &&
           above->parent == PATTERN_ROOT &&
           bytes_equal(self->key, BYTES("data")) &&
           bytes_equal(above->key, BYTES("kinesis"));
}

// The event has the data as base64 within `kinesis`; a pattern that looks there
// would match nothing, as in Lambda. A key with dots goes down many steps.
static bool check_place(struct reader *reader, uint32_t node, size_t at)
{
    const struct pattern *pattern = reader->pattern;

    if (pattern->view != PATTERN_VIEW_KINESIS)
        return true;
    for (; node != PATTERN_ROOT; node = pattern->nodes[node].parent)
        if (is_kinesis_data(pattern, node))
            return reader_refuse(reader, at,
                                 "the data is wanted under `data` at the top "
                                 "of the pattern, not within kinesis");
    return true;
}

static bool check_name(struct reader *reader, const struct scope *scope,
                       struct bytes name, size_t at)
{
    if (memchr(name.data, 0, name.size))
        return reader_refuse(reader, at, "a key with a NUL character");
    if (scope->in_or && is_operator(name))
        return reader_refuse(reader, at,
                             "within $or a field cannot have an operator's "
                             "name");
    return scope->node != PATTERN_ROOT || check_top(reader, name, at);
}

static bool read_member(struct reader *reader, const struct scope *scope,
                        struct bytes name)
{
    size_t at = name_offset(reader, name);
    size_t before = reader_enter_key(reader, name);
    uint32_t node;
    bool ok;

    if (bytes_equal(name, BYTES("$or"))) {
        ok = read_or(reader, scope);
    } else {
        if (!check_name(reader, scope, name, at))
            return false;
        node = pattern_build_node(reader->pattern, scope->node, name);
        note_data(reader->pattern, node);
        ok = check_place(reader, node, at) && read_field(reader, scope, node);
    }
    if (ok)
        reader_leave(reader, before);
    return ok;
}

static bool read_members(struct reader *reader, const struct scope *scope)
{
    size_t at = reader_here(reader), count = 0;
    struct bytes name;

    (void)json_read_object(&reader->in);
    for (; json_read_member(&reader->in, &name); count++)
        if (!read_member(reader, scope, name))
            return false;
    if (reader->in.error)
        return reader_refuse_json(reader);
    return count ||
           reader_refuse(reader, at, "an empty mapping asks for nothing");
}

// ---- the whole -------------------------------------------------------------

static char *keep(struct pattern *pattern, struct bytes text)
{
    size_t count = 0;

    while (pattern->texts && pattern->texts[count])
        count++;
    pattern->texts =
        mem_realloc(pattern->texts, count + 2, sizeof(*pattern->texts));
    pattern->texts[count + 1] = NULL;
    return pattern->texts[count] = mem_strndup(text.data, text.size);
}

static bool read_document(struct reader *reader, struct drafts *drafts)
{
    const struct scope top = {.node = PATTERN_ROOT, .drafts = drafts};

    if (json_read_peek(&reader->in) == JSON_READ_NOTHING)
        return reader_refuse_json(reader);
    if (json_read_peek(&reader->in) != JSON_READ_OBJECT)
        return reader_refuse_value(
            reader,
            "a mapping of fields, {\"body\": {\"type\": [\"created\"]}}");
    if (!read_members(reader, &top))
        return false;
    return json_read_end(&reader->in) || reader_refuse_json(reader);
}

bool pattern_add(struct pattern *pattern, struct bytes text, size_t *offset,
                 struct error *err)
{
    struct reader reader = {.pattern = pattern, .offset = offset, .err = err};
    struct drafts drafts = {0};
    size_t valid = utf8_valid_size(text);
    bool ok;

    buffer_init(&reader.place, (size_t)64 * 1024);
    if (valid < text.size)
        ok = reader_refuse(&reader, valid, "not UTF-8 at byte %zu", valid + 1);
    else {
        reader.source = keep(pattern, text);
        json_read_init(&reader.in, keep(pattern, text), text.size);
        ok = read_document(&reader, &drafts);
    }
    if (ok)
        pattern_build_rules(pattern, &drafts);
    pattern->filter_count += ok;
    pattern_build_drop(&drafts);
    buffer_finish(&reader.place);
    return ok;
}
