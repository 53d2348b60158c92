/*
 * address: IP addresses in text, as EventBridge reads them: four decimal
 * numbers, or IPv6 without a zone. A mapped address (::ffff:a00:1) is the IPv4
 * address that it stands for.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_ADDRESS_H
#define POLLARD_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct address {
    uint8_t bytes[16];
    uint8_t size; // 4 or 16
};

struct address_block {
    struct address first; // bits behind the prefix are zero
    unsigned prefix;      // bits
};

/* False when the text is no address. */
bool address_parse(struct bytes text, struct address *address);

/* "10.0.0.0/24"; the prefix leaves one bit at least, as in EventBridge. On
 * failure *reason says what is wrong. */
bool address_parse_block(struct bytes text, struct address_block *block,
                         const char **reason);

bool address_is_within(const struct address *address,
                       const struct address_block *block);

#endif
