#include "cli/filter_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "cli/command.h"

#define PIECE 65536
#define SHOWN 60 // bytes before and behind a mistake

static bool read_all(FILE *file, struct buffer *content, struct error *err)
{
    char *at;
    size_t got = 1;

    while (got > 0 && (at = buffer_reserve(content, PIECE))) {
        got = fread(at, 1, PIECE, file);
        content->size += got;
    }
    return !ferror(file) ||
           error_set(err, ERROR_NOT_FOUND, "%s", strerror(errno));
}

static bool read_file(struct filter_text *text, const char *path, size_t limit,
                      struct error *err)
{
    bool is_stdin = !strcmp(path, "-"), ok;
    FILE *file = is_stdin ? stdin : fopen(path, "re");

    text->name = is_stdin ? "standard input" : path;
    if (!file)
        return error_set(err, ERROR_NOT_FOUND, "%s (JSON begins with {)",
                         strerror(errno));
    ok = read_all(file, &text->content, err);
    if (!is_stdin)
        (void)fclose(file);
    if (ok && text->content.size > limit)
        return error_set(err, ERROR_INVALID, "more than %zu bytes", limit);
    return ok;
}

bool filter_text_read(struct filter_text *text, const char *given,
                      const char *kind, size_t limit, struct error *err)
{
    const char *first = given + strspn(given, " \t\r\n");

    *text = (struct filter_text){.name = kind};
    buffer_init(&text->content, limit + PIECE);
    if (*first != '{')
        return read_file(text, given, limit, err);
    buffer_append_text(&text->content, given);
    return text->content.size <= limit ||
           error_set(err, ERROR_INVALID, "more than %zu bytes", limit);
}

void filter_text_skip_mark(struct filter_text *text)
{
    struct buffer *content = &text->content;

    if (content->size < 3 || memcmp(content->data, "\xef\xbb\xbf", 3) != 0)
        return;
    content->size -= 3;
    memmove(content->data, content->data + 3, content->size);
}

void filter_text_finish(struct filter_text *text)
{
    buffer_finish(&text->content);
}

// ---- places ----------------------------------------------------------------

static struct bytes line_at(const struct filter_text *text, size_t offset)
{
    struct bytes all = buffer_bytes(&text->content);
    size_t from = offset, to = offset;

    while (from > 0 && all.data[from - 1] != '\n')
        from--;
    while (to < all.size && all.data[to] != '\n')
        to++;
    return (struct bytes){all.data + from, to - from};
}

static bool is_inside_character(char c)
{
    return (c & 0xc0) == 0x80;
}

static size_t characters(struct bytes text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += !is_inside_character(text.data[i]);
    return count;
}

static size_t line_number(const struct filter_text *text, size_t offset)
{
    size_t line = 1;

    for (size_t i = 0; i < offset; i++)
        line += text->content.data[i] == '\n';
    return line;
}

// A tab is as wide as a blank, so that the caret stands where it should.
static void print_excerpt(struct bytes excerpt)
{
    AUTO_FREE char *copy =
        mem_strndup(excerpt.size ? excerpt.data : "", excerpt.size);

    for (char *c = copy; *c; c++)
        if (*c == '\t')
            *c = ' ';
    command_print(stderr, copy);
}

// What of the line is shown: no more than SHOWN bytes to each side of `at`.
static struct bytes excerpt_of(struct bytes line, size_t *at)
{
    size_t from = *at > SHOWN ? *at - SHOWN : 0;
    size_t to = line.size - *at > SHOWN ? *at + SHOWN : line.size;

    while (from < *at && is_inside_character(line.data[from]))
        from++;
    while (to < line.size && is_inside_character(line.data[to]))
        to++;
    *at -= from;
    return (struct bytes){line.data + from, to - from};
}

void filter_text_complain(const struct filter_text *text, size_t offset,
                          const char *message)
{
    struct bytes line, excerpt;
    size_t at;

    if (offset > text->content.size)
        offset = text->content.size;
    line = line_at(text, offset);
    at = (size_t)(text->content.data + offset - line.data);
    (void)fflush(stdout); // in the order of what is said
    (void)fputs("pollard filter: ", stderr);
    command_print(stderr, text->name);
    (void)fprintf(stderr, ":%zu:%zu: ", line_number(text, offset),
                  characters((struct bytes){line.data, at}) + 1);
    command_print(stderr, message);
    (void)fputs("\n  ", stderr);
    excerpt = excerpt_of(line, &at);
    print_excerpt(excerpt);
    (void)fprintf(stderr, "\n  %*s^\n",
                  (int)characters((struct bytes){excerpt.data, at}), "");
}
