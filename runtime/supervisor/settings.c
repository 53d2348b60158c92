#include "supervisor/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/problems.h"
#include "config/suggest.h"
#include "config/yaml.h"

#define NAME_LIMIT 64

static const struct choice levels[] = {
    {"debug", LOG_LEVEL_DEBUG},
    {"info", LOG_LEVEL_INFO},
    {"warn", LOG_LEVEL_WARN},
    {"error", LOG_LEVEL_ERROR},
    {0},
};

static const struct choice formats[] = {
    {"auto", 0},
    {"text", 1},
    {"json", 2},
    {0},
};

static const struct field log_fields[] = {
    {"level", FIELD_CHOICE(struct log_config, level), .fallback = "info",
     .choices = levels,
     .help = "The least level that is written. A quiet, healthy worker writes "
             "nothing at `info`."},
    {"format", FIELD_CHOICE(struct log_config, format), .fallback = "auto",
     .choices = formats,
     .help = "Lines for people or for machines; `auto` is text on a terminal "
             "and JSON otherwise."},
    {"payloads", FIELD_BOOL(struct log_config, payloads), .fallback = "false",
     .help = "Whether the bodies of records may be written to the log."},
    {0},
};

const struct field settings_fields[] = {
    {"version", FIELD_INT(struct settings, version), .required = true, .min = 1,
     .max = 1, .help = "The version of this format, which is 1."},
    {"aws", FIELD_SECTION(aws_config_fields),
     .offset = offsetof(struct settings, aws), .alias = "AWS",
     .help = "How AWS, or servers that speak like it, are reached. All of it "
             "is optional; where it is silent, the usual sources apply: "
             "environment, profile, role."},
    {"store", FIELD_SECTION(store_config_fields),
     .offset = offsetof(struct settings, store),
     .help = "Where the leases and checkpoints of streams are kept. A worker "
             "with queues alone needs none."},
    {"log", FIELD_SECTION(log_fields), .offset = offsetof(struct settings, log),
     .help = "What is written to standard error."},
    {"stop_grace", FIELD_MS(struct settings, stop_grace_ms), .fallback = "25s",
     .min = 100, .max = 60 * 60 * 1000,
     .help = "How long a stop may take: running batches finish, everything "
             "else goes back to its queue. Keep it below what your service "
             "manager grants (Kubernetes: 30 s)."},
    {"handlers", FIELD_TYPE_MAP, .fields = handler_config_fields,
     .help = "Handlers by name, for more than one trigger to use."},
    {"triggers", FIELD_TYPE_MAP, .fields = trigger_config_fields,
     .required = true,
     .help = "Triggers by name: what Lambda calls event source mappings. The "
             "name, 1 to 64 letters, digits, `-` and `_`, stands in logs and "
             "on the command line."},
    {"admin", FIELD_PLANNED, .help = "Health, metrics and control over HTTP."},
    {0},
};

// One file on its way into settings.
struct load {
    struct settings *settings;
    struct schema_map root, handlers, triggers;
    struct problems *problems;
};

static bool is_name(const char *name)
{
    size_t size = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789-_");

    return size > 0 && size <= NAME_LIMIT && !name[size];
}

static void check_name(struct load *load, const char *section,
                       const struct yaml_node *entry)
{
    if (!is_name(entry->key))
        problems_add(load->problems, load->root.file, entry->key_line,
                     entry->key_column,
                     "%s: the name \"%.80s\" is not allowed: 1 to 64 letters, "
                     "digits, - and _",
                     section, entry->key);
}

static const struct yaml_node *first_entry(const struct schema_map *map)
{
    return map->node && map->node->type == YAML_MAP ? map->node->first : NULL;
}

// `handlers` or `triggers`.
static void enter_map(struct load *load, const char *name,
                      struct schema_map *map)
{
    const struct yaml_node *node;

    schema_enter(&load->root, name, map);
    node = map->node;
    if (node && node->type != YAML_MAP && !node->wrong && !yaml_is_null(node))
        schema_complain(&load->root, name, load->problems,
                        "%s, not a mapping of names",
                        node->type == YAML_LIST ? "a list" : "a single value");
}

static void check_handlers(struct load *load)
{
    for (const struct yaml_node *entry = first_entry(&load->handlers); entry;
         entry = entry->next) {
        struct handler_config config = {0};
        struct schema_map map;

        check_name(load, "handlers", entry);
        schema_enter_entry(&load->handlers, entry, &map);
        schema_apply(&map, &config, load->problems);
        schema_release(handler_config_fields, &config);
    }
}

static const char *nearest_handler(const struct load *load, const char *name)
{
    const char *nearest = NULL;
    int best = SUGGEST_FAR;

    for (const struct yaml_node *entry = first_entry(&load->handlers); entry;
         entry = entry->next) {
        int steps = suggest_distance(name, entry->key);

        if (steps < best) {
            best = steps;
            nearest = entry->key;
        }
    }
    return nearest;
}

static void complain_of_handler(struct load *load,
                                const struct schema_map *trigger,
                                const char *name)
{
    const char *nearest = nearest_handler(load, name);

    if (nearest)
        schema_complain(trigger, "handler", load->problems,
                        "\"%.80s\" is not defined under handlers; did you mean "
                        "%s?",
                        name, nearest);
    else
        schema_complain(trigger, "handler", load->problems,
                        "\"%.80s\" is not defined under handlers (a library "
                        "in place is written {library: PATH})",
                        name);
}

// The mistakes of a named handler are told once, at its own place.
static void use_named_handler(struct load *load, const struct schema_map *map,
                              const char *name, struct trigger_config *trigger)
{
    const struct yaml_node *entry = yaml_member(load->handlers.node, name);
    struct schema_map named;
    struct problems told;

    if (!entry) {
        complain_of_handler(load, map, name);
        return;
    }
    trigger->handler_name = mem_strdup(name);
    problems_init(&told);
    schema_enter_entry(&load->handlers, entry, &named);
    schema_apply(&named, &trigger->handler, &told);
    problems_finish(&told);
}

static void read_handler(struct load *load, const struct schema_map *map,
                         struct trigger_config *trigger)
{
    const struct yaml_node *node = schema_find(map, "handler");
    struct schema_map inner;

    if (!node || node->wrong) // missing or wrong: said already
        return;
    schema_enter(map, "handler", &inner);
    if (node->type == YAML_MAP)
        schema_apply(&inner, &trigger->handler, load->problems);
    else if (node->type == YAML_SCALAR && !yaml_is_null(node))
        use_named_handler(load, map, node->text, trigger);
    else
        schema_complain(map, "handler", load->problems,
                        "a name or a mapping is wanted");
}

static void read_trigger(struct load *load, const struct yaml_node *entry,
                         struct trigger_config *trigger)
{
    struct schema_map map;

    check_name(load, "triggers", entry);
    trigger->name = mem_strdup(entry->key);
    trigger->line = entry->key_line;
    trigger->column = entry->key_column;
    schema_enter_entry(&load->triggers, entry, &map);
    schema_apply(&map, trigger, load->problems);
    if (entry->type != YAML_MAP)
        return;
    read_handler(load, &map, trigger);
    trigger_config_check(trigger, &map, load->problems);
}

static void read_triggers(struct load *load)
{
    const struct yaml_node *first = first_entry(&load->triggers);
    struct settings *settings = load->settings;
    size_t count = 0;

    for (const struct yaml_node *entry = first; entry; entry = entry->next)
        count++;
    if (!first && load->triggers.node &&
        (load->triggers.node->type == YAML_MAP ||
         yaml_is_null(load->triggers.node)))
        schema_complain(&load->root, "triggers", load->problems,
                        "at least one is wanted");
    settings->triggers = mem_calloc(count, sizeof(*settings->triggers));
    for (const struct yaml_node *entry = first; entry; entry = entry->next)
        read_trigger(load, entry,
                     &settings->triggers[settings->trigger_count++]);
}

static bool is_twin(const struct trigger_config *a,
                    const struct trigger_config *b)
{
    return a->enabled && b->enabled && a->source.type && b->source.type &&
           a->handler.library && b->handler.library &&
           trigger_config_is_twin(a, b);
}

// Lambda refuses a second mapping of one source to one function.
static void refuse_twins(struct load *load)
{
    const struct trigger_config *triggers = load->settings->triggers;

    for (size_t i = 0; i < load->settings->trigger_count; i++)
        for (size_t j = 0; j < i; j++)
            if (is_twin(&triggers[j], &triggers[i])) {
                problems_add(load->problems, load->root.file, triggers[i].line,
                             triggers[i].column,
                             "triggers.%s: takes from the same source for the "
                             "same handler as %s, which is on line %d; Lambda "
                             "refuses that, too: make one trigger of them, or "
                             "give each a handler of its own",
                             triggers[i].name, triggers[j].name,
                             triggers[j].line);
                break;
            }
}

static void check_sections(struct load *load)
{
    struct schema_map map;

    schema_enter(&load->root, "aws", &map);
    aws_config_check(&load->settings->aws, &map, load->problems);
    schema_enter(&load->root, "store", &map);
    store_config_check(&load->settings->store, &map, load->problems);
}

static void read_root(struct load *load)
{
    schema_apply(&load->root, load->settings, load->problems);
    if (load->root.node->type != YAML_MAP)
        return;
    check_sections(load);
    enter_map(load, "handlers", &load->handlers);
    check_handlers(load);
    enter_map(load, "triggers", &load->triggers);
    read_triggers(load);
    refuse_twins(load);
}

static char *absolute(const char *path)
{
    char *folder, *joined;

    if (*path == '/')
        return mem_strdup(path);
    folder = getcwd(NULL, 0);
    joined = mem_printf("%s/%s", folder ? folder : ".", path);
    free(folder);
    return joined;
}

struct settings *settings_load(const char *path, struct problems *problems)
{
    struct settings *settings = mem_calloc(1, sizeof(*settings));
    size_t before = problems->added;
    struct yaml_node *root = yaml_read_file(path, problems);
    AUTO_FREE char *folder = absolute(path);

    settings->path = mem_strdup(folder);
    *strrchr(folder, '/') = '\0';
    if (root)
        read_root(&(struct load){.settings = settings,
                                 .root = {.file = path,
                                          .folder = folder,
                                          .fields = settings_fields,
                                          .node = root},
                                 .problems = problems});
    yaml_destroy(root);
    if (problems->added == before)
        return settings;
    settings_destroy(settings);
    return NULL;
}

void settings_destroy(struct settings *settings)
{
    if (!settings)
        return;
    for (size_t i = 0; i < settings->trigger_count; i++)
        trigger_config_finish(&settings->triggers[i]);
    free(settings->triggers);
    schema_release(settings_fields, settings);
    free(settings->path);
    free(settings);
}
