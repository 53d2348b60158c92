#include "aws/client.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "aws/call.h"
#include "aws/credentials_cache.h"
#include "aws/lane.h"
#include "aws/lane_pool.h"
#include "aws/retry.h"
#include "aws/session_inner.h"
#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#define CONNECTIONS 64        // kept open at the most
#define POLL_LIMIT_MS 3600000 // libcurl takes an int

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
    struct call_list waiting, flying, paused, done;      // calls are owned
    struct lane_pool lanes;
    struct call *spare;      // owned; memory for the next call, or NULL
    const void **no_retries; // owned; owners whose calls are not tried again
    size_t no_retries_count;
    bool has_streamed; // pieces were handed on since the last wait

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

static void leave_lane(struct aws_client *client, struct call *call)
{
    if (!call->lane)
        return;
    (void)curl_multi_remove_handle(client->multi, lane_easy(call->lane));
    lane_pool_give(&client->lanes, call->lane, now_ms(client));
    call->lane = NULL;
}

static void finish(struct aws_client *client, struct call *call, bool ok)
{
    leave_lane(client, call);
    buffer_finish(&call->request.body);
    call->reply.ok = ok;
    move(client, call, CALL_DONE);
}

static void fail(struct aws_client *client, struct call *call)
{
    const char *url = call->request.rest.url;

    if (!url)
        url = aws_session_endpoint(client->session, call->request.service);
    (void)error_wrap(&call->reply.error, "%s %s", call->request.operation, url);
    finish(client, call, false);
}

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
    call->generation = user ? user->generation : 0;
    call->offset_ms = aws_session_offset_ms(client->session, service);
    call->lane = lane_pool_take(&client->lanes);
    if (!call->lane)
        call->lane = lane_create(client->session, client->sigv4);
    call->reply.sent_ms = now_ms(client);
    lane_load(call->lane,
              &(struct lane_load){
                  .request = &call->request,
                  .has_streamed = &client->has_streamed,
                  .memory = &call->request.memory,
                  .credentials = user ? &user->credentials : NULL,
                  .wall_ms = clock_wall_ms(client->clock) + call->offset_ms,
                  .owner = call});
    move(client, call, CALL_FLYING);
    if (curl_multi_add_handle(client->multi, lane_easy(call->lane)))
        abort(); // only for want of memory
}

static void start(struct aws_client *client, struct call *call)
{
    struct credentials_user *user;
    struct error err;

    if (call->request.rest.is_foreign) {
        launch(client, call, NULL);
        return;
    }
    user = user_of(client, call->request.service);
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
    call_finish(call);
    if (client->spare)
        free(call);
    else
        client->spare = call;
}

static struct call *begin(struct aws_client *client,
                          struct aws_request *request)
{
    struct call *call = call_create(client);

    call_init(call, request, client->session);
    TAILQ_INSERT_TAIL(&client->waiting, call, link);
    start(client, call);
    return call;
}

void aws_client_send(struct aws_client *client, struct aws_request *request)
{
    (void)begin(client, request);
}

static bool is_patient(const struct aws_client *client, const void *owner)
{
    for (size_t i = 0; i < client->no_retries_count; i++)
        if (client->no_retries[i] == owner)
            return false;
    return true;
}

static void go_on(struct aws_client *client, struct call *call)
{
    leave_lane(client, call);
    if (call->was_refused)
        credentials_cache_reject(client->caches[call->request.service],
                                 call->generation);
    start(client, call);
}

static const char *source_of(const struct aws_client *client,
                             const struct call *call)
{
    const struct credentials_cache *cache =
        client->caches[call->request.service];

    return cache ? credentials_cache_source(cache) : "nowhere";
}

static void land(struct aws_client *client, struct call *call, CURLcode rc)
{
    const struct call_judge judge = {
        .session = client->session,
        .clock = client->clock,
        .log = &client->log,
        .bucket = &client->bucket,
        .random = &client->random,
        .credentials_source = source_of(client, call),
        .may_retry = is_patient(client, call->request.owner)};

    switch (call_land(call, &judge, rc)) {
    case CALL_SUCCEEDS:
        finish(client, call, true);
        return;
    case CALL_FAILS:
        fail(client, call);
        return;
    case CALL_GOES_ON:
        go_on(client, call);
        return;
    case CALL_PAUSES:
        leave_lane(client, call);
        move(client, call, CALL_PAUSED);
        return;
    }
}

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
    return !TAILQ_EMPTY(&client->done) || client->has_streamed ||
           atomic_load(&client->woken);
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

    lane_pool_trim(&client->lanes, now);
    deadline_ms = clock_earlier(deadline_ms, next_due_ms(client));
    (void)curl_multi_poll(client->multi, NULL, 0,
                          (int)clock_until_ms(deadline_ms, now, POLL_LIMIT_MS),
                          NULL);
}

void aws_client_push(struct aws_client *client)
{
    drive(client);
}

void aws_client_wait(struct aws_client *client, int64_t timeout_ms)
{
    int64_t now = now_ms(client);
    int64_t deadline_ms =
        timeout_ms < CLOCK_NEVER - now ? now + timeout_ms : CLOCK_NEVER;

    drive(client);
    while (!has_news(client) && now_ms(client) < deadline_ms) {
        sleep_until(client, deadline_ms);
        drive(client);
    }
    client->has_streamed = false;
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

void aws_client_resume(struct aws_client *client, const void *owner)
{
    struct call *call, *next;
    CURLcode rc;

    for (call = TAILQ_FIRST(&client->flying); call; call = next) {
        next = TAILQ_NEXT(call, link);
        if (call->request.owner != owner)
            continue;
        rc = lane_resume(call->lane);
        if (rc != CURLE_OK)
            land(client, call, rc);
    }
}

void aws_client_no_more_retries(struct aws_client *client, const void *owner)
{
    struct call *call, *next;

    if (!is_patient(client, owner))
        return;
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
    lane_pool_finish(&client->lanes);
    for (size_t i = 0; i < AWS_SERVICE_COUNT; i++)
        if (client->caches[i])
            credentials_cache_leave(client->caches[i], &client->users[i]);
    (void)curl_multi_cleanup(client->multi);
    sigv4_destroy(client->sigv4);
    free(client->spare);
    free(client->no_retries);
    free(client);
}
