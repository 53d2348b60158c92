/*
 * schema_json: YAML as JSON, by YAML 1.2's core schema: plain `null`, `true`,
 * `12` and `1.5` are what they look like, all else and everything quoted is
 * text.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SCHEMA_JSON_H
#define POLLARD_SCHEMA_JSON_H

#include <stddef.h>

struct buffer;
struct json_t;
struct yaml_node;

/* NULL when something in it has no JSON (.inf, a number over 64 bits); *wrong
 * is that node. Caller decrefs. */
struct json_t *schema_json(const struct yaml_node *node,
                           const struct yaml_node **wrong);

/* The same as text, in which a number keeps its digits. What has no form in
 * JSON stands there as it is. Finite as the tree is. */
void schema_json_text(const struct yaml_node *node, struct buffer *out);

/* Where in the file that stands which is written from byte `offset` on. */
void schema_json_place(const struct yaml_node *node, size_t offset, int *line,
                       int *column);

#endif
