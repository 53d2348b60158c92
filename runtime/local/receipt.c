#include "local/receipt.h"

// Nobody else reads it, so it is the struct as it lies in memory.
_Static_assert(sizeof(struct receipt) == 24,
               "a receipt has no padding to leak");

size_t receipt_write(uint64_t key, const struct receipt *receipt,
                     char text[TOKEN_TEXT_LIMIT])
{
    return token_write(key, TOKEN_RECEIPT,
                       (struct bytes){(const char *)receipt, sizeof(*receipt)},
                       text);
}

bool receipt_read(uint64_t key, struct bytes text, struct receipt *receipt)
{
    char data[TOKEN_DATA_LIMIT];
    size_t size;

    if (!token_read(key, TOKEN_RECEIPT, text, data, &size) ||
        size != sizeof(*receipt))
        return false;
    memcpy(receipt, data, sizeof(*receipt));
    return true;
}
