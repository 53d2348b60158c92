#include "local/api_error.h"

#define SQS "AWS.SimpleQueueService."

// Statuses of the SQS errors: the model's query-compatibility traits.
static const struct api_error_info errors[] = {
    [API_ACCESS_DENIED] = {"AccessDeniedException", "AccessDenied", 400, false},
    [API_EXPIRED_TOKEN] = {"ExpiredTokenException", "ExpiredToken", 400, false},
    [API_INCOMPLETE_SIGNATURE] = {"IncompleteSignatureException",
                                  "IncompleteSignature", 400, false},
    [API_INTERNAL_FAILURE] = {"InternalFailure", "InternalFailure", 500, true},
    [API_INVALID_CLIENT_TOKEN] = {"InvalidClientTokenId",
                                  "InvalidClientTokenId", 403, false},
    [API_INVALID_SIGNATURE] = {"InvalidSignatureException",
                               "SignatureDoesNotMatch", 403, false},
    [API_MISSING_AUTHENTICATION] = {"MissingAuthenticationTokenException",
                                    "MissingAuthenticationToken", 400, false},
    [API_OPT_IN_REQUIRED] = {"OptInRequired", "OptInRequired", 403, false},
    [API_REQUEST_EXPIRED] = {"RequestExpired", "RequestExpired", 400, false},
    [API_SERIALIZATION] = {"SerializationException", "MalformedInput", 400,
                           false},
    [API_SERVICE_UNAVAILABLE] = {"ServiceUnavailable", "ServiceUnavailable",
                                 503, true},
    [API_THROTTLING] = {"ThrottlingException", "Throttling", 400, false},
    [API_TOO_LARGE] = {"RequestEntityTooLargeException",
                       "RequestEntityTooLarge", 413, false},
    [API_UNKNOWN_OPERATION] = {"UnknownOperationException", "InvalidAction",
                               400, false},
    [API_UNRECOGNIZED_CLIENT] = {"UnrecognizedClientException",
                                 "UnrecognizedClient", 400, false},
    [API_VALIDATION] = {"ValidationException", "ValidationError", 400, false},

    [API_BATCH_IDS_NOT_DISTINCT] = {"BatchEntryIdsNotDistinct",
                                    SQS "BatchEntryIdsNotDistinct", 400, false},
    [API_BATCH_TOO_LONG] = {"BatchRequestTooLong", SQS "BatchRequestTooLong",
                            400, false},
    [API_EMPTY_BATCH] = {"EmptyBatchRequest", SQS "EmptyBatchRequest", 400,
                         false},
    [API_INVALID_ADDRESS] = {"InvalidAddress", "InvalidAddress", 404, false},
    [API_INVALID_ATTRIBUTE_NAME] = {"InvalidAttributeName",
                                    "InvalidAttributeName", 400, false},
    [API_INVALID_ATTRIBUTE_VALUE] = {"InvalidAttributeValue",
                                     "InvalidAttributeValue", 400, false},
    [API_INVALID_BATCH_ID] = {"InvalidBatchEntryId", SQS "InvalidBatchEntryId",
                              400, false},
    [API_INVALID_CONTENTS] = {"InvalidMessageContents",
                              "InvalidMessageContents", 400, false},
    [API_INVALID_PARAMETER] = {"InvalidParameterValueException",
                               "InvalidParameterValue", 400, false},
    [API_INVALID_SECURITY] = {"InvalidSecurity", "InvalidSecurity", 403, false},
    [API_KMS_THROTTLED] = {"KmsThrottled", "KMS.ThrottlingException", 400,
                           false},
    [API_MESSAGE_NOT_IN_FLIGHT] = {"MessageNotInflight",
                                   SQS "MessageNotInflight", 400, false},
    [API_MISSING_PARAMETER] = {"MissingRequiredParameterException",
                               "MissingParameter", 400, false},
    [API_OVER_LIMIT] = {"OverLimit", "OverLimit", 403, false},
    [API_PURGE_IN_PROGRESS] = {"PurgeQueueInProgress",
                               SQS "PurgeQueueInProgress", 403, false},
    [API_QUEUE_DELETED_RECENTLY] = {"QueueDeletedRecently",
                                    SQS "QueueDeletedRecently", 400, false},
    [API_QUEUE_DOES_NOT_EXIST] = {"QueueDoesNotExist", SQS "NonExistentQueue",
                                  400, false},
    [API_QUEUE_NAME_EXISTS] = {"QueueNameExists", "QueueAlreadyExists", 400,
                               false},
    [API_RECEIPT_INVALID] = {"ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid",
                             404, false},
    [API_REQUEST_THROTTLED] = {"RequestThrottled", "RequestThrottled", 403,
                               false},
    [API_RESOURCE_NOT_FOUND] = {"ResourceNotFoundException",
                                "ResourceNotFoundException", 400, false},
    [API_TOO_MANY_ENTRIES] = {"TooManyEntriesInBatchRequest",
                              SQS "TooManyEntriesInBatchRequest", 400, false},
    [API_UNSUPPORTED_OPERATION] = {"UnsupportedOperation",
                                   SQS "UnsupportedOperation", 400, false},

    [API_EXPIRED_ITERATOR] = {"ExpiredIteratorException",
                              "ExpiredIteratorException", 400, false},
    [API_EXPIRED_NEXT_TOKEN] = {"ExpiredNextTokenException",
                                "ExpiredNextTokenException", 400, false},
    [API_INTERNAL_FAILURE_EXCEPTION] = {"InternalFailureException",
                                        "InternalFailureException", 500, true},
    [API_INVALID_ARGUMENT] = {"InvalidArgumentException",
                              "InvalidArgumentException", 400, false},
    [API_KMS_THROTTLING_EXCEPTION] = {"KMSThrottlingException",
                                      "KMSThrottlingException", 400, false},
    [API_LIMIT_EXCEEDED] = {"LimitExceededException", "LimitExceededException",
                            400, false},
    [API_RESOURCE_IN_USE] = {"ResourceInUseException", "ResourceInUseException",
                             400, false},
    [API_THROUGHPUT_EXCEEDED] = {"ProvisionedThroughputExceededException",
                                 "ProvisionedThroughputExceededException", 400,
                                 false},
};

const struct api_error_info *api_error_info(enum api_error error)
{
    return &errors[error];
}

const struct api_error_info *api_error_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (bytes_equal(name, bytes_of(errors[i].type)) ||
            bytes_equal(name, bytes_of(errors[i].query)))
            return &errors[i];
    return NULL;
}
