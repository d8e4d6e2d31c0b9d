/* base/waits: a line is due when nothing was said for so long, whatever the reason is. What is
 * waited for is known only as far as those who wait have said it, so a line may name the last of
 * them while something else is worked at; it never claims that this one is at fault. */
#include "base/waits.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FIRST_US (INT64_C(2) * US_PER_S)
#define AGAIN_US (INT64_C(10) * US_PER_S)
#define RENEW_US US_PER_S
#define LINE_MAX_BYTES 480

struct waits {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread, held, over;
    int fd;
    bool renews, shown; /* the line that is renewed stands there */
    char who[64], phase[WAITS_PART_MAX], on[WAITS_PART_MAX];
    int64_t begun_us;
    int64_t due_us; /* when the next line is */
    bool told;
};

struct waits *waits_open(void)
{
    struct waits *w = calloc(1, sizeof *w);
    pthread_condattr_t monotonic;
    if (w == NULL)
        abort();
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->begun_us = clock_monotonic_us();
    w->due_us = w->begun_us + FIRST_US;
    return w;
}

/* ---- What is said ---- */

static void set(struct waits *w, char *text, size_t size, const char *format, va_list args)
{
    char fresh[WAITS_PART_MAX];
    assert(size == sizeof fresh);
    vsnprintf(fresh, sizeof fresh, format, args);
    utf8_trim(fresh);
    for (char *at = fresh; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            *at = ' '; /* what a server says may be several lines, and this is one */
    pthread_mutex_lock(&w->mutex);
    memcpy(text, fresh, size);
    pthread_mutex_unlock(&w->mutex);
}

void waits_on(struct waits *w, const char *format, ...)
{
    va_list args;
    if (w == NULL)
        return;
    va_start(args, format);
    set(w, w->on, sizeof w->on, format, args);
    va_end(args);
}

void waits_phase(struct waits *w, const char *format, ...)
{
    va_list args;
    if (w == NULL)
        return;
    va_start(args, format);
    set(w, w->phase, sizeof w->phase, format, args);
    va_end(args);
}

/* ---- When ---- */

static void put(const struct waits *w, const char *text, size_t len)
{
    ssize_t written = write(w->fd, text, len); /* nothing can be done about a failing stderr */
    (void)written;
}

static void take_away(struct waits *w)
{
    static const char erase[] = "\r\x1b[K";
    if (w->shown)
        put(w, erase, sizeof erase - 1);
    w->shown = false;
}

static void defer(struct waits *w, int64_t now_us)
{
    w->due_us = now_us + (!w->told ? FIRST_US : w->renews ? RENEW_US : AGAIN_US);
}

void waits_hush(struct waits *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->mutex);
    take_away(w);
    defer(w, clock_monotonic_us());
    pthread_mutex_unlock(&w->mutex);
}

void waits_hold(struct waits *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->mutex);
    take_away(w);
    w->held = true;
    pthread_mutex_unlock(&w->mutex);
}

void waits_go_on(struct waits *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->mutex);
    w->held = w->told = false;
    defer(w, clock_monotonic_us());
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->mutex);
}

bool waits_held(struct waits *w)
{
    if (w == NULL)
        return true;
    pthread_mutex_lock(&w->mutex);
    bool held = w->held;
    pthread_mutex_unlock(&w->mutex);
    return held;
}

/* The caller has the mutex. */
static bool due(struct waits *w, int64_t now_us, char text[WAITS_TEXT_MAX], int64_t *seconds)
{
    if (w->held || now_us < w->due_us)
        return false;
    w->told = true;
    defer(w, now_us);
    bool both = w->phase[0] != '\0' && w->on[0] != '\0';
    snprintf(text, WAITS_TEXT_MAX, "%s%s%s", w->phase, both ? "; " : "", w->on);
    *seconds = (now_us - w->begun_us) / US_PER_S;
    return true;
}

bool waits_due(struct waits *w, int64_t now_us, char text[WAITS_TEXT_MAX], int64_t *seconds)
{
    assert(w != NULL && seconds != NULL);
    pthread_mutex_lock(&w->mutex);
    bool is = due(w, now_us, text, seconds);
    pthread_mutex_unlock(&w->mutex);
    return is;
}

/* ---- The thread ---- */

static size_t columns(const struct waits *w)
{
    struct winsize size = {0};
    bool known = ioctl(w->fd, TIOCGWINSZ, &size) == 0;
    return known && size.ws_col > 0 ? size.ws_col : 80;
}

/* In one write(2), as a line of the log is. A line that is renewed must not be broken in two. */
static void tell(struct waits *w, const char *text, int64_t seconds)
{
    char line[LINE_MAX_BYTES], all[LINE_MAX_BYTES + 8];
    snprintf(line, sizeof line, "%s: still at work after %lld s%s%s", w->who, (long long)seconds,
             text[0] != '\0' ? ": " : "", text);
    size_t room = columns(w); /* once: the terminal may become wider meanwhile */
    if (w->renews && strlen(line) >= room)
        line[room - 1] = '\0';
    utf8_trim(line);
    int len = w->renews ? snprintf(all, sizeof all, "\r%s\x1b[K", line)
                        : snprintf(all, sizeof all, "%s\n", line);
    put(w, all, (size_t)len);
    w->shown = w->renews;
}

static void *teller_main(void *argument)
{
    struct waits *w = argument;
    pthread_mutex_lock(&w->mutex);
    while (!w->over) {
        char text[WAITS_TEXT_MAX];
        int64_t seconds;
        if (due(w, clock_monotonic_us(), text, &seconds)) {
            tell(w, text, seconds);
            continue;
        }
        if (w->held) {
            pthread_cond_wait(&w->changed, &w->mutex);
            continue;
        }
        struct timespec until = {.tv_sec = w->due_us / US_PER_S,
                                 .tv_nsec = w->due_us % US_PER_S * 1000};
        pthread_cond_timedwait(&w->changed, &w->mutex, &until);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* Signals are for the thread that has their handlers, or waits for them. Without a thread a command
 * says less, and does the same. */
void waits_tell(struct waits *w, const char *who, int fd)
{
    const char *kind = getenv("TERM");
    sigset_t all, before;
    assert(w != NULL && !w->has_thread && who != NULL);
    snprintf(w->who, sizeof w->who, "%s", who);
    w->fd = fd;
    w->renews = isatty(fd) != 0 && kind != NULL && strcmp(kind, "dumb") != 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    w->has_thread = pthread_create(&w->thread, NULL, teller_main, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void waits_close(struct waits *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->mutex);
    take_away(w);
    w->over = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->mutex);
    if (w->has_thread)
        pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}
