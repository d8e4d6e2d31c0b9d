/* base/clock: the clocks. Only the loops, pg/ and publish/kafka read them; everything else is
 * told the time. Monotonic time orders events and never jumps; wall time is for people, Kafka
 * timestamps and PostgreSQL status messages. */
#ifndef WALFERRY_BASE_CLOCK_H
#define WALFERRY_BASE_CLOCK_H

#include <stdint.h>

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)

int64_t clock_monotonic_us(void);
/* The same, and it goes on while the machine is suspended: tells how long nothing ran. Not to be
 * compared with the other one. */
int64_t clock_boot_us(void);
/* Microseconds since 1970-01-01 UTC. */
int64_t clock_wall_us(void);
/* Sleeps at least us microseconds; returns early on a signal. */
void clock_sleep_us(int64_t us);

#endif
