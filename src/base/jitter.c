/* base/jitter: see jitter.h. */
#include "base/jitter.h"

#include <assert.h>
#include <sys/random.h>

int64_t jitter_us(int64_t upper_us)
{
    assert(upper_us >= 0);
    uint32_t random = 0;
    ssize_t got = getrandom(&random, sizeof random, 0);
    (void)got;
    return upper_us / 2 + (int64_t)((double)random / UINT32_MAX * (double)(upper_us / 2));
}
