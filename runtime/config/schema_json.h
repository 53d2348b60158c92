/*
 * schema_json: YAML as JSON, by YAML 1.2's core schema: plain `null`, `true`,
 * `12` and `1.5` are what they look like, all else and everything quoted is
 * text.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SCHEMA_JSON_H
#define POLLARD_SCHEMA_JSON_H

struct json_t;
struct yaml_node;

/* NULL when something in it has no JSON (.inf, a number over 64 bits); *wrong
 * is that node. Caller decrefs. */
struct json_t *schema_json(const struct yaml_node *node,
                           const struct yaml_node **wrong);

#endif
