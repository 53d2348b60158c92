#include "aws/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"

#define TOKEN_LIMIT (64 * 1024)
#define CHUNK 4096

// In one piece from the start, so that no outgrown copy of a secret is left
// behind in freed memory.
static void make_room(FILE *file, struct buffer *content)
{
    struct stat status;

    if (!fstat(fileno(file), &status) && status.st_size > 0 &&
        status.st_size <= (off_t)content->limit)
        (void)buffer_reserve(content, (size_t)status.st_size);
}

static bool read_all(FILE *file, struct buffer *content, struct error *err)
{
    char chunk[CHUNK];
    size_t more;

    make_room(file, content);
    while ((more = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buffer_append(content, chunk, more);
    explicit_bzero(chunk, sizeof(chunk));
    if (ferror(file))
        return error_set(err, ERROR_INVALID, "%s", strerror(errno));
    return buffer_ok(content) ||
           error_set(err, ERROR_INVALID, "over %zu bytes", content->limit);
}

bool files_read(const char *path, struct buffer *content, struct error *err)
{
    FILE *file = fopen(path, "re");
    bool ok;

    if (!file)
        return error_set(err,
                         errno == ENOENT || errno == ENOTDIR ? ERROR_NOT_FOUND
                                                             : ERROR_INVALID,
                         "%s: %s", path, strerror(errno));
    (void)setvbuf(file, NULL, _IONBF, 0);
    ok = read_all(file, content, err);
    (void)fclose(file);
    return ok || error_wrap(err, "%s", path);
}

bool files_read_token(const char *path, char **token, struct error *err)
{
    struct buffer content;
    bool ok;

    buffer_init(&content, TOKEN_LIMIT);
    ok = files_read(path, &content, err);
    while (content.size && strchr(" \t\r\n", content.data[content.size - 1]))
        content.size--;
    if (ok && !content.size)
        ok = error_set(err, ERROR_INVALID, "%s: empty", path);
    if (ok)
        *token = buffer_detach(&content);
    else
        buffer_wipe(&content);
    return ok;
}
