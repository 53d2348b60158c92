/*
 * yaml: a YAML file as a tree in which every node knows its line and column.
 * libyaml's events in, nothing typed out: scalars stay text, so that the schema
 * decides what `10` or `yes` means. `${NAME}` and `${NAME:-default}` are
 * replaced from the environment, inside values only.
 *
 * Bounded: file size, nesting, number of nodes, and what aliases expand to
 * (alias bombs). Every mistake goes to the problems list.
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
    bool quoted;      // 'x', "x" or a block scalar: never null or a number
    char *key;        // owned; the member's name when the parent is a map
    int key_line, key_column;
    struct yaml_node *first; // owned; items or members, in the file's order
    struct yaml_node *next;
};

/* The tree of the file, or NULL with at least one problem added. Caller frees
 * with yaml_free. An empty file is a problem. */
struct yaml_node *yaml_read_file(const char *path, struct problems *problems);

/* The same from memory; `name` stands for the file in messages. */
struct yaml_node *yaml_read_text(const char *name, const char *text,
                                 size_t size, struct problems *problems);
void yaml_free(struct yaml_node *node);

/* The member of a map by name, or NULL. */
struct yaml_node *yaml_member(const struct yaml_node *map, const char *name);

#endif
