/* base/log: one line, one event.
 *
 * An event has a stable dotted name that occurs once in the source and is listed in
 * docs/OPERATIONS.md, and fields as key/value pairs. Lines go to stderr in one write(2) each, as
 * logfmt or JSON. Thread-safe. Leaves do not log: relay/ and cli/ do.
 *
 *   log_event(log, LOG_INFO, "epoch.opened", "position", text, "slot", slot, NULL);
 */
#ifndef WALFERRY_BASE_LOG_H
#define WALFERRY_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_ring;
struct waits;

struct log {
    enum log_level level; /* lines below it are dropped */
    enum log_format format;
    int fd;
    bool journal;                /* fd is systemd's journal: a line begins with its priority, <4> */
    const char *relay;           /* printed with each line once known; may be NULL */
    const struct invocation *as; /* completes the mends of errors; may be NULL */
    struct log_ring *ring;       /* keeps what is LOG_WARN or worse, whatever `level` is; or NULL */
    struct waits *waits;         /* told by those who wait; a line of the log hushes it; or NULL */
};

struct error;
struct invocation;

/* Pairs of `const char *` key and value, ended by a NULL key; a NULL value leaves the pair out. The
 * value of a key that begins with '#' is a whole number, true or false, and JSON gets it as such;
 * the '#' is not printed. "relay" is passed over where the log prints it anyway. */
void log_event(const struct log *log, enum log_level level, const char *event, ...)
    __attribute__((sentinel));
/* The event with kind, reason, error and hint of *err as fields. */
void log_error(const struct log *log, enum log_level level, const char *event,
               const struct error *err);

/* May be called while other threads log. */
void log_set(struct log *log, enum log_level level, enum log_format format);

const char *log_level_name(enum log_level level);

/* NULL where there is no log, or nobody is told. */
static inline struct waits *log_waits(const struct log *log)
{
    return log != 0 ? log->waits : 0;
}

#endif
