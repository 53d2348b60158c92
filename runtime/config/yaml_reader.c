#include "config/yaml_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "config/key_path.h"
#include "config/problems.h"
#include "config/variables.h"
#include "config/yaml.h"
#include "config/yaml_place.h"

#define SCALAR_LIMIT ((size_t)64 * 1024)
#define TEXT_LIMIT ((size_t)16 * 1024 * 1024)
#define NODE_LIMIT 100000
#define DEPTH_LIMIT 32
#define ANCHOR_LIMIT 1000
#define TWIN_LIMIT 100
#define PLACED_LIMIT 100 // problems; beyond it, places are not made exact

struct anchor {
    struct anchor *next;
    char *name;                   // owned
    const struct yaml_node *node; // borrowed; NULL while it is being read
};

struct reader {
    yaml_parser_t parser;
    const char *name; // of the file
    struct bytes source;
    struct problems *problems;
    size_t nodes, text_size; // so far, with what aliases expand to
    struct anchor *anchors;  // owned; the latest first
    size_t anchor_count;
    struct yaml_node *aside; // owned; members that were left out of the tree
};

// "orders.batch_size: text", or the text alone at the root.
static bool complain_at(struct reader *reader, yaml_mark_t mark,
                        const struct key_path *at, const char *text)
{
    AUTO_FREE char *path = key_path_text(at);

    return problems_add(reader->problems, reader->name, (int)mark.line + 1,
                        (int)mark.column + 1, "%s%s%s", path, *path ? ": " : "",
                        text);
}

static bool complain(struct reader *reader, yaml_mark_t mark, const char *text)
{
    return complain_at(reader, mark, NULL, text);
}

// For mistakes whose libyaml message helps nobody.
static const char *hint(const struct reader *reader, yaml_mark_t mark,
                        const char *problem)
{
    struct bytes source = reader->source;
    size_t at = yaml_place_offset(source, mark), start = at, end = at;

    if (at < source.size && source.data[at] == '\t')
        return " (a tab; YAML indents with spaces)";
    while (start > 0 && source.data[start - 1] != '\n')
        start--;
    while (end < source.size && source.data[end] != '\n')
        end++;
    if (memmem(source.data + start, end - start, "${", 2))
        return " (within [] and {}, ${NAME} must stand in quotes)";
    if (memmem(source.data + start, end - start, "\"{\"", 3))
        return " (JSON as a string stands in single quotes: '{...}')";
    if (strstr(problem, "mapping values"))
        return " (a colon is missing on the line above, or this line is "
               "indented too far)";
    if (strstr(problem, "expected key") || strstr(problem, "expected ':'"))
        return " (KEY: VALUE; a colon, a quote or a bracket is missing, or the "
               "line is not indented as its neighbours)";
    return "";
}

// libyaml's own words and place.
static bool complain_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem ? parser->problem : "broken YAML";
    yaml_mark_t mark = parser->problem_mark;
    char text[300], since[60] = "";

    if (parser->error == YAML_READER_ERROR) {
        mark = yaml_place_of(reader->source, parser->problem_offset);
        (void)snprintf(text, sizeof(text), "%s; the file must be UTF-8",
                       problem);
        return complain(reader, mark, text);
    }
    if (parser->context && parser->context_mark.line != mark.line)
        (void)snprintf(since, sizeof(since), " that begins on line %zu",
                       parser->context_mark.line + 1);
    (void)snprintf(text, sizeof(text), "%s%s%s%s%s", problem,
                   parser->context ? ", " : "",
                   parser->context ? parser->context : "", since,
                   hint(reader, mark, problem));
    return complain(reader, mark, text);
}

static bool next_event(struct reader *reader, yaml_event_t *event)
{
    return yaml_parser_parse(&reader->parser, event) || complain_syntax(reader);
}

static bool count(struct reader *reader, yaml_mark_t mark, size_t text_size)
{
    reader->nodes++;
    reader->text_size += text_size;
    if (reader->nodes <= NODE_LIMIT && reader->text_size <= TEXT_LIMIT)
        return true;
    return complain(reader, mark,
                    reader->nodes > NODE_LIMIT
                        ? "over 100000 values, aliases expanded"
                        : "over 16 MiB of text, aliases and variables "
                          "expanded");
}

static struct yaml_node *node_create(struct reader *reader, enum yaml_type type,
                                     yaml_mark_t mark)
{
    struct yaml_node *node;

    if (!count(reader, mark, 0))
        return NULL;
    node = mem_calloc(1, sizeof(*node));
    node->type = type;
    node->line = (int)mark.line + 1;
    node->column = (int)mark.column + 1;
    return node;
}

// From here on the name means this node; NULL while it is being read.
static bool set_anchor(struct reader *reader, const yaml_event_t *event,
                       const yaml_char_t *name, const struct yaml_node *node)
{
    struct anchor *anchor = reader->anchors;

    if (!name)
        return true;
    while (anchor && strcmp(anchor->name, (const char *)name) != 0)
        anchor = anchor->next;
    if (!anchor) {
        if (++reader->anchor_count > ANCHOR_LIMIT)
            return complain(reader, event->start_mark, "over 1000 anchors");
        anchor = mem_calloc(1, sizeof(*anchor));
        anchor->name = mem_strdup((const char *)name);
        anchor->next = reader->anchors;
        reader->anchors = anchor;
    }
    anchor->node = node;
    return true;
}

static size_t size_of(const char *text)
{
    return text ? strlen(text) : 0;
}

static struct yaml_node *copy(struct reader *reader,
                              const struct yaml_node *node, yaml_mark_t mark,
                              unsigned depth)
{
    struct yaml_node *made, **last;

    if (depth > DEPTH_LIMIT) {
        complain(reader, mark, "nested deeper than 32, aliases expanded");
        return NULL;
    }
    if (!count(reader, mark, size_of(node->text) + size_of(node->key)))
        return NULL;
    made = mem_calloc(1, sizeof(*made));
    *made = *node;
    made->first = made->next = NULL;
    made->key = mem_strdup(node->key);
    made->text = mem_strdup(node->text);
    last = &made->first;
    for (const struct yaml_node *child = node->first; child;
         child = child->next) {
        *last = copy(reader, child, mark, depth + 1);
        if (!*last) {
            yaml_destroy(made);
            return NULL;
        }
        last = &(*last)->next;
    }
    return made;
}

static struct yaml_node *read_alias(struct reader *reader,
                                    const yaml_event_t *event, unsigned depth)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *anchor = reader->anchors;
    struct yaml_node *node;

    while (anchor && strcmp(anchor->name, name) != 0)
        anchor = anchor->next;
    if (!anchor || !anchor->node) {
        complain(reader, event->start_mark,
                 anchor ? "an alias inside of what it stands for"
                        : "an alias without an anchor before it");
        return NULL;
    }
    node = copy(reader, anchor->node, event->start_mark, depth);
    if (node) { // the key is the new place's own
        free(node->key);
        node->key = NULL;
    }
    return node;
}

// Where in the file a part of a scalar's text stands; the scalar's start when
// escapes or folding hide it.
static yaml_mark_t find_part(const struct reader *reader,
                             const yaml_event_t *event, const char *part)
{
    size_t start, end;
    const char *found;

    if (reader->problems->count >= PLACED_LIMIT)
        return event->start_mark;
    start = yaml_place_offset(reader->source, event->start_mark);
    end = yaml_place_offset(reader->source, event->end_mark);
    found = memmem(reader->source.data + start, end - start, part,
                   strcspn(part, "}"));
    return found ? yaml_place_of(reader->source,
                                 (size_t)(found - reader->source.data))
                 : event->start_mark;
}

static bool replace(struct reader *reader, const yaml_event_t *event,
                    const struct key_path *at, struct yaml_node *node)
{
    const char *text = (const char *)event->data.scalar.value, *wrong = text;
    struct error err = {0};
    struct buffer out;

    buffer_init(&out, SCALAR_LIMIT);
    if (!variables_replace(text, &out, &wrong, &err)) {
        complain_at(reader, find_part(reader, event, wrong), at, err.message);
        node->wrong = true;
    }
    node->replaced = strstr(text, "${") != NULL;
    if (!buffer_ok(&out)) {
        buffer_finish(&out);
        return complain_at(reader, event->start_mark, at,
                           "over 64 KiB, variables replaced");
    }
    node->text = buffer_detach(&out);
    return true;
}

static bool is_text_tag(const char *tag)
{
    return !strcmp(tag, "!") || !strcmp(tag, YAML_STR_TAG);
}

static bool read_text(struct reader *reader, const yaml_event_t *event,
                      const struct key_path *at, struct yaml_node *node)
{
    const char *text = (const char *)event->data.scalar.value;
    const char *tag = (const char *)event->data.scalar.tag;
    size_t size = event->data.scalar.length;

    if (size > SCALAR_LIMIT)
        return complain_at(reader, event->start_mark, at, "over 64 KiB");
    if (strlen(text) != size)
        return complain_at(reader, event->start_mark, at, "a zero byte");
    if (tag && !is_text_tag(tag))
        return complain_at(reader, event->start_mark, at,
                           "only the tag !!str has a meaning here");
    node->quoted = tag || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (strchr(text, '$')) {
        if (!replace(reader, event, at, node))
            return false;
    } else {
        node->text = mem_strndup(text, size);
    }
    reader->text_size += strlen(node->text);
    return true;
}

static struct yaml_node *read_scalar(struct reader *reader,
                                     const yaml_event_t *event,
                                     const struct key_path *at)
{
    struct yaml_node *node =
        node_create(reader, YAML_SCALAR, event->start_mark);

    if (node && read_text(reader, event, at, node))
        return node;
    yaml_destroy(node);
    return NULL;
}

static bool is_left_out(const struct yaml_node *node)
{
    return node->type == YAML_SCALAR && node->replaced && !node->quoted &&
           !node->wrong && !*node->text;
}

static struct yaml_node *read_node(struct reader *reader,
                                   const yaml_event_t *event,
                                   const struct key_path *at, unsigned depth);

// An anchor may still point at it, so it lives as long as the reader.
static void put_aside(struct reader *reader, struct yaml_node *node)
{
    node->next = reader->aside;
    reader->aside = node;
}

static bool read_item(struct reader *reader, const yaml_event_t *event,
                      const struct key_path *at, unsigned depth,
                      struct yaml_node ***last)
{
    struct yaml_node *item = read_node(reader, event, at, depth + 1);

    if (!item)
        return false;
    if (is_left_out(item)) {
        put_aside(reader, item);
        return true;
    }
    **last = item;
    *last = &item->next;
    return true;
}

static bool read_items(struct reader *reader, struct yaml_node *list,
                       const struct key_path *at, unsigned depth)
{
    struct yaml_node **last = &list->first;
    struct key_path here = {.up = at};
    bool ok = true, is_end = false;

    for (; ok && !is_end; here.index++) {
        yaml_event_t event;

        if (!next_event(reader, &event))
            return false;
        is_end = event.type == YAML_SEQUENCE_END_EVENT;
        ok = is_end || read_item(reader, &event, &here, depth, &last);
        yaml_event_delete(&event);
    }
    return ok;
}

static bool check_key(struct reader *reader, const yaml_event_t *event,
                      const struct key_path *at)
{
    const char *text = (const char *)event->data.scalar.value;

    if (event->type != YAML_SCALAR_EVENT)
        return complain_at(reader, event->start_mark, at,
                           "a key must be plain text");
    if (event->data.scalar.length > SCALAR_LIMIT ||
        strlen(text) != event->data.scalar.length)
        return complain_at(reader, event->start_mark, at,
                           "a key over 64 KiB or with a zero byte");
    if (!strcmp(text, "<<") && event->data.scalar.plain_implicit)
        return complain_at(reader, event->start_mark, at,
                           "merge keys (<<) are not part of YAML 1.2: write "
                           "the keys out");
    return count(reader, event->start_mark, strlen(text));
}

// The value of a member that was named by `key`.
static bool read_member(struct reader *reader, const yaml_event_t *key,
                        const struct key_path *at, unsigned depth,
                        struct yaml_node ***last)
{
    const char *name = (const char *)key->data.scalar.value;
    struct key_path here = {.up = at, .key = name};
    struct yaml_node *value;
    yaml_event_t event;

    if (!next_event(reader, &event))
        return false;
    value = read_node(reader, &event, &here, depth + 1);
    yaml_event_delete(&event);
    if (!value)
        return false;
    value->key = mem_strdup(name);
    value->key_line = (int)key->start_mark.line + 1;
    value->key_column = (int)key->start_mark.column + 1;
    if (is_left_out(value)) {
        put_aside(reader, value);
        return true;
    }
    **last = value;
    *last = &value->next;
    return true;
}

// By key, then by place.
static int compare_members(const void *a, const void *b)
{
    const struct yaml_node *x = *(struct yaml_node *const *)a;
    const struct yaml_node *y = *(struct yaml_node *const *)b;
    int order = strcmp(x->key, y->key);

    if (order)
        return order;
    if (x->key_line != y->key_line)
        return x->key_line < y->key_line ? -1 : 1;
    return x->key_column < y->key_column ? -1 : 1;
}

static void take_out(struct reader *reader, struct yaml_node *map,
                     struct yaml_node *member)
{
    struct yaml_node **at = &map->first;

    while (*at != member)
        at = &(*at)->next;
    *at = member->next;
    put_aside(reader, member);
}

static void complain_of_twin(struct reader *reader, const struct key_path *at,
                             const struct yaml_node *first,
                             const struct yaml_node *twin)
{
    struct key_path here = {.up = at, .key = twin->key};
    yaml_mark_t mark = {.line = (size_t)twin->key_line - 1,
                        .column = (size_t)twin->key_column - 1};
    char text[64];

    (void)snprintf(text, sizeof(text), "given twice, the first time on line %d",
                   first->key_line);
    complain_at(reader, mark, &here, text);
}

// Sorted, so that a map of any size costs no more than it is worth. The first
// few are taken out of the tree; with more the file is past saving.
static bool refuse_twins(struct reader *reader, struct yaml_node *map,
                         const struct key_path *at)
{
    AUTO_FREE struct yaml_node **members = NULL;
    size_t size = 0, first = 0, twins = 0;

    for (struct yaml_node *member = map->first; member; member = member->next)
        size++;
    members = mem_calloc(size, sizeof(*members));
    size = 0;
    for (struct yaml_node *member = map->first; member; member = member->next)
        members[size++] = member;
    qsort(members, size, sizeof(*members), compare_members);
    for (size_t i = 1; i < size && twins < TWIN_LIMIT; i++) {
        if (strcmp(members[i]->key, members[first]->key) != 0) {
            first = i;
            continue;
        }
        complain_of_twin(reader, at, members[first], members[i]);
        take_out(reader, map, members[i]);
        twins++;
    }
    return twins < TWIN_LIMIT;
}

static bool read_members(struct reader *reader, struct yaml_node *map,
                         const struct key_path *at, unsigned depth)
{
    struct yaml_node **last = &map->first;
    bool ok = true, is_end = false;

    while (ok && !is_end) {
        yaml_event_t key;

        if (!next_event(reader, &key))
            return false;
        is_end = key.type == YAML_MAPPING_END_EVENT;
        ok = is_end || (check_key(reader, &key, at) &&
                        read_member(reader, &key, at, depth, &last));
        yaml_event_delete(&key);
    }
    return ok && refuse_twins(reader, map, at);
}

static struct yaml_node *read_collection(struct reader *reader,
                                         const yaml_event_t *event,
                                         const struct key_path *at,
                                         unsigned depth)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    const char *tag = (const char *)(is_map ? event->data.mapping_start.tag
                                            : event->data.sequence_start.tag);
    const yaml_char_t *anchor = is_map ? event->data.mapping_start.anchor
                                       : event->data.sequence_start.anchor;
    struct yaml_node *node;
    bool ok;

    if (depth > DEPTH_LIMIT || tag) {
        complain_at(reader, event->start_mark, at,
                    tag ? "only the tag !!str has a meaning here"
                        : "nested deeper than 32");
        return NULL;
    }
    node =
        node_create(reader, is_map ? YAML_MAP : YAML_LIST, event->start_mark);
    if (!node)
        return NULL;
    ok = set_anchor(reader, event, anchor, NULL) &&
         (is_map ? read_members(reader, node, at, depth)
                 : read_items(reader, node, at, depth)) &&
         set_anchor(reader, event, anchor, node);
    if (ok)
        return node;
    yaml_destroy(node);
    return NULL;
}

static struct yaml_node *read_node(struct reader *reader,
                                   const yaml_event_t *event,
                                   const struct key_path *at, unsigned depth)
{
    struct yaml_node *node;

    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(reader, event, depth);
    if (event->type != YAML_SCALAR_EVENT)
        return read_collection(reader, event, at, depth);
    node = read_scalar(reader, event, at);
    if (node && set_anchor(reader, event, event->data.scalar.anchor, node))
        return node;
    yaml_destroy(node);
    return NULL;
}

static bool expect_end(struct reader *reader)
{
    yaml_event_t event;
    bool ok;

    if (!next_event(reader, &event)) // the document's end
        return false;
    yaml_event_delete(&event);
    if (!next_event(reader, &event))
        return false;
    ok = event.type == YAML_STREAM_END_EVENT ||
         complain(reader, event.start_mark,
                  "a second document; a file holds one");
    yaml_event_delete(&event);
    return ok;
}

static struct yaml_node *read_root(struct reader *reader)
{
    struct yaml_node *root;
    yaml_event_t event;

    if (!next_event(reader, &event))
        return NULL;
    root = read_node(reader, &event, NULL, 1);
    yaml_event_delete(&event);
    if (root && expect_end(reader))
        return root;
    yaml_destroy(root);
    return NULL;
}

static struct yaml_node *read_document(struct reader *reader)
{
    struct yaml_node *root;
    yaml_event_t event;
    bool is_empty;

    if (!next_event(reader, &event)) // the stream's start
        return NULL;
    yaml_event_delete(&event);
    if (!next_event(reader, &event)) // the document's start, or nothing
        return NULL;
    is_empty = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
    root = is_empty ? NULL : read_root(reader);
    if (is_empty || (root && yaml_is_null(root))) {
        problems_add(reader->problems, reader->name, 0, 0, "the file is empty");
        yaml_destroy(root);
        return NULL;
    }
    return root;
}

static void free_anchors(struct anchor *anchor)
{
    while (anchor) {
        struct anchor *next = anchor->next;

        free(anchor->name);
        free(anchor);
        anchor = next;
    }
}

struct yaml_node *yaml_reader_read(const char *name, struct bytes source,
                                   struct problems *problems)
{
    struct reader reader = {.name = name, .problems = problems};
    struct yaml_node *root;

    if (source.size >= 3 && !memcmp(source.data, "\xef\xbb\xbf", 3))
        source = (struct bytes){source.data + 3, source.size - 3};
    reader.source = source;
    if (!yaml_parser_initialize(&reader.parser))
        abort(); // out of memory
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &reader.parser, (const unsigned char *)(source.size ? source.data : ""),
        source.size);
    root = read_document(&reader);
    yaml_parser_delete(&reader.parser);
    free_anchors(reader.anchors);
    yaml_destroy(reader.aside);
    return root;
}
