/* A wall clock that is CLOCK_AHEAD_S seconds ahead, for the process it is preloaded into.
 *
 * Only CLOCK_REALTIME is moved. Waits until a moment of that clock are moved back, because the
 * kernel does not know of ours. Preloaded by tests/e2e/089. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static time_t ahead_s(void)
{
    const char *text = getenv("CLOCK_AHEAD_S");
    return text == NULL ? 0 : (time_t)strtol(text, NULL, 10);
}

static struct timespec back(const struct timespec *until)
{
    return (struct timespec){until->tv_sec - ahead_s(), until->tv_nsec};
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = NEXT(clock_gettime)(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        now->tv_sec += ahead_s();
    return result;
}

int timespec_get(struct timespec *now, int base)
{
    int result = NEXT(timespec_get)(now, base);
    now->tv_sec += ahead_s();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int result = NEXT(gettimeofday)(now, zone);
    now->tv_sec += ahead_s();
    return result;
}

time_t time(time_t *now)
{
    time_t value = NEXT(time)(NULL) + ahead_s();
    if (now != NULL)
        *now = value;
    return value;
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex,
                  const struct timespec *restrict until)
{
    struct timespec real = back(until);
    return NEXT(cnd_timedwait)(condition, mutex, &real);
}

int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *until)
{
    struct timespec real = back(until);
    return NEXT(pthread_timedjoin_np)(thread, value, &real);
}
