#include "filter/address.h"

#include <arpa/inet.h>
#include <ctype.h>

#define V4_SIZE 15 // "255.255.255.255"; with leading zeros no more than that

static bool parse_v4(struct bytes text, struct address *address)
{
    unsigned numbers = 0, number = 0, digits = 0;

    if (text.size > V4_SIZE)
        return false;
    for (size_t i = 0; i <= text.size; i++) {
        char c = i < text.size ? text.data[i] : '.';

        if (c >= '0' && c <= '9') {
            number = number * 10 + (unsigned)(c - '0');
            digits++;
            if (number > 255)
                return false;
            continue;
        }
        if (c != '.' || !digits || numbers == 4)
            return false;
        address->bytes[numbers++] = (uint8_t)number;
        number = digits = 0;
    }
    address->size = 4;
    return numbers == 4;
}

// As inet_pton takes it: without leading zeros, of which EventBridge minds
// none.
static bool copy_v6(struct bytes text, char *copy, size_t room)
{
    char *out = copy, *group = copy;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];

        if (!isxdigit((unsigned char)c) && c != ':')
            return false;
        if (c != ':' && out == group + 1 && *group == '0')
            out = group;
        if (out + 1 == copy + room)
            return false;
        *out++ = c;
        if (c == ':')
            group = out;
    }
    *out = 0;
    return true;
}

static bool parse_v6(struct bytes text, struct address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char copy[INET6_ADDRSTRLEN];

    if (!copy_v6(text, copy, sizeof(copy)))
        return false;
    if (inet_pton(AF_INET6, copy, address->bytes) != 1)
        return false;
    address->size = 16;
    if (memcmp(address->bytes, mapped, sizeof(mapped)) != 0)
        return true;
    memmove(address->bytes, address->bytes + 12, 4);
    address->size = 4;
    return true;
}

bool address_parse(struct bytes text, struct address *address)
{
    *address = (struct address){0};
    if (text.size < 2)
        return false;
    return memchr(text.data, ':', text.size) ? parse_v6(text, address)
                                             : parse_v4(text, address);
}

// The bits of byte i that are within the prefix.
static uint8_t mask_of(unsigned prefix, unsigned i)
{
    if (prefix >= 8 * (i + 1))
        return 0xff;
    if (prefix <= 8 * i)
        return 0;
    return (uint8_t)(0xff << (8 - prefix % 8));
}

static bool parse_prefix(struct bytes text, unsigned *prefix)
{
    unsigned number = 0;

    if (!text.size || text.size > 3)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text.data[i] - '0');
    }
    *prefix = number;
    return true;
}

bool address_parse_block(struct bytes text, struct address_block *block,
                         const char **reason)
{
    const char *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
    size_t size = slash ? (size_t)(slash - text.data) : 0;
    unsigned bits;

    *reason = "not an address, a slash and a number of bits (10.0.0.0/24)";
    if (!slash ||
        !parse_prefix((struct bytes){slash + 1, text.size - size - 1},
                      &block->prefix) ||
        !address_parse((struct bytes){text.data, size}, &block->first))
        return false;
    bits = 8u * block->first.size;
    *reason = bits == 32 ? "the bits of an IPv4 block are 0 to 31"
                         : "the bits of an IPv6 block are 0 to 127";
    if (block->prefix >= bits)
        return false;
    for (unsigned i = 0; i < block->first.size; i++)
        block->first.bytes[i] &= mask_of(block->prefix, i);
    return true;
}

bool address_is_within(const struct address *address,
                       const struct address_block *block)
{
    if (address->size != block->first.size)
        return false;
    for (unsigned i = 0; i < address->size; i++)
        if ((address->bytes[i] & mask_of(block->prefix, i)) !=
            block->first.bytes[i])
            return false;
    return true;
}
