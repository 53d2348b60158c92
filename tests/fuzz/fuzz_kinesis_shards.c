/*
 * fuzz_kinesis_shards: whatever the bytes are, they are shards with ids or an
 * error.
 */
#include "source/kinesis_shards.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"
#include "source/kinesis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream_shards shards = {0};
    struct error err = {0};
    char *next = NULL;
    bool ok = kinesis_shards_parse((struct bytes){(const char *)data, size},
                                   &shards, &next, &err);

    if (ok == (err.code != ERROR_NONE))
        abort();
    for (size_t i = 0; i < shards.count; i++)
        if (!shards.list[i].id || !shards.list[i].id[0])
            abort();
    stream_shards_finish(&shards);
    free(next);
    return 0;
}
