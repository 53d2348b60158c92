#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
    static const char message[] = "pollard: out of memory\n";

    if (!memory) {
        (void)fwrite(message, 1, sizeof(message) - 1, stderr);
        abort();
    }
    return memory;
}

void *mem_calloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *mem_realloc(void *memory, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return checked(NULL);
    return checked(realloc(memory, count && size ? count * size : 1));
}

char *mem_strdup(const char *text)
{
    return text ? checked(strdup(text)) : NULL;
}

char *mem_strndup(const char *text, size_t size)
{
    char *copy = mem_calloc(size + 1, 1);

    if (size)
        memcpy(copy, text, size);
    return copy;
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return checked(text);
}

void mem_wipe_free(void *memory, size_t size)
{
    if (memory)
        explicit_bzero(memory, size);
    free(memory);
}

void mem_wipe_text(char *text)
{
    mem_wipe_free(text, text ? strlen(text) : 0);
}

void mem_auto_free(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}
