#include "config/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "config/problems.h"
#include "config/yaml_reader.h"

#define FILE_LIMIT ((size_t)1024 * 1024)
#define CHUNK ((size_t)64 * 1024)

void yaml_destroy(struct yaml_node *node)
{
    while (node) {
        struct yaml_node *next = node->next;

        yaml_destroy(node->first);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
}

struct yaml_node *yaml_read_text(const char *name, const char *text,
                                 size_t size, struct problems *problems)
{
    if (size <= FILE_LIMIT)
        return yaml_reader_read(name, (struct bytes){text, size}, problems);
    problems_add(problems, name, 0, 0, "the file is over 1 MiB");
    return NULL;
}

// Goes a little past the limit, so that too much is seen.
static bool read_all(int fd, struct buffer *content)
{
    for (;;) {
        char *room = buffer_reserve(content, CHUNK);
        ssize_t got = room ? read(fd, room, CHUNK) : 0;

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        content->size += (size_t)got;
    }
}

struct yaml_node *yaml_read_file(const char *path, struct problems *problems)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct yaml_node *root = NULL;
    struct buffer content;

    buffer_init(&content, FILE_LIMIT + CHUNK);
    if (fd < 0 || !read_all(fd, &content))
        problems_add(problems, path, 0, 0, "cannot be read: %s",
                     strerror(errno));
    else
        root = yaml_read_text(path, content.data, content.size, problems);
    buffer_finish(&content);
    if (fd >= 0)
        close(fd);
    return root;
}

struct yaml_node *yaml_member(const struct yaml_node *map, const char *name)
{
    struct yaml_node *member = map ? map->first : NULL;

    while (member && (!member->key || strcmp(member->key, name) != 0))
        member = member->next;
    return member;
}

bool yaml_is_null(const struct yaml_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

    if (node->type != YAML_SCALAR || node->quoted)
        return false;
    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
        if (!strcmp(node->text, nulls[i]))
            return true;
    return false;
}
