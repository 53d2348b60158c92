#include "aws/errors.h"

#include "test.h"

#define CBOR_ERROR /* {"__type": "ExpiredIteratorException", "message": "m"} \
                    */                                                       \
    "\xa2\x66__type\x78\x18"                                                 \
    "ExpiredIteratorException\x67message\x61m"
#define CBOR_ENDLESS /* the same, of indefinite length, with a null first */ \
    "\xbf\x61x\xf6\x66__type\x78\x18"                                        \
    "ExpiredIteratorException\x67message\x61m\xff"

static struct found_case {
    const char *name;
    struct errors_answer answer;
    const char *code, *text;
    enum error_code reaction;
    bool not_json, is_clock, is_stale;
} found[] = {
    {"a namespaced type",
     {.status = 400,
      .body = BYTES("{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\","
                    "\"message\":\"none\"}")},
     .code = "QueueDoesNotExist",
     .text = "none",
     .reaction = ERROR_NOT_FOUND},
    {"a type with a URI behind it",
     {.status = 400,
      .body = BYTES("{\"__type\":\"ThrottlingException:http://x/y#z\"}")},
     .code = "ThrottlingException",
     .text = "",
     .reaction = ERROR_THROTTLED},
    {"the header where the body names none",
     {.status = 400,
      .error_type = "AccessDeniedException:http://x",
      .body = BYTES("{\"Message\":\"no\"}")},
     .code = "AccessDeniedException",
     .text = "no",
     .reaction = ERROR_DENIED,
     .is_clock = true},
    {"goaws: Code and Message",
     {.status = 400,
      .body = BYTES("{\"Type\":\"Not Found\",\"Code\":"
                    "\"AWS.SimpleQueueService.NonExistentQueue\","
                    "\"Message\":\"The specified queue does not exist\"}")},
     .code = "QueueDoesNotExist",
     .text = "The specified queue does not exist",
     .reaction = ERROR_NOT_FOUND},
    {"the query-error header as a last resort",
     {.status = 400,
      .query_error = "AWS.SimpleQueueService.PurgeQueueInProgress;Sender",
      .body = BYTES("{}")},
     .code = "PurgeQueueInProgress",
     .text = "",
     .reaction = ERROR_TRANSIENT},
    {"a CBOR map",
     {.status = 400, .body = BYTES(CBOR_ERROR)},
     .code = "ExpiredIteratorException",
     .text = "m",
     .reaction = ERROR_INVALID},
    {"a CBOR map of indefinite length",
     {.status = 400, .body = BYTES(CBOR_ENDLESS)},
     .code = "ExpiredIteratorException",
     .text = "m",
     .reaction = ERROR_INVALID},
    {"an XML ErrorResponse",
     {.status = 400,
      .wants_xml = true,
      .body = BYTES("<?xml version=\"1.0\"?><ErrorResponse xmlns=\"u\"><Error>"
                    "<Type>Sender</Type><Code>InvalidParameterValue</Code>"
                    "<Message>a &lt; b</Message></Error></ErrorResponse>")},
     .code = "InvalidParameterValueException",
     .text = "a < b",
     .reaction = ERROR_INVALID,
     .not_json = true},
    {"an XML error under status 200",
     {.status = 200,
      .wants_xml = true,
      .body = BYTES("<ErrorResponse><Error><Code>InternalFailure</Code>"
                    "</Error></ErrorResponse>")},
     .code = "InternalFailure",
     .text = "",
     .reaction = ERROR_TRANSIENT,
     .not_json = true},
    {"a JSON error under status 200",
     {.status = 200, .body = BYTES("{\"__type\":\"OverLimit\"}")},
     .code = "OverLimit",
     .text = "",
     .reaction = ERROR_THROTTLED},
    {"an HTML page",
     {.status = 403, .body = BYTES("<!doctype html><html><p>No<br></html>")},
     .code = "",
     .text =
         "HTTP 403 with an HTML page; this is not an AWS-compatible endpoint",
     .reaction = ERROR_INVALID,
     .not_json = true},
    {"well-formed HTML under status 200",
     {.status = 200, .body = BYTES("<html><Code>Throttling</Code></html>")},
     .code = "",
     .text =
         "HTTP 200 with an HTML page; this is not an AWS-compatible endpoint",
     .reaction = ERROR_INVALID,
     .not_json = true},
    {"XML where JSON was asked",
     {.status = 200, .body = BYTES("<ReceiveMessageResponse/>")},
     .code = "",
     .text = "HTTP 200 with an XML body without an error code",
     .reaction = ERROR_INVALID,
     .not_json = true},
    {"HTML from a proxy in trouble",
     {.status = 502, .body = BYTES("<html>Bad Gateway</html>")},
     .code = "",
     .text = "HTTP 502 with an HTML page",
     .reaction = ERROR_TRANSIENT,
     .not_json = true},
    {"an empty 500",
     {.status = 500, .body = BYTES("")},
     .code = "",
     .text = "HTTP 500 with an empty body",
     .reaction = ERROR_TRANSIENT},
    {"half a JSON body",
     {.status = 400, .body = BYTES("{\"__type\":\"Thrott")},
     .code = "",
     .text = "HTTP 400 with a JSON body without an error code",
     .reaction = ERROR_INVALID},
    {"plain text",
     {.status = 404, .body = BYTES("404 page not found\n")},
     .code = "",
     .text =
         "HTTP 404 with a body that is neither JSON nor XML; this is not an "
         "AWS-compatible endpoint",
     .reaction = ERROR_INVALID,
     .not_json = true},
    {"a redirect",
     {.status = 301, .body = BYTES("")},
     .code = "",
     .text = "HTTP 301 with an empty body; redirects are not followed, the "
             "endpoint "
             "must be the final address",
     .reaction = ERROR_INVALID},
    {"429 without a code",
     {.status = 429},
     .code = "",
     .text = "HTTP 429 with an empty body",
     .reaction = ERROR_THROTTLED},
    {"a code goes before the status",
     {.status = 503, .body = BYTES("{\"__type\":\"AccessDenied\"}")},
     .code = "AccessDenied",
     .text = "",
     .reaction = ERROR_DENIED,
     .is_clock = true},
    {"a throttle by 403",
     {.status = 403, .body = BYTES("{\"__type\":\"RequestThrottled\"}")},
     .code = "RequestThrottled",
     .text = "",
     .reaction = ERROR_THROTTLED},
    {"an unknown code by 400",
     {.status = 400, .body = BYTES("{\"__type\":\"Surprise\"}")},
     .code = "Surprise",
     .text = "",
     .reaction = ERROR_INVALID},
    {"an unknown code by 500",
     {.status = 500, .body = BYTES("{\"__type\":\"Surprise\"}")},
     .code = "Surprise",
     .text = "",
     .reaction = ERROR_TRANSIENT},
    {"an expired token",
     {.status = 400, .body = BYTES("{\"__type\":\"ExpiredTokenException\"}")},
     .code = "ExpiredTokenException",
     .text = "",
     .reaction = ERROR_DENIED,
     .is_stale = true},
    {"a message with control characters",
     {.status = 400,
      .body = BYTES("{\"__type\":\"ValidationException\","
                    "\"message\":\"a\\n\\u001b[31mb\"}")},
     .code = "ValidationException",
     .text = "a  [31mb",
     .reaction = ERROR_INVALID},
};

static struct errors_answer filled(struct errors_answer answer)
{
    if (!answer.error_type)
        answer.error_type = "";
    if (!answer.query_error)
        answer.query_error = "";
    return answer;
}

static void test_found(void **state)
{
    const struct found_case *c = *state;
    struct errors_answer answer = filled(c->answer);
    struct errors_finding finding;

    assert_true(errors_find(&answer, &finding));
    assert_string_equal(finding.code, c->code);
    assert_string_equal(finding.text, c->text);
    assert_string_equal(error_code_name(finding.reaction),
                        error_code_name(c->reaction));
    assert_int_equal(finding.not_json, c->not_json);
    assert_int_equal(finding.is_clock, c->is_clock);
    assert_int_equal(finding.is_stale, c->is_stale);
}

static struct fine_case {
    const char *name;
    struct errors_answer answer;
} fine[] = {
    {"an empty 200", {.status = 200}},
    {"a JSON answer", {.status = 200, .body = BYTES("{\"Messages\":[]}")}},
    {"a CBOR answer", {.status = 200, .body = BYTES("\xbf\xff")}},
    {"an XML answer that was asked for",
     {.status = 200,
      .wants_xml = true,
      .body = BYTES("<?xml version=\"1.0\"?><ReceiveMessageResponse/>")}},
    {"a message that speaks of __type",
     {.status = 200,
      .body = BYTES("{\"Messages\":[{\"Body\":\"{\\\"__type\\\":1}\"}]}")}},
};

static void test_fine(void **state)
{
    const struct fine_case *c = *state;
    struct errors_answer answer = filled(c->answer);
    struct errors_finding finding;

    assert_false(errors_find(&answer, &finding));
}

static void test_long_texts_are_cut_between_characters(void **state)
{
    struct errors_finding finding;
    struct buffer body;

    (void)state;
    buffer_init(&body, 4096);
    buffer_append_text(&body, "{\"__type\":\"X\",\"message\":\"a");
    for (int i = 0; i < 400; i++)
        buffer_append_text(&body, "\xc3\xa4");
    buffer_append_text(&body, "\"}");
    assert_true(errors_find(&(struct errors_answer){.status = 400,
                                                    .body = buffer_bytes(&body),
                                                    .error_type = "",
                                                    .query_error = ""},
                            &finding));
    assert_int_equal(strlen(finding.text) % 2, 1);
    assert_true(strlen(finding.text) > 200);
    buffer_finish(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
    };

    return run_table("errors found", found, test_found) +
           run_table("no error", fine, test_fine) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
