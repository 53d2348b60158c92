#include "settings_file.h"

#include <stdio.h>

#include "base/mem.h"
#include "test.h"

struct settings_file *settings_file_create(const char *text)
{
    struct settings_file *made = mem_calloc(1, sizeof(*made));
    FILE *file;

    made->folder = test_folder_create();
    made->path = mem_printf("%s/pollard.yaml", made->folder);
    problems_init(&made->problems);
    file = fopen(made->path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return made;
}

void settings_file_destroy(struct settings_file *file)
{
    problems_finish(&file->problems);
    test_folder_remove(file->folder);
    free(file->path);
    free(file);
}

struct settings *settings_file_load(struct settings_file *file)
{
    return settings_load(file->path, &file->problems);
}

struct settings *settings_file_load_good(struct settings_file *file)
{
    struct settings *settings = settings_file_load(file);

    if (!settings)
        fail_msg("line %d: %s", file->problems.list[0].line,
                 file->problems.list[0].text);
    assert_int_equal(file->problems.count, 0);
    return settings;
}

char *settings_file_told(const struct settings_file *file)
{
    const struct problems *problems = &file->problems;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    for (size_t i = 0; i < problems->count; i++)
        (void)fprintf(out, "%d:%d: %s\n", problems->list[i].line,
                      problems->list[i].column, problems->list[i].text);
    (void)fclose(out);
    return text;
}
