/*
 * fuzz_yaml: any bytes as a configuration: a tree or a problem, within bounds,
 * and through the tables of the whole file without a leak or a crash.
 */
#include "config/yaml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/problems.h"
#include "config/schema.h"
#include "supervisor/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply(const struct yaml_node *root, struct problems *problems)
{
    const struct schema_map map = {.file = "fuzz",
                                   .folder = "/fuzz",
                                   .fields = settings_fields,
                                   .node = root};
    struct settings settings;

    memset(&settings, 0, sizeof(settings));
    schema_apply(&map, &settings, problems);
    schema_release(settings_fields, &settings);
}

// Through trigger and handler tables too, whatever the text is meant to be.
static void apply_trigger(const struct yaml_node *root,
                          struct problems *problems)
{
    const struct schema_map map = {.file = "fuzz",
                                   .folder = "/fuzz",
                                   .fields = trigger_config_fields,
                                   .node = root};
    struct trigger_config trigger;

    memset(&trigger, 0, sizeof(trigger));
    schema_apply(&map, &trigger, problems);
    if (root->type == YAML_MAP)
        trigger_config_check(&trigger, &map, problems);
    trigger_config_finish(&trigger);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems;
    struct yaml_node *root;

    problems_init(&problems);
    root = yaml_read_text("fuzz", (const char *)data, size, &problems);
    if (root) {
        apply(root, &problems);
        apply_trigger(root, &problems);
    } else if (!problems.count) {
        abort();
    }
    yaml_destroy(root);
    problems_finish(&problems);
    return 0;
}
