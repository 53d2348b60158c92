/*
 * object_name: what reports and results are called in a bucket or a folder.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_OBJECT_NAME_H
#define POLLARD_OBJECT_NAME_H

#include <stdint.h>

#include "base/bytes.h"

#define UUID_SIZE 37 // with its end

/* 16 bytes as a UUID of this version: 4 is chance, 8 our own making. */
void object_uuid(const uint8_t bytes[16], unsigned version,
                 char uuid[UUID_SIZE]);

/* The same of a trigger's name, always: what stands for Lambda's mapping. */
void object_uuid_of_trigger(const char *trigger, char uuid[UUID_SIZE]);

/* "aws/lambda/MAPPING/SHARD/2026/11/22/2026-11-22T15.00.00-UUID", as Lambda
 * has it (lambda-esm.md section 4.2). What could leave the folder in a shard's
 * name is replaced. */
void object_name_report(struct buffer *out, const char *mapping,
                        const char *shard, int64_t wall_ms, const char *uuid);

/* "2026/11/22/2026-11-22T15.00.00-UUID" */
void object_name_result(struct buffer *out, int64_t wall_ms, const char *uuid);

#endif
