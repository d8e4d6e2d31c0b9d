/* base/jitter: pauses that differ, so that many who failed at once do not come again at once. */
#ifndef WALFERRY_BASE_JITTER_H
#define WALFERRY_BASE_JITTER_H

#include <stdint.h>

/* By chance between half of upper_us and all of it. */
int64_t jitter_us(int64_t upper_us);

#endif
