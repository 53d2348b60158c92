#include "local_state.h"

#include <stdio.h>

#include "base/digest.h"
#include "local/text.h"

static const struct queue_settings settings = {
    .visibility_ms = 30000,
    .retention_ms = 3600 * 1000,
    .size_limit = 1 << 20,
    .failure_limit = 3,
};

void local_state_init(struct local_state *state, bool fifo)
{
    struct queue_settings all = settings;

    all.fifo = fifo;
    *state = (struct local_state){.now_ms = STATE_START_MS};
    state->digest = digest_create();
    state->queue =
        queue_create(BYTES("q"), 1, &all, &state->timers, state->now_ms);
    state->dead =
        queue_create(BYTES("dead"), 2, &all, &state->timers, state->now_ms);
}

void local_state_finish(struct local_state *state)
{
    queue_destroy(state->queue);
    queue_destroy(state->dead);
    timers_finish(&state->timers);
    digest_destroy(state->digest);
}

void local_state_advance(struct local_state *state, int64_t ms)
{
    struct timer *timer;

    state->now_ms += ms;
    while ((timer = timers_take(&state->timers, state->now_ms)))
        queue_message_due(LIST_ITEM(timer, struct message, timer));
}

struct message *local_state_send(struct local_state *state, const char *body,
                                 const char *group, int64_t delay_ms)
{
    char id[TEXT_UUID_SIZE + 1], sequence[21];
    struct message_content content = {
        .body = bytes_of(body),
        .group_id = bytes_of(group),
        .dedup_id = bytes_of(body),
        .id = id,
        .serial = ++state->serial,
        .sent_ms = state->now_ms,
    };
    struct message *message;

    text_uuid(state->serial, 0, id);
    if (state->queue->settings.fifo) {
        fifo_next_sequence(&state->queue->fifo, sequence);
        content.sequence = sequence;
    }
    message = message_create(&content, state->digest);
    queue_send(state->queue, message, state->now_ms, delay_ms);
    return message;
}

const char *local_state_receive_from(struct local_state *state,
                                     struct queue *queue, unsigned wanted)
{
    struct queue_receive options = {
        .wanted = wanted,
        .visibility_ms = queue->settings.visibility_ms,
        .dead_letter = queue == state->queue ? state->dead : NULL,
        .arn = "arn:q",
    };
    size_t count = queue_receive(queue, &options, state->now_ms, state->got);
    size_t used = 0;

    state->text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(state->text + used, sizeof(state->text) - used,
                                 "%s%.*s", i ? " " : "",
                                 BYTES_ARGS(state->got[i]->body));
    return state->text;
}

const char *local_state_receive(struct local_state *state, unsigned wanted)
{
    return local_state_receive_from(state, state->queue, wanted);
}
