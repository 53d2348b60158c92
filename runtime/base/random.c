#include "base/random.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

uint64_t random_seed(void)
{
    struct timespec now;
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
        return seed;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_nsec ^ ((uint64_t)getpid() << 32);
}

uint64_t random_next(struct random *random)
{
    uint64_t z = (random->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    return bound ? random_next(random) % bound : 0;
}

int64_t random_full_jitter_ms(struct random *random, int64_t base_ms,
                              int64_t maximum_ms, unsigned attempt)
{
    int64_t ceiling = base_ms;

    while (attempt-- > 0 && ceiling > 0 && ceiling < maximum_ms)
        ceiling *= 2;
    if (ceiling > maximum_ms)
        ceiling = maximum_ms;
    if (ceiling <= 0)
        return 0;
    return (int64_t)random_below(random, (uint64_t)ceiling + 1);
}
