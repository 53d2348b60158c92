#include "source/receive_plan.h"

#include <assert.h>
#include <stdbool.h>

#include "base/clock.h"

void receive_plan_init(struct receive_plan *plan, size_t minimum,
                       size_t maximum)
{
    assert(minimum >= 1 && maximum >= minimum);
    *plan = (struct receive_plan){.minimum = minimum,
                                  .maximum = maximum,
                                  .target = minimum,
                                  .held_until_ms = CLOCK_NEVER};
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Half of what one receive could bring here: worth a call of its own.
static bool is_worth_a_call(const struct receive_plan *plan, size_t ask)
{
    return ask * 2 >= smaller(plan->capacity, RECEIVE_PLAN_MOST);
}

static bool has_waited(struct receive_plan *plan, int64_t now_ms)
{
    if (plan->held_until_ms == CLOCK_NEVER)
        plan->held_until_ms = now_ms + RECEIVE_PLAN_HOLD_MS;
    return now_ms >= plan->held_until_ms;
}

size_t receive_plan_ask(struct receive_plan *plan, size_t room, int64_t now_ms)
{
    size_t left = room > plan->asked ? room - plan->asked : 0;
    size_t ask = smaller(left, RECEIVE_PLAN_MOST);

    if (room > plan->capacity)
        plan->capacity = room;
    if (!ask || plan->in_flight >= plan->target) {
        plan->held_until_ms = CLOCK_NEVER;
        return 0;
    }
    if (!is_worth_a_call(plan, ask) && !has_waited(plan, now_ms))
        return 0;
    plan->held_until_ms = CLOCK_NEVER;
    plan->in_flight++;
    plan->asked += ask;
    return ask;
}

static void landed(struct receive_plan *plan, size_t asked)
{
    assert(plan->in_flight && plan->asked >= asked);
    plan->in_flight--;
    plan->asked -= asked;
}

// Only a target that is in use says anything: otherwise room is the limit.
static void grow(struct receive_plan *plan)
{
    plan->meagre = 0;
    if (plan->in_flight + 1 >= plan->target && plan->target < plan->maximum)
        plan->target++;
}

static void shrink(struct receive_plan *plan)
{
    plan->meagre = 0;
    if (plan->target > plan->minimum)
        plan->target--;
}

void receive_plan_answered(struct receive_plan *plan, size_t asked,
                           size_t brought)
{
    landed(plan, asked);
    if (brought * 2 > asked)
        grow(plan);
    else if (!brought || ++plan->meagre >= plan->target)
        shrink(plan);
}

void receive_plan_failed(struct receive_plan *plan, size_t asked)
{
    landed(plan, asked);
    plan->meagre = 0;
    plan->target = plan->minimum;
}

int64_t receive_plan_deadline_ms(const struct receive_plan *plan)
{
    return plan->held_until_ms;
}
