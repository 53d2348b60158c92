/*
 * yaml_place: lines and columns of a YAML text to bytes and back, as libyaml
 * counts them: from 0, columns in characters.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_YAML_PLACE_H
#define POLLARD_YAML_PLACE_H

#include <yaml.h>

#include "base/bytes.h"

/* Line and column of a byte. */
yaml_mark_t yaml_place_of(struct bytes source, size_t offset);

/* The byte that stands there; the line's end when the line is shorter. */
size_t yaml_place_offset(struct bytes source, yaml_mark_t place);

#endif
