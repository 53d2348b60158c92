/*
 * fuzz_json_read: what the reader accepts, jansson accepts (but for the
 * intended differences), and nothing is read past the end.
 */
#include "base/json_read.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_told_apart_by_intent(const json_error_t *error)
{
    return json_error_code(error) == json_error_invalid_utf8 ||
           json_error_code(error) == json_error_numeric_overflow ||
           json_error_code(error) == json_error_null_byte_in_key ||
           strstr(error->text, "invalid Unicode") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); // exact, so that ASan sees the end
    struct json_read in;
    json_error_t error;
    json_t *theirs;
    bool ok;

    memcpy(copy, data, size);
    theirs = json_loadb((const char *)data, size,
                        JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    json_read_init(&in, copy, size);
    ok = json_read_skip(&in) && json_read_end(&in);
    if (memchr(data, 0, size)) { // jansson takes a zero byte for the end
        json_decref(theirs);
        theirs = NULL;
        ok = false;
    }
    if (theirs && !ok && strstr(in.error, "deeper") == NULL)
        abort();
    if (!theirs && ok && !is_told_apart_by_intent(&error))
        abort();
    json_decref(theirs);
    free(copy);
    return 0;
}
