#include "poller/concurrency.h"

void concurrency_init(struct concurrency *concurrency, size_t most,
                      bool gives_way)
{
    *concurrency =
        (struct concurrency){.gives_way = gives_way, .most = most, .now = most};
}

void concurrency_set_most(struct concurrency *concurrency, size_t most)
{
    bool was_full = concurrency->now == concurrency->most;

    concurrency->most = most;
    if (was_full || concurrency->now > most)
        concurrency->now = most;
}

static void cut(struct concurrency *concurrency, size_t running)
{
    size_t less = (concurrency->now + 3) / 4;

    concurrency->now = concurrency->now > less ? concurrency->now - less : 1;
    concurrency->deaf = running;
}

void concurrency_finished(struct concurrency *concurrency, bool failed,
                          size_t running)
{
    bool is_deaf = concurrency->deaf > 0;

    if (!concurrency->gives_way)
        return;
    if (is_deaf)
        concurrency->deaf--;
    if (!failed && concurrency->now < concurrency->most)
        concurrency->now++;
    else if (failed && !is_deaf)
        cut(concurrency, running);
}
