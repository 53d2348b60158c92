#include "aws/client.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "aws/credentials_cache.h"
#include "aws/errors.h"
#include "aws/lane.h"
#include "aws/retry.h"
#include "aws/session_inner.h"
#include "aws/sigv4.h"
#include "aws/skew.h"
#include "aws/transport.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#define DEFAULT_ATTEMPTS 3
#define IDLE_LANES 8          // kept at the most
#define IDLE_LANE_MS 10000    // and for how long
#define CONNECTIONS 64        // kept open at the most
#define POLL_LIMIT_MS 3600000 // libcurl takes an int

enum call_state {
    CALL_WAITING, // for credentials
    CALL_FLYING,
    CALL_PAUSED, // until due_ms
    CALL_DONE,
};

struct call {
    TAILQ_ENTRY(call) link;
    enum call_state state;
    struct aws_request request; // body owned; path is ours below
    char *path;                 // owned
    struct aws_reply reply;     // what is to be handed out
    struct lane *lane;          // while flying
    unsigned attempt;           // from 1
    int paid;                   // tokens, for the last retry
    int64_t due_ms;             // paused: when to go on
    bool fails_when_due;

    // One extra chance each, beside the counted attempts.
    bool had_new_connection, had_new_clock, had_new_credentials;
    bool was_refused; // and waits for credentials other than those

    uint64_t generation; // of the credentials it was signed with
    int64_t offset_ms;   // and of the clock
};

TAILQ_HEAD(call_list, call);

struct idle_lane {
    struct lane *lane;
    int64_t since_ms;
};

struct aws_client {
    // Never changed after creation.
    struct aws_session *session; // borrowed
    const struct clock *clock;
    struct log log;
    CURLM *multi; // owned

    // The owner thread's.
    struct sigv4 *sigv4; // owned
    struct random random;
    struct retry_bucket bucket;
    struct credentials_user users[AWS_SERVICE_COUNT];
    struct credentials_cache *caches[AWS_SERVICE_COUNT]; // entered; or NULL
    struct call_list waiting, flying, paused, done;
    struct idle_lane idle[IDLE_LANES]; // the last used last
    size_t idle_count;
    struct call *spare;      // owned; memory for the next call, or NULL
    const void **no_retries; // owned; owners whose calls are not tried again
    size_t no_retries_count;

    // Shared.
    atomic_bool woken;
};

static int64_t now_ms(const struct aws_client *client)
{
    return clock_now_ms(client->clock);
}

static struct call_list *list_of(struct aws_client *client,
                                 enum call_state state)
{
    switch (state) {
    case CALL_WAITING:
        return &client->waiting;
    case CALL_FLYING:
        return &client->flying;
    case CALL_PAUSED:
        return &client->paused;
    case CALL_DONE:
        break;
    }
    return &client->done;
}

static void move(struct aws_client *client, struct call *call,
                 enum call_state state)
{
    TAILQ_REMOVE(list_of(client, call->state), call, link);
    call->state = state;
    TAILQ_INSERT_TAIL(list_of(client, state), call, link);
}

// ---- lanes

static struct lane *take_lane(struct aws_client *client)
{
    if (client->idle_count)
        return client->idle[--client->idle_count].lane;
    return lane_create(client->session, client->sigv4);
}

static void drop_oldest_lane(struct aws_client *client)
{
    lane_destroy(client->idle[0].lane);
    client->idle_count--;
    memmove(client->idle, client->idle + 1,
            client->idle_count * sizeof(client->idle[0]));
}

static void leave_lane(struct aws_client *client, struct call *call)
{
    if (!call->lane)
        return;
    curl_multi_remove_handle(client->multi, lane_easy(call->lane));
    if (client->idle_count == IDLE_LANES)
        drop_oldest_lane(client);
    client->idle[client->idle_count++] =
        (struct idle_lane){call->lane, now_ms(client)};
    call->lane = NULL;
}

static void drop_stale_lanes(struct aws_client *client, int64_t now)
{
    while (client->idle_count && now - client->idle[0].since_ms > IDLE_LANE_MS)
        drop_oldest_lane(client);
}

// ---- the end of a call

static void finish(struct aws_client *client, struct call *call, bool ok)
{
    leave_lane(client, call);
    buffer_finish(&call->request.body);
    call->reply.ok = ok;
    move(client, call, CALL_DONE);
}

static void name_failure(const struct aws_client *client, struct call *call)
{
    (void)error_wrap(
        &call->reply.error, "%s %s", call->request.operation,
        aws_session_endpoint(client->session, call->request.service));
}

static void fail(struct aws_client *client, struct call *call)
{
    name_failure(client, call);
    finish(client, call, false);
}

static bool retries(const struct aws_client *client, const struct call *call)
{
    for (size_t i = 0; i < client->no_retries_count; i++)
        if (client->no_retries[i] == call->request.owner)
            return false;
    return true;
}

// ---- the start of a call

static struct credentials_user *user_of(struct aws_client *client,
                                        enum aws_service service)
{
    if (!client->caches[service]) {
        client->caches[service] =
            aws_session_credentials(client->session, service);
        credentials_cache_enter(client->caches[service],
                                &client->users[service]);
    }
    return &client->users[service];
}

static void launch(struct aws_client *client, struct call *call,
                   const struct credentials_user *user)
{
    enum aws_service service = call->request.service;

    call->was_refused = false;
    call->generation = user->generation;
    call->offset_ms = aws_session_offset_ms(client->session, service);
    call->lane = take_lane(client);
    call->reply.sent_ms = now_ms(client);
    lane_load(call->lane,
              &(struct lane_load){.request = &call->request,
                                  .credentials = &user->credentials,
                                  .wall_ms = clock_wall_ms(client->clock) +
                                             call->offset_ms,
                                  .owner = call});
    move(client, call, CALL_FLYING);
    (void)curl_multi_add_handle(client->multi, lane_easy(call->lane));
}

static void start(struct aws_client *client, struct call *call)
{
    struct credentials_user *user = user_of(client, call->request.service);
    struct error err;

    switch (credentials_cache_use(client->caches[call->request.service], user,
                                  &err)) {
    case CREDENTIALS_PENDING:
        if (call->state != CALL_WAITING)
            move(client, call, CALL_WAITING);
        return;
    case CREDENTIALS_FAILED:
        call->reply.error = err;
        fail(client, call);
        return;
    case CREDENTIALS_READY:
        break;
    }
    // When there are no others, it has failed as the server said.
    if (call->was_refused && call->generation == user->generation)
        fail(client, call);
    else
        launch(client, call, user);
}

// An empty JSON input is "{}", an empty CBOR input a map of nothing; a Query
// names its operation in the body.
static void complete_body(struct aws_request *request)
{
    static const char action[] = "Action=";
    struct buffer query;

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
                  request->service == AWS_STS ? "2011-06-15" : "2012-11-05",
                  request->body.size ? "&" : "");
    buffer_append_bytes(&query, buffer_bytes(&request->body));
    buffer_finish(&request->body);
    request->body = query;
}

// One call's memory is kept: it is large for malloc's caches, and most clients
// have one call at a time.
static struct call *call_create(struct aws_client *client)
{
    struct call *call = client->spare;

    if (!call)
        return mem_calloc(1, sizeof(*call));
    client->spare = NULL;
    memset(call, 0, sizeof(*call));
    return call;
}

static void call_free(struct aws_client *client, struct call *call)
{
    free(call->path);
    if (client->spare)
        free(call);
    else
        client->spare = call;
}

static struct call *begin(struct aws_client *client,
                          struct aws_request *request)
{
    struct call *call = call_create(client);

    call->request = *request;
    buffer_init(&request->body, request->body.limit);
    call->request.path = call->path = mem_strdup(request->path);
    if (!call->request.max_attempts)
        call->request.max_attempts = DEFAULT_ATTEMPTS;
    complete_body(&call->request);
    call->reply.owner = request->owner;
    call->reply.tag = request->tag;
    call->reply.kind = request->kind;
    call->attempt = 1;
    call->state = CALL_WAITING;
    TAILQ_INSERT_TAIL(&client->waiting, call, link);
    start(client, call);
    return call;
}

void aws_client_send(struct aws_client *client, struct aws_request *request)
{
    (void)begin(client, request);
}

// ---- the answer

static void try_again(struct aws_client *client, struct call *call)
{
    leave_lane(client, call);
    start(client, call);
}

static void pause_until(struct aws_client *client, struct call *call,
                        int64_t due_ms)
{
    leave_lane(client, call);
    call->due_ms = due_ms;
    move(client, call, CALL_PAUSED);
}

static void retry_or_fail(struct aws_client *client, struct call *call)
{
    const struct retry_failure failure = {
        .reaction = call->reply.error.code,
        .attempt = call->attempt,
        .max_attempts = call->request.max_attempts,
        .hint_ms = lane_answer(call->lane)->retry_after_ms,
        .is_long_poll = call->request.is_long_poll};
    struct retry_plan plan = {.advice = RETRY_GIVE_UP};

    if (retries(client, call))
        plan = retry_decide(&client->bucket, &client->random, &failure);
    if (plan.advice == RETRY_GIVE_UP) {
        fail(client, call);
        return;
    }
    log_debug(&client->log, "aws.retry",
              LOG_STR("operation", call->request.operation),
              LOG_INT("attempt", call->attempt),
              LOG_INT("delay_ms", plan.delay_ms),
              LOG_ERROR(&call->reply.error));
    call->attempt++;
    call->paid = plan.paid;
    call->fails_when_due = plan.advice == RETRY_SLEEP_FAIL;
    pause_until(client, call, call->reply.received_ms + plan.delay_ms);
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

static void transfer_failed(struct aws_client *client, struct call *call,
                            CURLcode rc)
{
    struct error *err = &call->reply.error;

    call->reply.status = 0;
    call->reply.code[0] = '\0';
    buffer_finish(&call->reply.body);
    call->reply.over_limit = lane_answer(call->lane)->over_limit;
    if (call->reply.over_limit) {
        error_set(err, ERROR_INVALID, "answer over %zu bytes",
                  aws_session_response_limit(client->session));
        fail(client, call);
        return;
    }
    if (!call->had_new_connection && died_in_reuse(call, rc)) {
        call->had_new_connection = true;
        try_again(client, call);
        return;
    }
    (void)transport_explain(lane_easy(call->lane), rc, lane_detail(call->lane),
                            err);
    retry_or_fail(client, call);
}

static void learn_clock(struct aws_client *client, const struct call *call)
{
    const struct lane_answer *answer = lane_answer(call->lane);
    const struct skew_sample sample = {
        .date_ms = answer->date_ms,
        .has_age = answer->has_age,
        .received_ms = clock_wall_ms(client->clock),
        .round_trip_ms = call->reply.received_ms - call->reply.sent_ms};
    int64_t offset_ms;

    if (skew_measure(&sample, &offset_ms))
        aws_session_set_offset_ms(client->session, call->request.service,
                                  offset_ms);
}

// What a user can do about it, where AWS's words do not say.
static void advise(const struct aws_client *client, struct call *call,
                   const struct errors_finding *finding, struct buffer *text)
{
    const char *source =
        credentials_cache_source(client->caches[call->request.service]);

    if (strstr(finding->text, "scoped to"))
        buffer_printf(text,
                      " (the region in use is %s: aws.region, AWS_REGION)",
                      aws_session_region(client->session));
    else if (finding->is_stale || finding->is_clock)
        buffer_printf(text, " (credentials from %s)", source);
}

static void describe(const struct aws_client *client, struct call *call,
                     const struct errors_finding *finding)
{
    const char *request_id = lane_answer(call->lane)->request_id;
    struct buffer text;

    buffer_init(&text, sizeof(call->reply.error.message));
    buffer_printf(&text, "%s%s%s", finding->code,
                  finding->code[0] && finding->text[0] ? ": " : "",
                  finding->text);
    advise(client, call, finding, &text);
    if (request_id[0])
        buffer_printf(&text, " [request %s]", request_id);
    error_set(&call->reply.error, finding->reaction, "%s", buffer_text(&text));
    buffer_finish(&text);
}

static void answer_failed(struct aws_client *client, struct call *call,
                          const struct errors_finding *finding)
{
    int64_t offset_ms =
        aws_session_offset_ms(client->session, call->request.service);

    (void)snprintf(call->reply.code, sizeof(call->reply.code), "%s",
                   finding->code);
    call->reply.not_json = finding->not_json;
    describe(client, call, finding);
    if (finding->is_clock && !call->had_new_clock &&
        skew_explains(call->offset_ms, offset_ms)) {
        call->had_new_clock = true;
        try_again(client, call);
    } else if (finding->is_stale && !call->had_new_credentials) {
        call->had_new_credentials = call->was_refused = true;
        credentials_cache_reject(client->caches[call->request.service],
                                 call->generation);
        try_again(client, call);
    } else {
        retry_or_fail(client, call);
    }
}

static void succeed(struct aws_client *client, struct call *call)
{
    retry_succeeded(&client->bucket, call->paid);
    call->reply.error = (struct error){0};
    call->reply.code[0] = '\0';
    call->reply.not_json = false;
    finish(client, call, true);
}

static void answer_arrived(struct aws_client *client, struct call *call)
{
    const struct lane_answer *answer = lane_answer(call->lane);
    struct errors_finding finding;
    struct aws_reply *reply = &call->reply;
    const char *type = NULL;
    long status = 0;

    (void)curl_easy_getinfo(lane_easy(call->lane), CURLINFO_RESPONSE_CODE,
                            &status);
    (void)curl_easy_getinfo(lane_easy(call->lane), CURLINFO_CONTENT_TYPE,
                            &type);
    reply->status = (int)status;
    (void)snprintf(reply->content_type, sizeof(reply->content_type), "%s",
                   type ? type : "");
    learn_clock(client, call);
    buffer_finish(&reply->body);
    lane_take_body(call->lane, &reply->body);
    if (errors_find(
            &(struct errors_answer){.status = reply->status,
                                    .body = buffer_bytes(&reply->body),
                                    .error_type = answer->error_type,
                                    .query_error = answer->query_error,
                                    .wants_xml =
                                        call->request.protocol == AWS_QUERY},
            &finding))
        answer_failed(client, call, &finding);
    else
        succeed(client, call);
}

static void land(struct aws_client *client, struct call *call, CURLcode rc)
{
    call->reply.received_ms = now_ms(client);
    if (rc == CURLE_OK)
        answer_arrived(client, call);
    else
        transfer_failed(client, call, rc);
}

// ---- the loop

static void start_waiting(struct aws_client *client)
{
    struct call *call, *next;

    for (call = TAILQ_FIRST(&client->waiting); call; call = next) {
        next = TAILQ_NEXT(call, link);
        start(client, call);
    }
}

static void start_due(struct aws_client *client)
{
    int64_t now = now_ms(client);
    struct call *call, *next;

    for (call = TAILQ_FIRST(&client->paused); call; call = next) {
        next = TAILQ_NEXT(call, link);
        if (call->due_ms > now)
            continue;
        if (call->fails_when_due)
            fail(client, call);
        else
            start(client, call);
    }
}

static int64_t next_due_ms(const struct aws_client *client)
{
    const struct call *call;
    int64_t next_ms = CLOCK_NEVER;

    TAILQ_FOREACH(call, &client->paused, link)
    next_ms = clock_earlier(next_ms, call->due_ms);
    return next_ms;
}

static void perform(struct aws_client *client)
{
    int running, left;
    CURLMsg *message;

    (void)curl_multi_perform(client->multi, &running);
    while ((message = curl_multi_info_read(client->multi, &left)))
        if (message->msg == CURLMSG_DONE)
            land(client, lane_owner(lane_of(message->easy_handle)),
                 message->data.result);
}

// True when the loop's owner has something to do. A wake that comes later is
// kept for the next wait.
static bool has_news(struct aws_client *client)
{
    return !TAILQ_EMPTY(&client->done) || atomic_load(&client->woken);
}

static void drive(struct aws_client *client)
{
    start_waiting(client);
    start_due(client);
    perform(client);
}

// Until the network, a retry, a wake, credentials or the deadline end it.
static void sleep_until(struct aws_client *client, int64_t deadline_ms)
{
    int64_t now = now_ms(client);

    drop_stale_lanes(client, now);
    deadline_ms = clock_earlier(deadline_ms, next_due_ms(client));
    (void)curl_multi_poll(client->multi, NULL, 0,
                          (int)clock_until_ms(deadline_ms, now, POLL_LIMIT_MS),
                          NULL);
}

void aws_client_wait(struct aws_client *client, int64_t timeout_ms)
{
    int64_t deadline_ms = now_ms(client) + timeout_ms;

    drive(client);
    while (!has_news(client) && now_ms(client) < deadline_ms) {
        sleep_until(client, deadline_ms);
        drive(client);
    }
    (void)atomic_exchange(&client->woken, false);
}

void aws_client_wake(struct aws_client *client)
{
    if (!atomic_exchange(&client->woken, true))
        (void)curl_multi_wakeup(client->multi);
}

// Of the credentials: the owner's wait goes on, but looks again.
static void stir(void *context)
{
    (void)curl_multi_wakeup(context);
}

static void hand_out(struct aws_client *client, struct call *call,
                     struct aws_reply *reply)
{
    TAILQ_REMOVE(&client->done, call, link);
    *reply = call->reply;
    call_free(client, call);
}

bool aws_client_next(struct aws_client *client, struct aws_reply *reply)
{
    struct call *call = TAILQ_FIRST(&client->done);

    if (!call)
        return false;
    hand_out(client, call, reply);
    return true;
}

void aws_reply_finish(struct aws_reply *reply)
{
    buffer_finish(&reply->body);
}

// ---- all calls of an owner

static void stop_call(struct aws_client *client, struct call *call)
{
    buffer_finish(&call->reply.body);
    call->reply.code[0] = '\0';
    error_set(&call->reply.error, ERROR_STOPPED, "stopped");
    fail(client, call);
}

static const enum call_state pending_states[] = {CALL_WAITING, CALL_FLYING,
                                                 CALL_PAUSED};
#define PENDING_STATES (sizeof(pending_states) / sizeof(pending_states[0]))

void aws_client_cancel(struct aws_client *client, const void *owner)
{
    struct call *call, *next;

    for (size_t i = 0; i < PENDING_STATES; i++)
        for (call = TAILQ_FIRST(list_of(client, pending_states[i])); call;
             call = next) {
            next = TAILQ_NEXT(call, link);
            if (call->request.owner == owner)
                stop_call(client, call);
        }
}

void aws_client_no_more_retries(struct aws_client *client, const void *owner)
{
    struct call *call, *next;

    client->no_retries =
        mem_realloc(client->no_retries, client->no_retries_count + 1,
                    sizeof(client->no_retries[0]));
    client->no_retries[client->no_retries_count++] = owner;
    for (call = TAILQ_FIRST(&client->paused); call; call = next) {
        next = TAILQ_NEXT(call, link);
        if (call->request.owner == owner)
            fail(client, call);
    }
}

size_t aws_client_pending(const struct aws_client *client, const void *owner)
{
    const struct call_list *const lists[] = {&client->waiting, &client->flying,
                                             &client->paused};
    const struct call *call;
    size_t count = 0;

    for (size_t i = 0; i < PENDING_STATES; i++)
        TAILQ_FOREACH(call, lists[i], link)
    count += call->request.owner == owner;
    return count;
}

static bool is_stopped(const bool *stop)
{
    return stop && __atomic_load_n(stop, __ATOMIC_ACQUIRE);
}

bool aws_client_call(struct aws_client *client, struct aws_request *request,
                     const bool *stop, struct aws_reply *reply)
{
    struct call *call = begin(client, request);
    bool woken = false;

    while (call->state != CALL_DONE && !is_stopped(stop)) {
        drive(client);
        if (atomic_exchange(&client->woken, false))
            woken = true;
        else if (call->state != CALL_DONE)
            sleep_until(client, CLOCK_NEVER);
    }
    if (woken) // it was meant for the owner's own wait
        aws_client_wake(client);
    if (call->state != CALL_DONE)
        stop_call(client, call);
    hand_out(client, call, reply);
    return reply->ok;
}

// ---- lifetime

struct aws_client *aws_client_create(const struct aws_client_options *options)
{
    struct aws_client *client = mem_calloc(1, sizeof(*client));

    client->session = options->session;
    client->clock = options->clock;
    client->log = *options->log;
    client->random.state = options->seed;
    client->sigv4 = sigv4_create();
    retry_bucket_init(&client->bucket);
    TAILQ_INIT(&client->waiting);
    TAILQ_INIT(&client->flying);
    TAILQ_INIT(&client->paused);
    TAILQ_INIT(&client->done);
    client->multi = curl_multi_init();
    if (!client->multi)
        abort(); // only for want of memory or descriptors
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS,
                            (long)CONNECTIONS);
    (void)curl_multi_setopt(client->multi, CURLMOPT_PIPELINING,
                            (long)CURLPIPE_NOTHING);
    for (size_t i = 0; i < AWS_SERVICE_COUNT; i++) {
        client->users[i].wake = stir;
        client->users[i].context = client->multi;
    }
    return client;
}

static void discard_calls(struct aws_client *client, struct call_list *calls)
{
    struct call *call, *next;
    struct aws_reply reply;

    for (call = TAILQ_FIRST(calls); call; call = next) {
        next = TAILQ_NEXT(call, link);
        if (call->state != CALL_DONE)
            stop_call(client, call);
        hand_out(client, call, &reply);
        aws_reply_finish(&reply);
    }
}

void aws_client_destroy(struct aws_client *client)
{
    if (!client)
        return;
    discard_calls(client, &client->waiting);
    discard_calls(client, &client->flying);
    discard_calls(client, &client->paused);
    discard_calls(client, &client->done);
    while (client->idle_count)
        lane_destroy(client->idle[--client->idle_count].lane);
    for (size_t i = 0; i < AWS_SERVICE_COUNT; i++)
        if (client->caches[i])
            credentials_cache_leave(client->caches[i], &client->users[i]);
    (void)curl_multi_cleanup(client->multi);
    sigv4_destroy(client->sigv4);
    free(client->spare);
    free(client->no_retries);
    free(client);
}
