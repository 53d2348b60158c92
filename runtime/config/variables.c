#include "config/variables.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"

static size_t name_size(const char *text)
{
    size_t size = 0;

    if (isdigit((unsigned char)text[0]))
        return 0;
    while (isalnum((unsigned char)text[size]) || text[size] == '_')
        size++;
    return size;
}

// `text` stands behind "${"; *end is set behind the brace.
static bool replace_one(const char *text, struct buffer *out, const char **end,
                        struct error *err)
{
    size_t size = name_size(text);
    const char *brace = strchr(text, '}'), *behind = text + size, *value;
    AUTO_FREE char *name = mem_strndup(text, size);

    if (!brace)
        return error_set(err, ERROR_INVALID, "${ without its }");
    if (!size || (*behind != '}' && strncmp(behind, ":-", 2) != 0))
        return error_set(err, ERROR_INVALID,
                         "%.*s is neither ${NAME} nor ${NAME:-default} "
                         "(a dollar itself is written $$)",
                         (int)(brace - text < 60 ? brace - text + 3 : 63),
                         text - 2);
    if (memmem(behind, (size_t)(brace - behind), "${", 2))
        return error_set(err, ERROR_INVALID,
                         "a default cannot hold another ${NAME}");
    value = getenv(name);
    *end = brace + 1;
    if (value && (*value || *behind == '}'))
        buffer_append_text(out, value);
    else if (*behind != '}')
        buffer_append(out, behind + 2, (size_t)(brace - behind - 2));
    else
        return error_set(err, ERROR_INVALID,
                         "the environment variable %.60s is not set, and "
                         "there is no default (${NAME:-default})",
                         name);
    return true;
}

bool variables_replace(const char *text, struct buffer *out, const char **at,
                       struct error *err)
{
    for (;;) {
        const char *dollar = strchr(text, '$');

        if (!dollar)
            break;
        buffer_append(out, text, (size_t)(dollar - text));
        text = dollar + 1;
        if (*text == '{') {
            *at = dollar;
            if (!replace_one(text + 1, out, &text, err))
                return false;
            continue;
        }
        buffer_append_char(out, '$');
        if (*text == '$')
            text++;
    }
    buffer_append_text(out, text);
    return true;
}
