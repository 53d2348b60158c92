#include "cli/reference.h"

#include <jansson.h>

#include "base/mem.h"
#include "config/problems.h"
#include "config/schema.h"
#include "supervisor/settings.h"

#include "test.h"

static char *written(void (*write)(FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    write(out);
    (void)fclose(out);
    return text;
}

static void check_example(const char *text, size_t size)
{
    char *folder = test_folder_create();
    AUTO_FREE char *path = mem_printf("%s/example.yaml", folder);
    FILE *file = fopen(path, "w");
    struct problems problems;
    struct settings *settings;

    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    problems_init(&problems);
    settings = settings_load(path, &problems);
    problems_print(&problems, stderr);
    assert_non_null(settings);
    settings_destroy(settings);
    problems_finish(&problems);
    test_folder_remove(folder);
}

static void test_every_example_of_the_manual_is_good(void **state)
{
    static const char begin[] = "```yaml\n", end[] = "```\n";
    AUTO_FREE char *text = written(reference_write_markdown);
    const char *at = text;
    size_t examples = 0;

    (void)state;
    while ((at = strstr(at, begin))) {
        const char *stop = strstr(at + sizeof(begin) - 1, end);

        at += sizeof(begin) - 1;
        assert_non_null(stop);
        check_example(at, (size_t)(stop - at));
        at = stop + sizeof(end) - 1;
        examples++;
    }
    assert_true(examples >= 5);
}

static void test_the_manual_is_the_one_in_docs(void **state)
{
    AUTO_FREE char *text = written(reference_write_markdown);
    size_t size = strlen(text);
    AUTO_FREE char *found = mem_calloc(size + 2, 1);
    FILE *file = fopen("docs/triggers.md", "r");

    (void)state;
    assert_non_null(file);
    (void)!fread(found, 1, size + 1, file);
    assert_int_equal(fclose(file), 0);
    if (strcmp(found, text) != 0)
        fail_msg("docs/triggers.md is not what `make docs` writes");
}

// Every row of every table, wherever it is nested.
static void check_rows(const char *text, const struct field *fields)
{
    for (; fields->name; fields++) {
        AUTO_FREE char *dotted = mem_printf(".%s`", fields->name);
        AUTO_FREE char *alone = mem_printf("`%s`", fields->name);

        assert_non_null(fields->help);
        if (!strstr(text, dotted) && !strstr(text, alone))
            fail_msg("%s is not in the manual", fields->name);
        if (fields->type != FIELD_TYPE_PLANNED)
            assert_contains(text, fields->help);
        if (fields->fields)
            check_rows(text, fields->fields);
    }
}

static void test_the_manual_has_every_key(void **state)
{
    AUTO_FREE char *text = written(reference_write_markdown);

    (void)state;
    check_rows(text, settings_fields);
    assert_contains(text, "| `batch_size` | `BatchSize` | 1 to 10000 | 10 for "
                          "queues, 100 for streams |");
    assert_contains(text, "| `admin` |");
    assert_contains(text, "| `handlers.isolation: process` |");
}

static json_t *resolve(json_t *root, json_t *value)
{
    const char *reference = json_string_value(json_object_get(value, "$ref"));

    if (!reference)
        return value;
    assert_int_equal(strncmp(reference, "#/$defs/", 8), 0);
    value = json_object_get(json_object_get(root, "$defs"), reference + 8);
    assert_non_null(value);
    return value;
}

static json_t *property(json_t *root, json_t *map, const char *name)
{
    json_t *value = json_object_get(json_object_get(map, "properties"), name);

    if (!value)
        fail_msg("the schema lacks %s", name);
    return resolve(root, value);
}

static void test_the_schema_knows_both_spellings(void **state)
{
    AUTO_FREE char *text = written(reference_write_json_schema);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_t *trigger, *size;

    (void)state;
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "$schema")),
                        "https://json-schema.org/draft/2020-12/schema");
    trigger = resolve(root, json_object_get(property(root, root, "triggers"),
                                            "additionalProperties"));
    size = property(root, trigger, "batch_size");
    assert_true(json_equal(size, property(root, trigger, "BatchSize")));
    size = json_array_get(json_object_get(size, "anyOf"), 0);
    assert_int_equal(json_integer_value(json_object_get(size, "minimum")), 1);
    assert_int_equal(json_integer_value(json_object_get(size, "maximum")),
                     10000);
    assert_true(
        json_is_false(json_object_get(trigger, "additionalProperties")));
    assert_non_null(json_object_get(property(root, root, "admin"), "not"));
    (void)property(root, trigger, "FunctionName");
    (void)property(root, trigger, "Handler");
    (void)property(root, property(root, trigger, "Source"), "EventSourceArn");
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_example_of_the_manual_is_good),
        cmocka_unit_test(test_the_manual_has_every_key),
        cmocka_unit_test(test_the_manual_is_the_one_in_docs),
        cmocka_unit_test(test_the_schema_knows_both_spellings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
