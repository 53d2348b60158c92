#include "cli/failed_emit.h"

#include <stdlib.h>

#include <curl/curl.h>

#include "aws/client.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "destination/destination.h"
#include "handler/handler.h"
#include "poller/trigger_config.h"
#include "supervisor/settings.h"

#define WAIT_MS 60000

struct failed_emit {
    struct aws_session *session;     // owned
    struct aws_client *client;       // owned
    struct destination *destination; // owned
};

struct failed_emit *failed_emit_open(const struct settings *settings,
                                     const struct trigger_config *trigger,
                                     const struct log *log, struct error *err)
{
    struct failed_emit *emit = mem_calloc(1, sizeof(*emit));

    curl_global_init(CURL_GLOBAL_DEFAULT);
    emit->session = aws_session_create(
        &(struct aws_session_options){
            .config = &settings->aws, .clock = clock_system(), .log = log},
        err);
    if (emit->session)
        emit->client = aws_client_create(
            &(struct aws_client_options){.session = emit->session,
                                         .clock = clock_system(),
                                         .log = log,
                                         .seed = random_seed()});
    if (emit->client)
        emit->destination = destination_open(
            &(struct destination_options){
                .arn = trigger->destination_config.on_success.destination,
                .session = emit->session,
                .client = emit->client,
                .clock = clock_system(),
                .log = log,
                .seed = random_seed()},
            err);
    if (emit->destination)
        return emit;
    failed_emit_close(emit);
    return NULL;
}

void failed_emit_close(struct failed_emit *emit)
{
    if (!emit)
        return;
    destination_close(emit->destination);
    aws_client_destroy(emit->client);
    aws_session_destroy(emit->session);
    curl_global_cleanup();
    free(emit);
}

static void turn(struct failed_emit *emit, int64_t deadline_ms)
{
    const struct clock *clock = clock_system();
    struct aws_reply reply;

    deadline_ms =
        clock_earlier(deadline_ms, destination_deadline_ms(emit->destination));
    aws_client_wait(emit->client,
                    clock_until_ms(deadline_ms, clock_now_ms(clock), WAIT_MS));
    while (aws_client_next(emit->client, &reply)) {
        destination_reply(emit->destination, &reply, clock_now_ms(clock));
        aws_reply_finish(&reply);
    }
    destination_poll(emit->destination, clock_now_ms(clock));
}

bool failed_emit(struct failed_emit *emit, const struct outcome *outcome,
                 struct record *const *records, size_t count, struct error *err)
{
    const struct clock *clock = clock_system();
    int64_t deadline_ms = clock_now_ms(clock) + WAIT_MS;
    struct delivery delivery = {.emissions = outcome->emissions,
                                .count = outcome->emission_count,
                                .records = records,
                                .record_count = count};

    destination_deliver(emit->destination, &delivery, clock_now_ms(clock));
    while (!destination_next(emit->destination)) {
        if (clock_now_ms(clock) >= deadline_ms) {
            destination_withdraw(emit->destination, &delivery);
            return error_set(err, ERROR_TRANSIENT,
                             "its results were not accepted by on_success "
                             "within a minute");
        }
        turn(emit, deadline_ms);
    }
    return true;
}
