/* relay/: the loops and the lifecycle of an epoch: open, run, close, back off.
 *
 * An epoch is one connection to the database and one producer. Restart is the only recovery:
 * whatever goes wrong closes the epoch, and the next one is opened from the recorded progress
 * (docs/ARCHITECTURE.md, "Open"). This module decides, logs and counts; the modules below it only
 * report. */
#ifndef WALFERRY_RELAY_RELAY_H
#define WALFERRY_RELAY_RELAY_H

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "model/recent.h"
#include "model/reload_cell.h"
#include "model/status_cell.h"
#include "model/trace_ring.h"
#include "source/source.h"

#include <stdatomic.h>
#include <stdbool.h>

struct relay;

struct relay_options {
    const struct config_relay *config; /* the first one; must outlive the relay */
    struct metrics *metrics;
    struct status_cell *status;  /* written by the relay, read by admin/ */
    struct recent *recent;       /* the same; NULL: nothing is kept */
    struct reload_cell *reloads; /* what becomes of a wish is written there; may be NULL */
    struct trace_ring *traces;   /* takes spans; NULL: nobody does */
    struct log *log;             /* level and format follow the file in force */
    bool setup;                  /* run --setup */
    bool until_caught_up;        /* run --until-caught-up */
    /* The drain of a switch: ends as with until_caught_up, exactly there. lsn 0: no such end. */
    struct source_end end;
    bool hold_on_refusal; /* run --hold-on-refusal: stay where the process would end with 2 to 5 */
};

/* Starts the relay's own threads and returns at once. */
int relay_open(const struct relay_options *options, struct relay **relay, struct error *err);
/* Asks for an orderly end: drain, commit, confirm. The relay ends within 10 s. Any thread. */
void relay_stop(struct relay *relay);
/* Takes `next` over at the next epoch, which begins at once; the relay owns it from now on. The
 * caller has checked relay_needs_restart() and relay_check(). Where that epoch cannot be opened the
 * relay goes back to the file before and says so. wish: of reloads, its number. Any thread. */
void relay_reload(struct relay *relay, struct config *next, uint64_t wish);
/* What holds for all that does not wait for an epoch: the file that was handed over last, until it
 * is refused; else the one in force, which may also be one that a held relay has read by itself.
 * *number is another one whenever that is another file, 0 for the first; the descriptor of
 * `reloads` is readable then. It lives until the next call of this or of relay_changes(), both of
 * which are for one and the same thread. */
const struct config *relay_settings(struct relay *relay, uint64_t *number);
/* What `next` would change of what is in force, as config_write_changes() says. */
void relay_changes(struct relay *relay, const struct config *next, struct buf *out);
/* Says that a file was refused. */
void relay_refuse(struct relay *relay, const struct error *err);
/* Which key keeps the relay from taking `next` over without a restart, or NULL. Any thread. */
const char *relay_needs_restart(struct relay *relay, const struct config *next);
/* Becomes readable when the relay has ended. */
int relay_fd(const struct relay *relay);
/* After the end, whatever follows: why (kind NONE: in order). The exit code of the process is 0 for
 * NONE, else err->exit_code. *abandoned: a thread still waits for the broker; leave with _exit().
 */
void relay_result(struct relay *relay, struct error *err, bool *abandoned);
/* After the end, not where abandoned. Waits for the relay's other threads, until the monotonic time
 * by_us at most. False: one is inside the resolver still and may be for long, and nothing was
 * freed; leave with _exit(). NULL is legal. */
bool relay_close(struct relay *relay, int64_t by_us);

#endif
