/*
 * ini: the text format of ~/.aws/config and ~/.aws/credentials (wire.md section
 * 7.2): sections, `key = value`, comments after `#` or `;`, and one level of
 * nesting below a key without value. Pure; slices point into the text.
 */
#ifndef POLLARD_INI_H
#define POLLARD_INI_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"

struct ini_entry {
    struct bytes section; // what stands in the brackets, trimmed
    struct bytes key;     // empty: the section's own line
    struct bytes nested;  // empty, or the key inside `key`'s block
    struct bytes value;
    int line;
};

typedef void ini_entry_fn(void *context, const struct ini_entry *entry);

/* Tell every entry in the text's order. ERROR_INVALID names the line that is
 * neither; the entries before it have been told. */
bool ini_read(struct bytes text, ini_entry_fn *tell, void *context,
              struct error *err);

#endif
