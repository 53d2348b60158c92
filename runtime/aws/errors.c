#include "aws/errors.h"

#include <cbor.h>
#include <expat.h>
#include <jansson.h>
#include <stdio.h>

#define BODY_LIMIT (256 * 1024) // no error needs more

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

enum shape {
    SHAPE_EMPTY,
    SHAPE_JSON,
    SHAPE_CBOR,
    SHAPE_XML,
    SHAPE_HTML,
    SHAPE_OTHER
};

static const char *const shape_names[] = {
    [SHAPE_EMPTY] = "an empty body",
    [SHAPE_JSON] = "a JSON body without an error code",
    [SHAPE_CBOR] = "a CBOR body without an error code",
    [SHAPE_XML] = "an XML body without an error code",
    [SHAPE_HTML] = "an HTML page",
    [SHAPE_OTHER] = "a body that is neither JSON nor XML",
};

// What a body said of itself, before any of it is believed.
struct claim {
    char code[ERRORS_CODE_SIZE * 2]; // prefixes are still on
    char text[ERRORS_TEXT_SIZE];
};

// First come, first kept. Control characters never reach a terminal, and no
// UTF-8 sequence is cut in the middle.
static void keep(char *place, size_t size, struct bytes text)
{
    if (place[0] || !text.data)
        return;
    if (text.size >= size)
        for (text.size = size - 1;
             text.size && ((unsigned char)text.data[text.size] & 0xc0) == 0x80;)
            text.size--;
    for (size_t i = 0; i < text.size; i++)
        place[i] = (unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f
                       ? ' '
                       : text.data[i];
    place[text.size] = '\0';
}

static void keep_code(struct claim *claim, struct bytes text)
{
    keep(claim->code, sizeof(claim->code), text);
}

static void keep_text(struct claim *claim, struct bytes text)
{
    keep(claim->text, sizeof(claim->text), text);
}

static bool is_code_name(struct bytes name)
{
    return bytes_equal(name, BYTES("__type")) ||
           bytes_equal(name, BYTES("code")) || bytes_equal(name, BYTES("Code"));
}

static bool is_text_name(struct bytes name)
{
    return bytes_equal(name, BYTES("message")) ||
           bytes_equal(name, BYTES("Message")) ||
           bytes_equal(name, BYTES("errorMessage"));
}

static void claim_of_json(struct bytes body, struct claim *claim)
{
    static const char *const codes[] = {"__type", "code", "Code"};
    static const char *const texts[] = {"message", "Message", "errorMessage"};
    json_auto_t *root = json_loadb(body.data, body.size, 0, NULL);

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        keep_code(claim,
                  bytes_of(json_string_value(json_object_get(root, codes[i]))));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        keep_text(claim,
                  bytes_of(json_string_value(json_object_get(root, texts[i]))));
}

// libcbor's stream decoder: an error is a flat map of strings, and nothing of
// it needs memory. What is nested is passed over.
struct cbor_walk {
    struct claim *claim;
    struct bytes name; // of the member whose value comes next
    bool has_name, stop;
};

static void cbor_text(void *context, cbor_data data, size_t size)
{
    struct cbor_walk *walk = context;
    struct bytes text = {(const char *)data, size};

    if (!walk->has_name)
        walk->name = text;
    else if (is_code_name(walk->name))
        keep_code(walk->claim, text);
    else if (is_text_name(walk->name))
        keep_text(walk->claim, text);
    walk->has_name = !walk->has_name;
}

static void cbor_null(void *context)
{
    struct cbor_walk *walk = context;

    walk->has_name = false;
}

static void claim_of_cbor(struct bytes body, struct claim *claim)
{
    struct cbor_walk walk = {.claim = claim};
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    const unsigned char *at = (const unsigned char *)body.data;
    size_t left = body.size;

    callbacks.string = cbor_text;
    callbacks.null = cbor_null;
    while (left) {
        struct cbor_decoder_result step =
            cbor_stream_decode(at, left, &callbacks, &walk);

        if (step.status != CBOR_DECODER_FINISHED || !step.read)
            return;
        at += step.read;
        left -= step.read;
    }
}

static bool starts_with(struct bytes body, const char *text)
{
    size_t size = strlen(text);

    return body.size >= size && !memcmp(body.data, text, size);
}

struct xml_walk {
    struct claim *claim;
    char text[ERRORS_TEXT_SIZE];
    size_t size;
    bool is_html;
};

static void XMLCALL xml_start(void *context, const XML_Char *name,
                              const XML_Char **attributes)
{
    struct xml_walk *walk = context;

    (void)attributes;
    walk->is_html |= !strcasecmp(name, "html");
    walk->size = 0;
}

static void XMLCALL xml_text(void *context, const XML_Char *text, int size)
{
    struct xml_walk *walk = context;
    size_t room = sizeof(walk->text) - walk->size;
    size_t more = (size_t)size < room ? (size_t)size : room;

    memcpy(walk->text + walk->size, text, more);
    walk->size += more;
}

static void XMLCALL xml_end(void *context, const XML_Char *name)
{
    struct xml_walk *walk = context;
    struct bytes text = {walk->text, walk->size};

    if (!strcmp(name, "Code"))
        keep_code(walk->claim, text);
    else if (!strcmp(name, "Message"))
        keep_text(walk->claim, text);
    walk->size = 0;
}

static enum shape claim_of_xml(struct bytes body, struct claim *claim)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    struct xml_walk walk = {.claim = claim};
    enum XML_Status status;

    if (!parser)
        return SHAPE_OTHER;
    XML_SetUserData(parser, &walk);
    XML_SetElementHandler(parser, xml_start, xml_end);
    XML_SetCharacterDataHandler(parser, xml_text);
    status = XML_Parse(parser, body.data, (int)body.size, 1);
    XML_ParserFree(parser);
    if (status == XML_STATUS_OK && !walk.is_html)
        return SHAPE_XML;
    *claim = (struct claim){0};
    return starts_with(body, "<?xml") ? SHAPE_XML : SHAPE_HTML;
}

static enum shape shape_of(struct bytes body)
{
    unsigned char first;

    while (body.size && strchr(" \t\r\n", body.data[0]) && body.data[0]) {
        body.data++;
        body.size--;
    }
    if (!body.size)
        return SHAPE_EMPTY;
    first = (unsigned char)body.data[0];
    if (first == '{')
        return SHAPE_JSON;
    if (first == '<')
        return SHAPE_XML;
    return first >= 0xa0 && first <= 0xbf ? SHAPE_CBOR : SHAPE_OTHER;
}

static enum shape read_claim(struct bytes body, struct claim *claim)
{
    enum shape shape = shape_of(body);

    if (body.size > BODY_LIMIT)
        return shape;
    if (shape == SHAPE_JSON)
        claim_of_json(body, claim);
    else if (shape == SHAPE_CBOR)
        claim_of_cbor(body, claim);
    else if (shape == SHAPE_XML)
        return claim_of_xml(body, claim);
    return shape;
}

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

static void describe(const struct errors_answer *answer, enum shape shape,
                     struct errors_finding *finding)
{
    const char *hint = "";

    if (answer->status >= 300 && answer->status < 400)
        hint = "; redirects are not followed, the endpoint must be the final "
               "address";
    else if (answer->status < 500 &&
             (shape == SHAPE_HTML || shape == SHAPE_OTHER))
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
    keep(finding->code, sizeof(finding->code), bare);
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
    enum shape shape;

    if (answer->status < 200 || answer->status >= 300 || answer->error_type[0])
        return true;
    shape = shape_of(answer->body);
    if (shape == SHAPE_JSON)
        return starts_with(answer->body, "{\"__type\"");
    return shape == SHAPE_XML &&
           (!answer->wants_xml || mentions(answer->body, "<ErrorResponse") ||
            mentions(answer->body, "<html") || mentions(answer->body, "<!"));
}

bool errors_find(const struct errors_answer *answer,
                 struct errors_finding *finding)
{
    struct claim claim = {0};
    enum shape shape;

    if (!is_failure(answer))
        return false;
    *finding = (struct errors_finding){0};
    shape = read_claim(answer->body, &claim);
    finding->not_json =
        shape == SHAPE_XML || shape == SHAPE_HTML || shape == SHAPE_OTHER;
    // __type, else the header, else `code`: the header agrees with the body
    // wherever both are there.
    keep_code(&claim, bytes_of(answer->error_type));
    if (!claim.code[0] && strchr(answer->query_error, ';'))
        keep_code(&claim, bytes_of(answer->query_error));
    judge(answer, claim.code, finding);
    if (finding->code[0])
        keep(finding->text, sizeof(finding->text), bytes_of(claim.text));
    else
        describe(answer, shape, finding);
    return true;
}
