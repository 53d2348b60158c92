#include "aws/form.h"

#include <stdbool.h>

static bool is_unreserved(unsigned char c) // RFC 3986
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c == '~';
}

void form_put(struct buffer *body, struct bytes text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *start = buffer_reserve(body, text.size * 3), *out = start;

    if (!start)
        return;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (is_unreserved(c)) {
            *out++ = (char)c;
            continue;
        }
        *out++ = '%';
        *out++ = digits[c >> 4];
        *out++ = digits[c & 15];
    }
    body->size += (size_t)(out - start);
}
