/*
 * kpl: the user records out of a Kinesis record that the Kinesis Producer
 * Library, or whoever writes its format, aggregated (wire.md section 3):
 *
 *     F3 89 9A C2 | protobuf, kpl.proto | MD5 of the protobuf
 *
 * What is not of this form to the last byte is an ordinary record, as for KCL:
 * another digest, a protobuf that cannot be read, an index past its table. KCL
 * hands out the user records before a wrong index and drops the others; here
 * such a record stays whole, so nothing of it is lost.
 *
 * User records are handed out wherever their keys hash to. KCL drops an
 * aggregated record of which a part hashes outside of the shard: a KPL that met
 * a split sends such parts again, but other producers do not.
 *
 * Threads: none; its owner's.
 */
#ifndef POLLARD_KPL_H
#define POLLARD_KPL_H

#include <stdint.h>

struct chunk;
struct kpl;
struct record;

/* What reading one record, and its user records, may take of memory each. A
 * record of 10 MiB, the largest there are, has room for 100,000 user records;
 * one that claims more is an ordinary record. */
#define KPL_MEMORY_LIMIT (64u * 1024 * 1024)

struct kpl *kpl_create(void);

/* NULL is fine. */
void kpl_destroy(struct kpl *kpl);

/*
 * The user records of an aggregated record but the first `skip`, each like the
 * record but for its data, key and place, in a chunk that borrows nothing of
 * the record. None may be left: destroy such a chunk. NULL: an ordinary record;
 * when it looked like an aggregated one, *why is what is wrong with it, else
 * NULL.
 */
struct chunk *kpl_open(struct kpl *kpl, const struct record *record,
                       uint32_t skip, const char **why);

#endif
