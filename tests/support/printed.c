#include "printed.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "test.h"

void printed_begin(struct printed *printed)
{
    (void)fflush(stdout);
    printed->saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    printed->memory = memfd_create("printed", MFD_CLOEXEC);
    assert_true(dup2(printed->memory, STDOUT_FILENO) >= 0);
}

char *printed_end(struct printed *printed)
{
    off_t size;
    char *text;

    (void)fflush(stdout);
    assert_true(dup2(printed->saved, STDOUT_FILENO) >= 0);
    size = lseek(printed->memory, 0, SEEK_END);
    text = mem_calloc((size_t)size + 1, 1);
    assert_int_equal(pread(printed->memory, text, (size_t)size, 0), size);
    (void)close(printed->saved);
    (void)close(printed->memory);
    return text;
}
