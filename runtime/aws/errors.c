#include "aws/errors.h"

#include <stdio.h>

#include "aws/error_body.h"

enum trait { TRAIT_NONE, TRAIT_CLOCK, TRAIT_STALE };

struct known {
    const char *code;
    const char *shape; // the name it goes by here; NULL: the code
    enum error_code reaction;
    enum trait trait;
};

// clang-format off
static const struct known known_codes[] = {
    // Credentials and clock.
    {"ExpiredToken", NULL, ERROR_DENIED, TRAIT_STALE},
    {"ExpiredTokenException", NULL, ERROR_DENIED, TRAIT_STALE},
    {"InvalidToken", NULL, ERROR_DENIED, TRAIT_STALE},
    {"UnrecognizedClientException", NULL, ERROR_DENIED, TRAIT_STALE},
    {"InvalidClientTokenId", NULL, ERROR_DENIED, TRAIT_STALE},
    {"InvalidSignatureException", NULL, ERROR_DENIED, TRAIT_CLOCK},
    {"SignatureDoesNotMatch", NULL, ERROR_DENIED, TRAIT_CLOCK},
    {"RequestTimeTooSkewed", NULL, ERROR_DENIED, TRAIT_CLOCK},
    {"RequestExpired", NULL, ERROR_DENIED, TRAIT_CLOCK},
    {"RequestInTheFuture", NULL, ERROR_DENIED, TRAIT_CLOCK},
    {"AuthFailure", NULL, ERROR_DENIED, TRAIT_CLOCK},
    {"AccessDenied", NULL, ERROR_DENIED, TRAIT_CLOCK},
    {"AccessDeniedException", NULL, ERROR_DENIED, TRAIT_CLOCK},
    {"IncompleteSignature", NULL, ERROR_DENIED, TRAIT_NONE},
    {"IncompleteSignatureException", NULL, ERROR_DENIED, TRAIT_NONE},
    {"MissingAuthenticationToken", NULL, ERROR_DENIED, TRAIT_NONE},
    {"MissingAuthenticationTokenException", NULL, ERROR_DENIED, TRAIT_NONE},
    {"OptInRequired", NULL, ERROR_DENIED, TRAIT_NONE},
    {"InvalidSecurity", NULL, ERROR_DENIED, TRAIT_NONE},
    {"InvalidIdentityToken", NULL, ERROR_DENIED, TRAIT_NONE},

    // Throttling.
    {"Throttling", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"ThrottlingException", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"ThrottledException", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"RequestThrottledException", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"RequestThrottled", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"TooManyRequestsException", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"ProvisionedThroughputExceededException", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"TransactionInProgressException", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"RequestLimitExceeded", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"BandwidthLimitExceeded", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"LimitExceededException", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"SlowDown", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"PriorRequestNotComplete", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"EC2ThrottledException", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"OverLimit", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"KmsThrottled", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"KMSThrottlingException", NULL, ERROR_THROTTLED, TRAIT_NONE},
    {"KMS.ThrottlingException", "KmsThrottled", ERROR_THROTTLED, TRAIT_NONE},

    // The server's own trouble.
    {"InternalFailure", NULL, ERROR_TRANSIENT, TRAIT_NONE},
    {"InternalFailureException", NULL, ERROR_TRANSIENT, TRAIT_NONE},
    {"InternalServerError", NULL, ERROR_TRANSIENT, TRAIT_NONE},
    {"InternalError", NULL, ERROR_TRANSIENT, TRAIT_NONE},
    {"ServiceUnavailable", NULL, ERROR_TRANSIENT, TRAIT_NONE},
    {"ServiceUnavailableException", NULL, ERROR_TRANSIENT, TRAIT_NONE},
    {"RequestTimeout", NULL, ERROR_TRANSIENT, TRAIT_NONE},
    {"RequestTimeoutException", NULL, ERROR_TRANSIENT, TRAIT_NONE},
    {"IDPCommunicationError", NULL, ERROR_TRANSIENT, TRAIT_NONE},

    // SQS.
    {"QueueDoesNotExist", NULL, ERROR_NOT_FOUND, TRAIT_NONE},
    {"NonExistentQueue", "QueueDoesNotExist", ERROR_NOT_FOUND, TRAIT_NONE},
    {"ReceiptHandleIsInvalid", NULL, ERROR_LOST, TRAIT_NONE},
    {"MessageNotInflight", NULL, ERROR_LOST, TRAIT_NONE},
    {"QueueAlreadyExists", "QueueNameExists", ERROR_INVALID, TRAIT_NONE},
    {"PurgeQueueInProgress", NULL, ERROR_TRANSIENT, TRAIT_NONE},
    {"QueueDeletedRecently", NULL, ERROR_TRANSIENT, TRAIT_NONE},
    {"MissingParameter", "MissingRequiredParameterException", ERROR_INVALID, TRAIT_NONE},
    {"InvalidParameterValue", "InvalidParameterValueException", ERROR_INVALID, TRAIT_NONE},
    {"KmsAccessDenied", NULL, ERROR_DENIED, TRAIT_NONE},
    {"KmsDisabled", NULL, ERROR_DENIED, TRAIT_NONE},
    {"KmsInvalidKeyUsage", NULL, ERROR_DENIED, TRAIT_NONE},
    {"KmsInvalidState", NULL, ERROR_DENIED, TRAIT_NONE},
    {"KmsNotFound", NULL, ERROR_DENIED, TRAIT_NONE},
    {"KmsOptInRequired", NULL, ERROR_DENIED, TRAIT_NONE},
    {"KMS.AccessDeniedException", "KmsAccessDenied", ERROR_DENIED, TRAIT_NONE},
    {"KMS.DisabledException", "KmsDisabled", ERROR_DENIED, TRAIT_NONE},
    {"KMS.InvalidKeyUsageException", "KmsInvalidKeyUsage", ERROR_DENIED, TRAIT_NONE},
    {"KMS.InvalidStateException", "KmsInvalidState", ERROR_DENIED, TRAIT_NONE},
    {"KMS.NotFoundException", "KmsNotFound", ERROR_DENIED, TRAIT_NONE},
    {"KMS.OptInRequired", "KmsOptInRequired", ERROR_DENIED, TRAIT_NONE},

    // Kinesis.
    {"ResourceNotFoundException", NULL, ERROR_NOT_FOUND, TRAIT_NONE},
    {"KMSAccessDeniedException", NULL, ERROR_DENIED, TRAIT_NONE},
    {"KMSDisabledException", NULL, ERROR_DENIED, TRAIT_NONE},
    {"KMSInvalidStateException", NULL, ERROR_DENIED, TRAIT_NONE},
    {"KMSNotFoundException", NULL, ERROR_DENIED, TRAIT_NONE},
    {"KMSOptInRequired", NULL, ERROR_DENIED, TRAIT_NONE},

};
// clang-format on

// "com.amazonaws.sqs#QueueDoesNotExist:http://..." and
// "AWS.SimpleQueueService.NonExistentQueue" without what is around the name.
static struct bytes bare_code(const char *code)
{
    static const char sqs[] = "AWS.SimpleQueueService.";
    struct bytes bare = {code, strcspn(code, ":;")};
    const char *hash = memrchr(bare.data, '#', bare.size);

    if (hash) {
        bare.size -= (size_t)(hash + 1 - bare.data);
        bare.data = hash + 1;
    }
    if (bare.size > sizeof(sqs) - 1 && !memcmp(bare.data, sqs, sizeof(sqs) - 1))
        bare = (struct bytes){bare.data + sizeof(sqs) - 1,
                              bare.size - (sizeof(sqs) - 1)};
    return bare;
}

static const struct known *find_known(struct bytes code)
{
    for (size_t i = 0; i < sizeof(known_codes) / sizeof(known_codes[0]); i++)
        if (bytes_equal(code, bytes_of(known_codes[i].code)))
            return &known_codes[i];
    return NULL;
}

static enum error_code reaction_of_status(int status)
{
    if (status == 429)
        return ERROR_THROTTLED;
    return status >= 500 || status == 408 ? ERROR_TRANSIENT : ERROR_INVALID;
}

static const char *const shape_names[] = {
    [ERROR_BODY_EMPTY] = "an empty body",
    [ERROR_BODY_JSON] = "a JSON body without an error code",
    [ERROR_BODY_CBOR] = "a CBOR body without an error code",
    [ERROR_BODY_XML] = "an XML body without an error code",
    [ERROR_BODY_HTML] = "an HTML page",
    [ERROR_BODY_OTHER] = "a body that is neither JSON nor XML",
};

static void describe(const struct errors_answer *answer,
                     enum error_body_shape shape,
                     struct errors_finding *finding)
{
    const char *hint = "";

    if (answer->status >= 300 && answer->status < 400)
        hint = "; redirects are not followed, the endpoint must be the final "
               "address";
    else if (answer->status < 500 && !answer->status_tells &&
             (shape == ERROR_BODY_HTML || shape == ERROR_BODY_OTHER))
        hint = "; this is not an AWS-compatible endpoint";
    (void)snprintf(finding->text, sizeof(finding->text), "HTTP %d with %s%s",
                   answer->status, shape_names[shape], hint);
}

static void judge(const struct errors_answer *answer, const char *code,
                  struct errors_finding *finding)
{
    struct bytes bare = bare_code(code);
    const struct known *known = find_known(bare);

    finding->reaction = reaction_of_status(answer->status);
    if (known) {
        finding->reaction = known->reaction;
        finding->is_clock = known->trait == TRAIT_CLOCK;
        finding->is_stale = known->trait == TRAIT_STALE;
        bare = bytes_of(known->shape ? known->shape : known->code);
    }
    (void)snprintf(finding->code, sizeof(finding->code), "%.*s",
                   BYTES_ARGS(bare));
}

// Near its start.
static bool mentions(struct bytes body, const char *text)
{
    return memmem(body.data, body.size < 512 ? body.size : 512, text,
                  strlen(text)) != NULL;
}

// A good answer costs a look at its first bytes.
static bool is_failure(const struct errors_answer *answer)
{
    static const char type[] = "{\"__type\"";
    enum error_body_shape shape;

    if (answer->status < 200 || answer->status >= 300)
        return true;
    if (answer->status_tells)
        return false;
    if (answer->error_type[0])
        return true;
    shape = error_body_shape(answer->body);
    if (shape == ERROR_BODY_JSON)
        return answer->body.size >= sizeof(type) - 1 &&
               !memcmp(answer->body.data, type, sizeof(type) - 1);
    return shape == ERROR_BODY_XML &&
           (!answer->wants_xml || mentions(answer->body, "<ErrorResponse") ||
            mentions(answer->body, "<html") || mentions(answer->body, "<!"));
}

bool errors_find(const struct errors_answer *answer,
                 struct errors_finding *finding)
{
    struct error_claim claim = {0};
    enum error_body_shape shape;

    if (!is_failure(answer))
        return false;
    *finding = (struct errors_finding){0};
    shape = error_body_read(answer->body, &claim);
    finding->not_json = shape == ERROR_BODY_XML || shape == ERROR_BODY_HTML ||
                        shape == ERROR_BODY_OTHER;
    // __type, else the header, else `code`: the header agrees with the body
    // wherever both are there.
    error_claim_code(&claim, bytes_of(answer->error_type));
    if (!claim.code[0] && strchr(answer->query_error, ';'))
        error_claim_code(&claim, bytes_of(answer->query_error));
    judge(answer, claim.code, finding);
    if (finding->code[0])
        (void)snprintf(finding->text, sizeof(finding->text), "%s", claim.text);
    else
        describe(answer, shape, finding);
    return true;
}
