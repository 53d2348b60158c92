/*
 * fuzz_ini: every slice that is told lies within the text, and a file that is
 * read is read the same again.
 */
#include "aws/ini.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct watch {
    struct bytes text;
    int line;
    size_t entries;
};

static void check_slice(const struct watch *watch, struct bytes slice)
{
    if (slice.size &&
        (slice.data < watch->text.data ||
         slice.data + slice.size > watch->text.data + watch->text.size ||
         memchr(slice.data, '\n', slice.size)))
        abort();
}

static void look(void *context, const struct ini_entry *entry)
{
    struct watch *watch = context;

    check_slice(watch, entry->section);
    check_slice(watch, entry->key);
    check_slice(watch, entry->nested);
    check_slice(watch, entry->value);
    if (entry->line < watch->line || (entry->nested.size && !entry->key.size))
        abort();
    watch->line = entry->line;
    watch->entries++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); // exact, so that ASan sees the end
    struct watch first = {.text = {copy, size}}, second = first;
    struct error err = {0};

    memcpy(copy, data, size);
    if (ini_read(first.text, look, &first, &err) !=
            ini_read(second.text, look, &second, &err) ||
        first.entries != second.entries)
        abort();
    free(copy);
    return 0;
}
