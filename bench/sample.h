/* What bench/writer and bench/reader share: clocks, and percentiles of all samples. */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Until that moment of CLOCK_MONOTONIC; at once when it has passed. */
static inline void sleep_until_ns(uint64_t when)
{
    struct timespec until = {.tv_sec = (time_t)(when / 1000000000),
                             .tv_nsec = (long)(when % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        ;
}

/* User and system seconds of this process so far. */
static inline double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* All of them are kept, so that a percentile is one of them. */
struct samples {
    double *values;
    size_t count, room;
};

static inline void samples_add(struct samples *samples, double value)
{
    if (samples->count == samples->room) {
        samples->room = samples->room == 0 ? 65536 : samples->room * 2;
        samples->values = realloc(samples->values, samples->room * sizeof *samples->values);
        if (samples->values == NULL) {
            fputs("no memory for samples\n", stderr);
            exit(1);
        }
    }
    samples->values[samples->count++] = value;
}

static inline void samples_free(struct samples *samples)
{
    free(samples->values);
    *samples = (struct samples){0};
}

/* Adds all of from to samples and frees them. */
static inline void samples_move(struct samples *samples, struct samples *from)
{
    for (size_t i = 0; i < from->count; i++)
        samples_add(samples, from->values[i]);
    samples_free(from);
}

static inline int sample_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The smallest sample that at least percent of them do not exceed (nearest rank); 0 of none. */
static inline double samples_percentile(struct samples *samples, double percent)
{
    if (samples->count == 0)
        return 0;
    qsort(samples->values, samples->count, sizeof *samples->values, sample_compare);
    size_t rank = (size_t)ceil(percent / 100 * (double)samples->count);
    return samples->values[rank == 0 ? 0 : rank - 1];
}

#endif
