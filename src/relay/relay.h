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
#include "model/status_cell.h"

#include <stdatomic.h>
#include <stdbool.h>

struct relay;

struct relay_options {
    const struct config_relay *config; /* must outlive the relay */
    struct metrics *metrics;
    struct status_cell *status; /* written by the relay, read by admin/ */
    const struct log *log;
    bool setup;           /* run --setup */
    bool until_caught_up; /* run --until-caught-up */
    bool hold_on_refusal; /* run --hold-on-refusal: stay where the process would end with 2 to 5 */
};

/* Starts the relay's own threads and returns at once. */
int relay_open(const struct relay_options *options, struct relay **relay, struct error *err);
/* Asks for an orderly end: drain, commit, confirm. The relay ends within 10 s. Any thread. */
void relay_stop(struct relay *relay);
/* Takes `next` over at the next epoch, which begins at once. Any thread. The caller keeps every
 * configuration that it ever handed over until relay_close(), and has checked
 * config_needs_restart() and relay_check(). */
void relay_reload(struct relay *relay, const struct config_relay *next);
/* The configuration in force; the relay's own or one that it was handed. Any thread. */
const struct config_relay *relay_config(struct relay *relay);
/* Becomes readable when the relay has ended. */
int relay_fd(const struct relay *relay);
/* After the end: why (kind NONE: in order). The exit code of the process is 0 for NONE, else
 * err->exit_code. *abandoned: a thread still waits for the broker; leave with _exit(). */
void relay_result(struct relay *relay, struct error *err, bool *abandoned);
void relay_close(struct relay *relay); /* after the end, not where abandoned; NULL is legal */

#endif
