/*
 * yaml_reader: libyaml's events into the tree of config/yaml.h, within its
 * bounds.
 *
 * Threads: one thread.
 */
#ifndef POLLARD_YAML_READER_H
#define POLLARD_YAML_READER_H

#include "base/bytes.h"

struct problems;
struct yaml_node;

/* As yaml_read_text. */
struct yaml_node *yaml_reader_read(const char *name, struct bytes source,
                                   struct problems *problems);

#endif
