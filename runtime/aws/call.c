#include "aws/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "aws/errors.h"
#include "aws/lane.h"
#include "aws/retry.h"
#include "aws/session_inner.h"
#include "aws/skew.h"
#include "aws/transport.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

// Of the Query protocol.
static const char *version_of(enum aws_service service)
{
    if (service == AWS_STS)
        return "2011-06-15";
    return service == AWS_SNS ? "2010-03-31" : "2012-11-05";
}

// An empty JSON input is "{}", an empty CBOR input a map of nothing; a Query
// names its operation in the body.
static void complete_body(struct aws_request *request)
{
    static const char action[] = "Action=";
    struct buffer query;

    if (request->protocol == AWS_REST)
        return;
    if (request->protocol != AWS_QUERY) {
        if (request->body.size)
            return;
        buffer_finish(&request->body);
        request->body.limit = 2;
        buffer_append_text(&request->body,
                           request->protocol == AWS_CBOR_11 ? "\xa0" : "{}");
        return;
    }
    if (request->body.size >= sizeof(action) - 1 &&
        !memcmp(request->body.data, action, sizeof(action) - 1))
        return;
    buffer_init(&query, request->body.size + 256);
    buffer_printf(&query, "Action=%s&Version=%s%s", request->operation,
                  version_of(request->service), request->body.size ? "&" : "");
    buffer_append_bytes(&query, buffer_bytes(&request->body));
    buffer_finish(&request->body);
    request->body = query;
}

void call_init(struct call *call, struct aws_request *request,
               const struct aws_session *session)
{
    call->request = *request;
    buffer_init(&request->body, request->body.limit);
    buffer_init(&request->memory, request->memory.limit);
    call->request.path = call->path = mem_strdup(request->path);
    call->request.rest.url = call->url = mem_strdup(request->rest.url);
    if (request->stream)
        call->request.max_attempts = 1;
    if (!call->request.max_attempts)
        call->request.max_attempts = aws_session_max_attempts(session);
    complete_body(&call->request);
    call->reply.owner = request->owner;
    call->reply.tag = request->tag;
    call->reply.kind = request->kind;
    call->attempt = 1;
}

void call_finish(struct call *call)
{
    buffer_finish(&call->request.body);
    buffer_finish(&call->request.memory);
    free(call->path);
    free(call->url);
    call->path = call->url = NULL;
}

static enum call_next retry_or_fail(struct call *call,
                                    const struct call_judge *judge)
{
    const struct retry_failure failure = {
        .reaction = call->reply.error.code,
        .attempt = call->attempt,
        .max_attempts = judge->may_retry ? call->request.max_attempts : 1,
        .hint_ms = lane_answer(call->lane)->retry_after_ms,
        .is_long_poll = call->request.is_long_poll};
    struct retry_plan plan =
        retry_decide(judge->bucket, judge->random, &failure);

    if (plan.advice == RETRY_GIVE_UP)
        return CALL_FAILS;
    log_debug(
        judge->log, "aws.retry", LOG_STR("operation", call->request.operation),
        LOG_INT("attempt", call->attempt), LOG_INT("delay_ms", plan.delay_ms),
        LOG_ERROR(&call->reply.error));
    call->attempt++;
    call->paid = plan.paid;
    call->fails_when_due = plan.advice == RETRY_SLEEP_FAIL;
    call->due_ms = call->reply.received_ms + plan.delay_ms;
    return CALL_PAUSES;
}

// On a connection that was kept open too long the server's goodbye and our
// request cross: that says nothing about the server.
static bool died_in_reuse(const struct call *call, CURLcode rc)
{
    long fresh = 1;

    if (rc != CURLE_SEND_ERROR && rc != CURLE_RECV_ERROR &&
        rc != CURLE_GOT_NOTHING)
        return false;
    (void)curl_easy_getinfo(lane_easy(call->lane), CURLINFO_NUM_CONNECTS,
                            &fresh);
    return !fresh && !lane_answer(call->lane)->has_begun;
}

static enum call_next
transfer_failed(struct call *call, const struct call_judge *judge, CURLcode rc)
{
    struct aws_reply *reply = &call->reply;

    reply->status = 0;
    reply->code[0] = '\0';
    buffer_finish(&reply->body);
    reply->over_limit = lane_answer(call->lane)->over_limit;
    if (reply->over_limit) {
        error_set(&reply->error, ERROR_INVALID, "answer over %zu bytes",
                  aws_session_response_limit(judge->session));
        return CALL_FAILS;
    }
    (void)transport_explain(lane_easy(call->lane), rc, lane_detail(call->lane),
                            &reply->error);
    if (call->had_new_connection || !died_in_reuse(call, rc))
        return retry_or_fail(call, judge);
    call->had_new_connection = true;
    return CALL_GOES_ON;
}

static void learn_clock(const struct call *call, const struct call_judge *judge)
{
    const struct answer *answer = lane_answer(call->lane);
    const struct skew_sample sample = {
        .date_ms = answer->date_ms,
        .has_age = answer->has_age,
        .received_ms = clock_wall_ms(judge->clock),
        .round_trip_ms = call->reply.received_ms - call->reply.sent_ms};
    int64_t offset_ms;

    if (!call->request.rest.is_foreign && skew_measure(&sample, &offset_ms))
        aws_session_set_offset_ms(judge->session, call->request.service,
                                  offset_ms);
}

// What a user can do about it, where AWS's words do not say.
static void advise(const struct errors_finding *finding,
                   const struct call_judge *judge, struct buffer *text)
{
    if (strstr(finding->text, "scoped to"))
        buffer_printf(text,
                      " (the region in use is %s: aws.region, AWS_REGION)",
                      aws_session_region(judge->session));
    else if (finding->is_stale || finding->is_clock)
        buffer_printf(text, " (credentials from %s)",
                      judge->credentials_source);
}

static void describe(struct call *call, const struct errors_finding *finding,
                     const struct call_judge *judge)
{
    const char *request_id = lane_answer(call->lane)->request_id;
    struct buffer text;

    buffer_init(&text, sizeof(call->reply.error.message));
    buffer_printf(&text, "%s%s%s", finding->code,
                  finding->code[0] && finding->text[0] ? ": " : "",
                  finding->text);
    advise(finding, judge, &text);
    if (request_id[0])
        buffer_printf(&text, " [request %s]", request_id);
    error_set(&call->reply.error, finding->reaction, "%s", buffer_text(&text));
    buffer_finish(&text);
}

// What another's server says of clocks and credentials is not about ours.
static void judge_foreign(const struct call *call,
                          struct errors_finding *finding)
{
    if (call->request.rest.is_foreign)
        finding->is_clock = finding->is_stale = false;
}

static enum call_next answer_failed(struct call *call,
                                    const struct errors_finding *finding,
                                    const struct call_judge *judge)
{
    (void)snprintf(call->reply.code, sizeof(call->reply.code), "%s",
                   finding->code);
    call->reply.not_json = finding->not_json;
    describe(call, finding, judge);
    if (finding->is_clock && !call->had_new_clock &&
        skew_explains(
            call->offset_ms,
            aws_session_offset_ms(judge->session, call->request.service))) {
        call->had_new_clock = true;
        return CALL_GOES_ON;
    }
    if (finding->is_stale && !call->had_new_credentials) {
        call->had_new_credentials = call->was_refused = true;
        return CALL_GOES_ON;
    }
    return retry_or_fail(call, judge);
}

static void take_answer(struct call *call)
{
    struct aws_reply *reply = &call->reply;
    CURL *easy = lane_easy(call->lane);
    const char *type = NULL;
    long status = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    reply->status = (int)status;
    (void)snprintf(reply->content_type, sizeof(reply->content_type), "%s",
                   type ? type : "");
    buffer_finish(&reply->body);
    lane_take_body(call->lane, &reply->body);
}

// DynamoDB says what it sent: what differs was cut or changed on its way.
static bool is_intact(const struct call *call)
{
    const struct answer *answer = lane_answer(call->lane);
    const struct buffer *body = &call->reply.body;

    return answer->crc32 < 0 || lane_has_streamed(call->lane) ||
           (int64_t)crc32_z(0, (const Bytef *)body->data, body->size) ==
               answer->crc32;
}

static enum call_next answer_damaged(struct call *call,
                                     const struct call_judge *judge)
{
    error_set(&call->reply.error, ERROR_TRANSIENT,
              "an answer of %zu bytes that differs from its x-amz-crc32",
              call->reply.body.size);
    buffer_finish(&call->reply.body);
    return retry_or_fail(call, judge);
}

static enum call_next answer_arrived(struct call *call,
                                     const struct call_judge *judge)
{
    const struct answer *answer = lane_answer(call->lane);
    struct aws_reply *reply = &call->reply;
    struct errors_finding finding;

    take_answer(call);
    if (!lane_has_streamed(call->lane)) // its Date is of its beginning
        learn_clock(call, judge);
    if (!is_intact(call))
        return answer_damaged(call, judge);
    if (errors_find(
            &(struct errors_answer){
                .status = reply->status,
                .body = buffer_bytes(&reply->body),
                .error_type = answer->error_type,
                .query_error = answer->query_error,
                .wants_xml = call->request.protocol == AWS_QUERY,
                .status_tells = call->request.protocol == AWS_REST},
            &finding)) {
        judge_foreign(call, &finding);
        return answer_failed(call, &finding, judge);
    }
    retry_succeeded(judge->bucket, call->paid);
    reply->error = (struct error){0};
    reply->code[0] = '\0';
    reply->not_json = false;
    return CALL_SUCCEEDS;
}

enum call_next call_land(struct call *call, const struct call_judge *judge,
                         CURLcode rc)
{
    call->reply.received_ms = clock_now_ms(judge->clock);
    return rc == CURLE_OK ? answer_arrived(call, judge)
                          : transfer_failed(call, judge, rc);
}
