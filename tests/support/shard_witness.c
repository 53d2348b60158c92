#include "shard_witness.h"

#include <stdio.h>

#include "base/mem.h"
#include "handler/handler.h"
#include "poller/batch.h"
#include "poller/key_hash.h"
#include "poller/pipeline.h"
#include "poller/poller.h"
#include "poller/tumbling.h"
#include "record/event.h"
#include "test.h"

#define READ_AHEAD 2000 // records, for each lane
#define READ_MOST 10000

/* ---- Life ---- */

static void resume_window(struct shard_witness *witness, const char *text)
{
    struct witness_window *window = &witness->window;
    struct tumbling_stored stored;
    struct error err = {0};

    if (!text)
        return;
    assert_ok(tumbling_read(text, &stored, &err), &err);
    assert_true(stored.state.size < sizeof(window->state));
    memcpy(window->state, stored.state.data, stored.state.size);
    window->is_open = window->is_settled = true;
    window->start_ms = stored.start_ms;
    window->end_ms = stored.end_ms;
    window->is_outdated = stored.end_ms - stored.start_ms !=
                          witness->trigger->tumbling_window_in_seconds * 1000;
}

static bool has_windows(const struct shard_witness *witness)
{
    return witness->trigger->tumbling_window_in_seconds > 0 ||
           witness->window.is_open;
}

void witness_init(struct shard_witness *witness, int64_t now_ms)
{
    const struct model_shard *shard = witness->shard;

    witness->first = witness->over = witness->told = shard->committed;
    witness->began_ms = witness->came_ms = now_ms;
    if (shard->window)
        witness->told_window = mem_strdup(shard->window);
    resume_window(witness, shard->window);
    witness->lane_count =
        has_windows(witness) ? 1
                             : (size_t)witness->trigger->parallelization_factor;
}

void witness_finish(struct shard_witness *witness)
{
    free(witness->told_window);
}

size_t witness_index(const struct shard_witness *witness,
                     const struct record *record)
{
    return (size_t)(record->origin - witness->origins);
}

static struct model_record *model_of(const struct shard_witness *witness,
                                     size_t index)
{
    return &witness->shard->records[index];
}

/* ---- Reading ---- */

static size_t most_waiting(const struct shard_witness *witness)
{
    size_t batches =
        (witness->lane_count + 1) * (size_t)witness->trigger->batch_size;
    size_t ahead = witness->lane_count * READ_AHEAD;

    if (ahead > READ_MOST)
        ahead = READ_MOST;
    return batches > ahead ? batches : ahead;
}

/* A batch of each lane. */
static size_t most_out(const struct shard_witness *witness)
{
    return witness->lane_count * (size_t)witness->trigger->batch_size;
}

static uint64_t most_waiting_bytes(const struct shard_witness *witness)
{
    return (witness->lane_count + 1) * (uint64_t)EVENT_LIMIT;
}

void witness_asked(const struct shard_witness *witness, size_t room)
{
    if (!room)
        return;
    assert_false(witness->is_stopping);
    // What is given up, and not yet on its way out, no longer counts.
    assert_true(witness->waiting + room <=
                most_waiting(witness) + most_out(witness));
    assert_true(witness->waiting_bytes < 2 * most_waiting_bytes(witness));
}

static void leave_line(struct shard_witness *witness, size_t index)
{
    witness->waiting--;
    witness->waiting_bytes -= model_of(witness, index)->size;
}

static void join_line(struct shard_witness *witness, size_t index)
{
    witness->waiting++;
    witness->waiting_bytes += model_of(witness, index)->size;
    witness->seats[index].state = SEAT_WAITING;
}

static void end_seat(struct shard_witness *witness, size_t index,
                     enum model_fate fate)
{
    struct seat *seat = &witness->seats[index];

    assert_true(seat->state != SEAT_OVER);
    seat->state = SEAT_OVER;
    seat->fate = fate;
    while (witness->over < witness->shard->count &&
           witness->seats[witness->over].fate != FATE_NONE)
        witness->over++;
}

static unsigned lane_of(const struct shard_witness *witness, size_t index)
{
    char key[16];

    if (witness->lane_count == 1)
        return 0;
    (void)snprintf(key, sizeof(key), "k%u", model_of(witness, index)->key);
    return (unsigned)(key_hash(witness->seed, bytes_of(key)) %
                      witness->lane_count);
}

void witness_read(struct shard_witness *witness, size_t index, int64_t now_ms)
{
    const struct model_record *record = model_of(witness, index);
    struct seat *seat = &witness->seats[index];

    assert_true(seat->state == SEAT_UNREAD && index >= witness->first);
    witness->inside++;
    if (record->arrived_at_ms > witness->seen_at_ms)
        witness->seen_at_ms = record->arrived_at_ms;
    if (record->is_filtered) {
        end_seat(witness, index, FATE_FILTERED);
        return;
    }
    witness->came_ms = now_ms;
    seat->lane = lane_of(witness, index);
    join_line(witness, index);
}

void witness_trimmed(struct shard_witness *witness, size_t index)
{
    model_of(witness, index)->was_given_up = true;
    end_seat(witness, index, FATE_TRIMMED);
}

/* ---- Calls ---- */

static bool is_too_old(const struct shard_witness *witness,
                       const struct model_record *record, int64_t wall_ms)
{
    int64_t age = witness->trigger->maximum_record_age_in_seconds;

    return age >= 0 && record->arrived_at_ms > 0 &&
           record->arrived_at_ms + age * 1000 <= wall_ms;
}

static void check_gate(struct shard_witness *witness,
                       const struct invocation *invocation, int64_t now_ms)
{
    const struct trigger_config *trigger = witness->trigger;
    uint64_t rate = (uint64_t)trigger->rate_limit.records_per_second;
    uint64_t most = rate + (uint64_t)(now_ms - witness->began_ms) * rate / 1000;

    // A batch takes all of itself when as much as the bucket holds is there.
    if (rate && invocation->count > rate)
        assert_true(witness->dispatched <= most - rate);
    else if (rate)
        assert_true(witness->dispatched + invocation->count <= most);
    witness->dispatched += invocation->count;
    if (!witness->is_broken)
        return;
    assert_true(!witness->tried && now_ms >= witness->mends_ms);
    witness->tried = invocation;
}

static void note_breaker(struct shard_witness *witness,
                         const struct invocation *invocation,
                         const struct witness_ending *ending, int64_t now_ms)
{
    const struct trigger_config *trigger = witness->trigger;
    bool was_tried = witness->tried == invocation;

    if (was_tried)
        witness->tried = NULL;
    if (ending->is_unstarted || !trigger->circuit_breaker.failures)
        return;
    if (!ending->all_failed) {
        witness->failures = 0;
        witness->is_broken = false;
        witness->tried = NULL;
        return;
    }
    witness->failures++;
    if (witness->is_broken ? was_tried
                           : witness->failures >=
                                 (uint64_t)trigger->circuit_breaker.failures) {
        witness->is_broken = true;
        witness->mends_ms = now_ms + trigger->circuit_breaker.pause_ms;
    }
}

/* All that waits in the lane before the batch's last is in the batch. */
static void check_front(const struct shard_witness *witness,
                        const struct invocation *invocation, unsigned lane)
{
    size_t last =
        witness_index(witness, invocation->records[invocation->count - 1]);
    size_t waiting = 0;

    for (size_t i = witness->over; i <= last; i++)
        waiting += witness->seats[i].state == SEAT_WAITING &&
                   witness->seats[i].lane == lane;
    assert_int_equal(waiting, invocation->count);
}

static void check_size(const struct shard_witness *witness,
                       const struct invocation *invocation)
{
    size_t bytes = EVENT_FRAME, limit = EVENT_LIMIT;

    if (invocation->window)
        limit -= TUMBLING_EVENT_ROOM;
    for (size_t i = 0; i < invocation->count; i++)
        bytes += invocation->records[i]->event_size;
    assert_true(invocation->count <= (size_t)witness->trigger->batch_size);
    assert_true(invocation->count == 1 || bytes <= limit);
}

static void check_attempts(const struct shard_witness *witness,
                           const struct invocation *invocation)
{
    int64_t retries = witness->trigger->maximum_retry_attempts;
    size_t first = witness_index(witness, invocation->records[0]);
    unsigned errors = witness->seats[first].errors;

    assert_true(retries < 0 || errors <= retries);
    for (size_t i = 0; i < invocation->count; i++) {
        size_t index = witness_index(witness, invocation->records[i]);

        assert_int_equal(witness->seats[index].errors, errors);
    }
}

/* The call is shown the open window as the last one left it. */
static void check_view(const struct shard_witness *witness,
                       const struct event_window *view)
{
    const struct witness_window *window = &witness->window;

    assert_int_equal(view->start_ms, window->start_ms);
    assert_int_equal(view->end_ms, window->end_ms);
    if (window->is_too_large)
        assert_true(view->state.size > EVENT_STATE_LIMIT);
    else
        assert_true(bytes_equal(view->state, bytes_of(window->state)));
}

static void open_window(struct shard_witness *witness, size_t first,
                        int64_t wall_ms)
{
    int64_t arrived_at_ms = model_of(witness, first)->arrived_at_ms;
    int64_t length_ms = witness->trigger->tumbling_window_in_seconds * 1000;
    int64_t at_ms = arrived_at_ms ? arrived_at_ms : wall_ms;

    witness->window =
        (struct witness_window){.is_open = true,
                                .start_ms = at_ms - at_ms % length_ms,
                                .end_ms = at_ms - at_ms % length_ms + length_ms,
                                .state = "{}"};
}

static void check_window(struct shard_witness *witness,
                         const struct invocation *invocation, int64_t wall_ms)
{
    struct witness_window *window = &witness->window;

    if (!has_windows(witness)) {
        assert_null(invocation->window);
        return;
    }
    if (!window->is_open)
        open_window(witness, witness_index(witness, invocation->records[0]),
                    wall_ms);
    assert_false(window->is_outdated || window->is_too_large);
    assert_false(invocation->window->is_final ||
                 invocation->window->is_terminated_early);
    check_view(witness, invocation->window);
    for (size_t i = 0; i < invocation->count; i++) {
        const struct model_record *record =
            model_of(witness, witness_index(witness, invocation->records[i]));

        assert_true(record->arrived_at_ms < window->end_ms);
        // Only what comes late is in a later window than its own, or behind
        // one whose time is not known.
        if (record->arrived_at_ms < window->start_ms &&
            witness->stream->tells_arrival)
            assert_true(record->latest_before_ms > record->arrived_at_ms);
    }
}

static const struct model_record *
first_waiting(const struct shard_witness *witness)
{
    for (size_t i = witness->over; i < witness->shard->count; i++)
        if (witness->seats[i].state == SEAT_WAITING)
            return model_of(witness, i);
    return NULL;
}

static void check_final(struct shard_witness *witness,
                        const struct invocation *invocation, int64_t now_ms,
                        int64_t wall_ms)
{
    const struct witness_window *window = &witness->window;
    const struct event_window *view = invocation->window;
    const struct model_record *next = first_waiting(witness);

    assert_true(view && view->is_final && window->is_open);
    check_view(witness, view);
    assert_int_equal(view->is_terminated_early,
                     window->is_too_large || window->is_outdated);
    if (view->is_terminated_early || witness->is_final_out)
        return; // and it is tried until it succeeds, whatever comes meanwhile
    assert_true(!next || next->arrived_at_ms >= window->end_ms);
    assert_true(witness->shard_ended || witness->seen_at_ms >= window->end_ms ||
                (now_ms >= witness->came_ms + TUMBLING_IDLE_MS &&
                 wall_ms >= window->end_ms + TUMBLING_IDLE_MS));
}

static void start_records(struct shard_witness *witness,
                          const struct invocation *invocation, int64_t wall_ms)
{
    size_t first = witness_index(witness, invocation->records[0]);
    unsigned lane = witness->seats[first].lane;

    check_front(witness, invocation, lane);
    check_size(witness, invocation);
    check_attempts(witness, invocation);
    assert_false(is_too_old(witness, model_of(witness, first), wall_ms));
    assert_false(witness->lanes[lane].is_busy);
    witness->lanes[lane].is_busy = true;
    for (size_t i = 0; i < invocation->count; i++) {
        size_t index = witness_index(witness, invocation->records[i]);

        assert_int_equal(witness->seats[index].state, SEAT_WAITING);
        assert_int_equal(witness->seats[index].lane, lane);
        witness->seats[index].state = SEAT_RUNNING;
        leave_line(witness, index);
    }
}

void witness_started(struct shard_witness *witness,
                     const struct invocation *invocation, int64_t now_ms,
                     int64_t wall_ms)
{
    assert_false(witness->is_stopping);
    check_gate(witness, invocation, now_ms);
    if (invocation->count) {
        check_window(witness, invocation, wall_ms);
        start_records(witness, invocation, wall_ms);
        return;
    }
    check_final(witness, invocation, now_ms, wall_ms);
    assert_false(witness->lanes[0].is_busy);
    witness->lanes[0].is_busy = witness->is_final_out = true;
}

/* ---- Their ends ---- */

static void end_final(struct shard_witness *witness,
                      const struct witness_ending *ending, int64_t now_ms)
{
    struct witness_window *window = &witness->window;
    struct witness_lane *lane = &witness->lanes[0];

    lane->is_busy = false;
    lane->has_failed = ending->all_failed || ending->is_unstarted;
    lane->failed_ms = now_ms;
    if (lane->has_failed)
        return;
    witness->is_final_out = false;
    window->is_open = window->is_too_large;
    window->is_too_large = window->is_outdated = false;
    window->is_settled = window->is_open;
    (void)snprintf(window->state, sizeof(window->state), "{}");
}

static void move_window(struct shard_witness *witness,
                        const struct witness_ending *ending)
{
    struct witness_window *window = &witness->window;

    if (!window->is_open || !ending->done)
        return;
    assert_non_null(ending->state);
    window->is_settled = true;
    window->is_too_large = ending->is_too_large;
    (void)snprintf(window->state, sizeof(window->state), "%s", ending->state);
}

/* What is left of a batch: one more error, a split, or a fresh start. */
static void leave_rest(struct shard_witness *witness,
                       const struct invocation *invocation,
                       const struct witness_ending *ending)
{
    bool is_split = witness->trigger->bisect_batch_on_function_error &&
                    invocation->count > 1;

    for (size_t i = ending->done; i < invocation->count; i++) {
        size_t index = witness_index(witness, invocation->records[i]);
        struct seat *seat = &witness->seats[index];

        if (ending->done)
            seat->errors = 0;
        else if (!ending->is_unstarted && !is_split)
            seat->errors++;
        join_line(witness, index);
    }
}

void witness_ended(struct shard_witness *witness,
                   const struct invocation *invocation,
                   const struct witness_ending *ending, int64_t now_ms)
{
    struct witness_lane *lane;
    unsigned number;

    note_breaker(witness, invocation, ending, now_ms);
    if (!invocation->count) {
        end_final(witness, ending, now_ms);
        return;
    }
    number =
        witness->seats[witness_index(witness, invocation->records[0])].lane;
    lane = &witness->lanes[number];
    lane->is_busy = false;
    lane->has_failed = ending->done < invocation->count;
    lane->failed_ms = now_ms;
    witness->last_was_unhandled[number] = ending->is_unhandled;
    for (size_t i = 0; i < ending->done; i++) {
        size_t index = witness_index(witness, invocation->records[i]);

        end_seat(witness, index, FATE_HANDLED);
        model_record_handled(witness->stream, model_of(witness, index));
    }
    move_window(witness, ending);
    leave_rest(witness, invocation, ending);
}

/* ---- Giving up ---- */

static void check_condition(const struct shard_witness *witness,
                            const struct discard *discard, size_t index)
{
    const struct seat *seat = &witness->seats[index];

    switch (discard->condition) {
    case DISCARD_ATTEMPTS:
        assert_int_equal(seat->errors,
                         witness->trigger->maximum_retry_attempts + 1);
        break;
    case DISCARD_AGE:
        assert_true(is_too_old(witness, model_of(witness, index),
                               discard->discarded_at_ms));
        break;
    case DISCARD_FILTERED:
        fail_msg("a shard moves nothing");
    }
    assert_int_equal(discard->invoke_count, seat->errors ? seat->errors : 1);
}

void witness_gave_up(struct shard_witness *witness,
                     const struct discard *discard)
{
    const struct batch *batch = discard->batch;
    size_t first = witness_index(witness, batch->records[0]);
    unsigned lane = witness->seats[first].lane;

    assert_int_equal(discard->is_unhandled,
                     discard->condition == DISCARD_ATTEMPTS &&
                         witness->last_was_unhandled[lane]);
    if (has_windows(witness) && !witness->window.is_open)
        open_window(witness, first, discard->discarded_at_ms);
    assert_int_equal(batch->window != NULL, witness->window.is_open);
    witness->lanes[lane].is_busy = true;
    for (size_t i = 0; i < batch->count; i++) {
        size_t index = witness_index(witness, batch->records[i]);

        check_condition(witness, discard, index);
        assert_int_equal(witness->seats[index].state, SEAT_WAITING);
        assert_int_equal(witness->seats[index].lane, lane);
        witness->seats[index].state = SEAT_GIVEN_UP;
        leave_line(witness, index);
    }
}

static unsigned take_back(struct shard_witness *witness,
                          const struct discard *discard)
{
    const struct batch *batch = discard->batch;
    size_t first = witness_index(witness, batch->records[0]);
    unsigned lane = witness->seats[first].lane;

    assert_true(witness->lanes[lane].is_busy);
    witness->lanes[lane].is_busy = false;
    for (size_t i = 0; i < batch->count; i++)
        assert_int_equal(
            witness->seats[witness_index(witness, batch->records[i])].state,
            SEAT_GIVEN_UP);
    return lane;
}

void witness_discarded(struct shard_witness *witness,
                       const struct discard *discard, bool is_reported)
{
    const struct batch *batch = discard->batch;

    assert_int_equal(is_reported, witness->has_destination);
    (void)take_back(witness, discard);
    for (size_t i = 0; i < batch->count; i++) {
        size_t index = witness_index(witness, batch->records[i]);

        model_of(witness, index)->was_given_up = true;
        end_seat(witness, index, is_reported ? FATE_REPORTED : FATE_DROPPED);
    }
    if (witness->window.is_open)
        witness->window.is_settled = true;
}

void witness_not_discarded(struct shard_witness *witness,
                           const struct discard *discard)
{
    const struct batch *batch = discard->batch;

    // Only somebody who stops gives such up.
    assert_true(witness->is_stopping);
    (void)take_back(witness, discard);
    for (size_t i = 0; i < batch->count; i++)
        join_line(witness, witness_index(witness, batch->records[i]));
}

/* ---- Checkpoints, verdicts ---- */

static void check_told_window(const struct shard_witness *witness)
{
    const struct witness_window *window = &witness->window;
    struct tumbling_stored stored;
    struct error err = {0};

    if (!window->is_open)
        assert_null(witness->told_window);
    else if (window->is_settled)
        assert_non_null(witness->told_window);
    if (!witness->told_window)
        return;
    assert_ok(tumbling_read(witness->told_window, &stored, &err), &err);
    assert_int_equal(stored.start_ms, window->start_ms);
    assert_int_equal(stored.end_ms, window->end_ms);
    assert_true(bytes_equal(stored.state, bytes_of(window->state)));
}

void witness_told(struct shard_witness *witness,
                  const struct poller_checkpoint *checkpoint)
{
    size_t place;

    assert_false(witness->window.is_too_large);
    if (checkpoint->sequence.size) {
        place = model_shard_place(witness->shard, checkpoint->sequence);
        assert_true(place > witness->told && place <= witness->over);
        witness->told = place;
    }
    if (!checkpoint->sets_window)
        return;
    free(witness->told_window);
    witness->told_window = NULL;
    if (checkpoint->window.size)
        witness->told_window =
            mem_strndup(checkpoint->window.data, checkpoint->window.size);
}

void witness_settled(struct shard_witness *witness, const struct record *record,
                     enum source_verdict verdict)
{
    size_t index = witness_index(witness, record);
    struct seat *seat = &witness->seats[index];

    assert_true(witness->inside-- > 0);
    if (verdict == SOURCE_DONE) {
        assert_true(seat->state == SEAT_OVER && seat->fate != FATE_NONE);
        return;
    }
    assert_true(witness->is_stopping);
    assert_int_equal(seat->state, SEAT_WAITING);
    leave_line(witness, index);
    seat->state = SEAT_OVER;
}

/* ---- After a round ---- */

static bool may_be_held(const struct shard_witness *witness)
{
    const struct trigger_config *trigger = witness->trigger;

    return trigger->rate_limit.records_per_second || witness->is_broken ||
           trigger->maximum_batching_window_in_seconds || has_windows(witness);
}

/* No lane waits longer than its backoff, and none for another. */
static void check_lanes(const struct shard_witness *witness, int64_t now_ms)
{
    int64_t most_ms = witness->trigger->retry_backoff.maximum_ms;
    bool has_work[WITNESS_LANES] = {false};

    if (may_be_held(witness))
        return;
    for (size_t i = witness->over; i < witness->shard->count; i++)
        if (witness->seats[i].state == SEAT_WAITING)
            has_work[witness->seats[i].lane] = true;
    for (size_t i = 0; i < witness->lane_count; i++) {
        const struct witness_lane *lane = &witness->lanes[i];

        if (has_work[i] && !lane->is_busy)
            assert_true(lane->has_failed && now_ms < lane->failed_ms + most_ms);
    }
}

/* The trimmed have no record that could say so: the checkpoint passes them
 * with the next one read. */
static size_t to_be_told(const struct shard_witness *witness)
{
    size_t to = witness->over;

    while (to > witness->told && witness->seats[to - 1].fate == FATE_TRIMMED)
        to--;
    return to;
}

void witness_round(struct shard_witness *witness, bool may_start,
                   int64_t now_ms)
{
    // What ran may have come back behind what was read meanwhile.
    assert_true(witness->waiting_bytes <=
                2 * most_waiting_bytes(witness) + WITNESS_PAGE_BYTES);
    assert_true(witness->waiting <= most_waiting(witness) + most_out(witness));
    if (witness->is_stopping) {
        assert_int_equal(witness->waiting, 0);
        return;
    }
    if (!witness->window.is_too_large) {
        assert_int_equal(witness->told, to_be_told(witness));
        check_told_window(witness);
    }
    if (may_start)
        check_lanes(witness, now_ms);
}

void witness_committed(struct shard_witness *witness)
{
    struct model_shard *shard = witness->shard;

    assert_true(witness->told >= shard->committed);
    for (size_t i = shard->committed; i < witness->told; i++) {
        assert_int_equal(witness->seats[i].state, SEAT_OVER);
        assert_true(witness->seats[i].fate != FATE_NONE);
        shard->records[i].committed = witness->seats[i].fate;
    }
    shard->committed = witness->told;
    free(shard->window);
    shard->window =
        witness->told_window ? mem_strdup(witness->told_window) : NULL;
}
