/*
 * yaml: a YAML file as a tree in which every node knows its line and column.
 * libyaml's events in, nothing typed out: scalars stay text, so that the schema
 * decides what `10` or `yes` means. `${NAME}` and `${NAME:-default}` are
 * replaced from the environment, inside values only (config/variables.h).
 *
 * Bounded: file size (1 MiB), nesting (32), and, counting what aliases expand
 * to, the number of nodes (100,000) and of characters (16 MiB). Every mistake
 * goes to the problems list.
 *
 * Threads: built and read by one thread.
 */
#ifndef POLLARD_YAML_H
#define POLLARD_YAML_H

#include <stdbool.h>
#include <stddef.h>

struct problems;

enum yaml_type { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_type type;
    int line, column; // from 1
    char *text;       // owned; scalar value after replacement
    bool quoted;      // 'x', "x", a block scalar or !!str: never null or a
                      // number
    bool replaced;    // some of it came from the environment: not for messages
    bool wrong;       // a problem was added already; do not add another
    char *key;        // owned; the member's name when the parent is a map
    int key_line, key_column;
    struct yaml_node *first; // owned; items or members, in the file's order
    struct yaml_node *next;
};

/* The tree of the file, or NULL when there is none to go on with. Mistakes that
 * leave a tree (a key given twice, an unset variable) are problems too: the
 * file is good when no problem was added. Nothing but `${NAME:-}` that comes
 * out empty leaves its key out. Caller frees with yaml_destroy. */
struct yaml_node *yaml_read_file(const char *path, struct problems *problems);

/* The same from memory; `name` stands for the file in messages. */
struct yaml_node *yaml_read_text(const char *name, const char *text,
                                 size_t size, struct problems *problems);

/* NULL is fine. (libyaml itself exports a yaml_free.) */
void yaml_destroy(struct yaml_node *node);

/* The member of a map by name, or NULL. */
struct yaml_node *yaml_member(const struct yaml_node *map, const char *name);

/* Nothing was written, or null (YAML 1.2's core schema). */
bool yaml_is_null(const struct yaml_node *node);

#endif
