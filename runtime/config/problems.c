#include "config/problems.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PROBLEMS_LIMIT 100
#define TEXT_LIMIT 1000

void problems_init(struct problems *problems)
{
    *problems = (struct problems){0};
}

static void problem_finish(struct problem *problem)
{
    free(problem->file);
    free(problem->text);
}

void problems_finish(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        problem_finish(&problems->list[i]);
    free(problems->list);
    problems_init(problems);
}

static bool same(const struct problem *a, const struct problem *b)
{
    return a->line == b->line && a->column == b->column &&
           !strcmp(a->text, b->text) && !strcmp(a->file, b->file);
}

static bool precedes(const struct problem *a, const struct problem *b)
{
    return a->line < b->line || (a->line == b->line && a->column < b->column);
}

// A key or value from the file must not forge a line or steer a terminal.
static void clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

static void insert(struct problems *problems, const struct problem *problem)
{
    size_t at = problems->count;

    for (size_t i = 0; i < problems->count; i++)
        if (same(&problems->list[i], problem)) {
            free(problem->file);
            free(problem->text);
            return;
        }
    problems->list = mem_realloc(problems->list, problems->count + 1,
                                 sizeof(*problems->list));
    for (; at > 0 && precedes(problem, &problems->list[at - 1]); at--)
        problems->list[at] = problems->list[at - 1];
    problems->list[at] = *problem;
    problems->count++;
}

bool problems_add(struct problems *problems, const char *file, int line,
                  int column, const char *format, ...)
{
    char text[TEXT_LIMIT];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    clean(text);
    problems->added++;
    insert(problems, &(struct problem){.file = mem_strdup(file),
                                       .line = line,
                                       .column = column,
                                       .text = mem_strdup(text)});
    if (problems->count > PROBLEMS_LIMIT) {
        problem_finish(&problems->list[--problems->count]);
        problems->dropped++;
    }
    return false;
}

void problems_print(const struct problems *problems, FILE *out)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];

        if (problem->line)
            (void)fprintf(out, "%s:%d:%d: %s\n", problem->file, problem->line,
                          problem->column, problem->text);
        else
            (void)fprintf(out, "%s: %s\n", problem->file, problem->text);
    }
    if (problems->dropped)
        (void)fprintf(out, "and %zu more\n", problems->dropped);
}
