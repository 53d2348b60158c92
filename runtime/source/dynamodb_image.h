/*
 * dynamodb_image: one change of an item, as GetRecords tells it and as Lambda's
 * events do: members in the order recorded on AWS (lambda-esm.md section 2.3),
 * without white space, strings with no escapes but the necessary ones.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_DYNAMODB_IMAGE_H
#define POLLARD_DYNAMODB_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct dynamodb_image {                      // slices of the answer
    int64_t created_ms;                      // whole seconds, since 1970
    struct bytes keys, new_image, old_image; // JSON; overwritten as it is read
    struct bytes sequence_number, view_type; // text; view_type empty: none
    int64_t size_bytes;
    bool has_identity;
    struct bytes principal_id, identity_type; // text
};

/* The keys alone, by name, so that one item always has one text; nothing when
 * there are none. False: they are no object of a few members. Overwrites
 * nothing, so it goes before the next. */
bool dynamodb_image_put_key(const struct dynamodb_image *image,
                            struct buffer *out);

/* {"ApproximateCreationDateTime":...}. False: keys or an image is no object. */
bool dynamodb_image_put(const struct dynamodb_image *image, struct buffer *out);

/* {"principalId":...,"type":...}; nothing when there is none. */
void dynamodb_image_put_identity(const struct dynamodb_image *image,
                                 struct buffer *out);

#endif
