/*
 * fuzz_shared_object: whatever bytes a library file consists of, the check says
 * yes or a sentence.
 */
#include "handler/shared_object.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("library", MFD_CLOEXEC);
    struct error err = {0};

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    if (!shared_object_check(fd, &err) &&
        (err.code != ERROR_INVALID || !err.message[0]))
        abort();
    (void)close(fd);
    return 0;
}
