/*
 * api_error: the errors that AWS's services answer with: what JSON calls them,
 * what the Query protocol calls them, the HTTP status, and whose fault it is.
 *
 * Threads: constants.
 */
#ifndef POLLARD_LOCAL_API_ERROR_H
#define POLLARD_LOCAL_API_ERROR_H

#include <stdbool.h>

#include "base/bytes.h"

enum api_error {
    // Before any operation.
    API_ACCESS_DENIED,
    API_EXPIRED_TOKEN,
    API_INCOMPLETE_SIGNATURE,
    API_INTERNAL_FAILURE,
    API_INVALID_CLIENT_TOKEN,
    API_INVALID_SIGNATURE,
    API_MISSING_AUTHENTICATION,
    API_OPT_IN_REQUIRED,
    API_REQUEST_EXPIRED,
    API_SERIALIZATION,
    API_SERVICE_UNAVAILABLE,
    API_THROTTLING,
    API_TOO_LARGE,
    API_UNKNOWN_OPERATION,
    API_UNRECOGNIZED_CLIENT,
    API_VALIDATION,

    // SQS.
    API_BATCH_IDS_NOT_DISTINCT,
    API_BATCH_TOO_LONG,
    API_EMPTY_BATCH,
    API_INVALID_ADDRESS,
    API_INVALID_ATTRIBUTE_NAME,
    API_INVALID_ATTRIBUTE_VALUE,
    API_INVALID_BATCH_ID,
    API_INVALID_CONTENTS,
    API_INVALID_PARAMETER,
    API_INVALID_SECURITY,
    API_KMS_THROTTLED,
    API_MESSAGE_NOT_IN_FLIGHT,
    API_MISSING_PARAMETER,
    API_OVER_LIMIT,
    API_PURGE_IN_PROGRESS,
    API_QUEUE_DELETED_RECENTLY,
    API_QUEUE_DOES_NOT_EXIST,
    API_QUEUE_NAME_EXISTS,
    API_RECEIPT_INVALID,
    API_REQUEST_THROTTLED,
    API_RESOURCE_NOT_FOUND,
    API_TOO_MANY_ENTRIES,
    API_UNSUPPORTED_OPERATION,

    // Kinesis.
    API_EXPIRED_ITERATOR,
    API_EXPIRED_NEXT_TOKEN,
    API_INTERNAL_FAILURE_EXCEPTION,
    API_INVALID_ARGUMENT,
    API_KMS_THROTTLING_EXCEPTION,
    API_LIMIT_EXCEEDED,
    API_RESOURCE_IN_USE,
    API_THROUGHPUT_EXCEEDED,
};

struct api_error_info {
    const char *type;  // in JSON and CBOR, after any prefix
    const char *query; // in XML and in x-amzn-query-error
    int status;
    bool receiver; // the service's fault, not the sender's
};

const struct api_error_info *api_error_info(enum api_error error);

/* By either of its names; NULL when it is none of ours. */
const struct api_error_info *api_error_find(struct bytes name);

#endif
