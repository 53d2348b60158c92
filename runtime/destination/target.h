/*
 * target: what a destination's text names: a queue, stream, topic or bucket by
 * its ARN, a folder (file:///folder/) or a URL (https://...).
 *
 * Threads: pure functions, but for target_check_folder, which looks at the
 * disk.
 */
#ifndef POLLARD_TARGET_H
#define POLLARD_TARGET_H

#include <stdbool.h>

#include "base/bytes.h"

struct error;

enum target_kind {
    TARGET_SQS,
    TARGET_KINESIS,
    TARGET_SNS,
    TARGET_S3,
    TARGET_FILE,
    TARGET_HTTP,
};

struct target {
    enum target_kind kind;
    struct bytes name; // of the queue, stream, topic or bucket; the path of the
                       // folder; the URL. A slice of the text
};

/* ERROR_INVALID says what is wrong with it. */
bool target_parse(const char *text, struct target *target, struct error *err);

/* Others must not be able to put reports into it, or to take them away, and we
 * must. A folder that does not exist yet is fine: it will be made. */
bool target_check_folder(const char *path, struct error *err);

#endif
