/* relay/hold: what follows a refusal under `run --hold-on-refusal`. The process stays, unready,
 * with the reason, and looks now and then whether a start would be taken.
 *
 * While it is held it has neither an origin nor a Kafka transaction, and it fences nobody: the look
 * is step 0 of an open and no more. After another instance has taken over no look starts it again,
 * only a person does (SIGHUP); nor where one is found running. After a change that cannot be
 * published only a changed file or a recorded skip does, because the same start would end at the
 * same change; and after what only an open behind its claim can find, only a changed file. */
#include "relay/relay_internal.h"

#include "base/clock.h"
#include "relay/wake.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLD_LOOK_US (INT64_C(5) * 1000000)
#define HOLD_SAY_US (INT64_C(60) * 1000000)

struct hold {
    struct relay *relay;
    struct error why;
    char config_hash[17]; /* of the file with which it was refused */
    char file_hash[17];   /* the same, of all of its bytes */
    uint64_t generation;  /* of our last claim */
    int64_t said_us;
};

bool hold_wanted(const struct relay *relay, const struct error *err)
{
    if (!relay->o.hold_on_refusal || atomic_load(&relay->stop) || relay->abandoned)
        return false;
    return err->kind != ERROR_NONE && err->kind != ERROR_RETRY &&
           (err->exit_code == EXIT_USAGE || err->exit_code == EXIT_REFUSED ||
            err->exit_code == EXIT_FENCED || err->exit_code == EXIT_DATA);
}

/* Once, each minute, and when the reason is another. */
static void say(struct hold *h, const struct error *err, int64_t now_us)
{
    bool same = h->why.reason == err->reason && strcmp(h->why.text, err->text) == 0;
    if (h->said_us != 0 && same && now_us - h->said_us < HOLD_SAY_US)
        return;
    h->said_us = now_us;
    h->why = *err;
    log_error(h->relay->o.log, LOG_ERROR, "relay.held", &h->why);
    board_error(h->relay, &h->why);
}

/* The name and the port belong to the process; everything else may be what was wrong. */
static int check_same_process(const struct config_relay *running, const struct config *next,
                              struct error *err)
{
    const char *key = NULL;
    if (config_relay_find(next, running->name.text) == NULL)
        key = "relay";
    else if (strcmp(running->process->admin.listen.text, next->admin.listen.text) != 0)
        key = "admin.listen";
    if (key == NULL)
        return 0;
    error_stop(err, REASON_NEEDS_RESTART, "%s: a change of %s needs a restart", next->path, key);
    return error_hint(err, "restart the relay, or put %s back", key);
}

/* *file: what is to be closed, also on failure. Returns our relay in it, or NULL. */
static const struct config_relay *read_file(struct relay *relay, struct config **file,
                                            struct error *err)
{
    if (config_open(relay->config->process->path, file, err) < 0 ||
        check_same_process(relay->config, *file, err) < 0)
        return NULL;
    const struct config_relay *next = config_relay_find(*file, relay->config->name.text);
    return kafka_check_config(&next->kafka, &next->delivery, err) == 0 ? next : NULL;
}

static bool runs_elsewhere(const struct epoch *e, struct error *err)
{
    const struct found *found = &e->opening.found;
    if (!found->origin.holder.ours)
        return false;
    error_stop(err, REASON_FENCED,
               "another instance (%s, generation %" PRIu64 ") of relay %s is running",
               found->progress.instance, found->progress.generation, e->config->name.text);
    error_hint(err, "run one instance of a relay; this one waits for SIGHUP");
    return true;
}

/* What is found behind the claim: no look sees it, and a start would take over in vain. */
static bool waits_for_file(const struct error *why)
{
    return why->reason == REASON_KEYS_STILL_HELD || why->reason == REASON_LETTERS_ELSEWHERE;
}

/* 1: a start would be taken. 0: the same start would end the same way. -1: *err. */
static int look(struct hold *h, const struct config_relay *next, struct error *err)
{
    struct relay *relay = h->relay;
    bool changed = strcmp(h->config_hash, next->hash) != 0;
    struct epoch *e = malloc(sizeof *e);
    if (e == NULL)
        abort();
    epoch_init(e, relay, next);
    int result = epoch_look(e, err);
    /* Not set up yet, and told to do it: that is what a start does. */
    if (result < 0 && relay->o.setup && !relay->worked &&
        (err->reason == REASON_NOT_SET_UP || err->reason == REASON_CLOSED ||
         err->reason == REASON_PROGRESS_TOPIC_MISSING))
        result = 0;
    if (result == 0 && runs_elsewhere(e, err))
        result = -1;
    const struct found *found = &e->opening.found;
    bool recorded = found->have_progress && found->progress.generation > h->generation;
    epoch_close(e);
    free(e);
    if (result < 0)
        return -1;
    if (waits_for_file(&h->why))
        return strcmp(h->file_hash, next->process->file_hash) != 0;
    return h->why.exit_code != EXIT_DATA || changed || recorded;
}

static bool look_again(struct hold *h)
{
    struct config *file = NULL;
    struct error err = ERROR_INIT;
    const struct config_relay *next = read_file(h->relay, &file, &err);
    int result = next != NULL ? look(h, next, &err) : -1;
    if (result == 1) {
        configs_adopt(h->relay, file, next);
        return true;
    }
    config_close(file);
    /* What is away for the moment is no news: the reason stays. */
    say(h, result < 0 && err.kind == ERROR_STOP && h->why.exit_code != EXIT_DATA ? &err : &h->why,
        clock_monotonic_us());
    return false;
}

/* What was ours before is not ours now: the next start may find anything. */
static void forget(struct relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    relay->claimant.claimed = false;
    relay->claimed_generation = 0;
    relay->successor.generation = 0;
    wake_lower(relay->successor_fd);
    pthread_mutex_unlock(&relay->mutex);
}

bool hold(struct relay *relay, const struct error *err)
{
    assert(hold_wanted(relay, err));
    struct hold h = {.relay = relay, .why = *err, .generation = relay->claimed_generation};
    snprintf(h.config_hash, sizeof h.config_hash, "%s", relay->config->hash);
    snprintf(h.file_hash, sizeof h.file_hash, "%s", relay->config->process->file_hash);
    forget(relay);
    board_state(relay, STATE_HELD);
    say(&h, err, clock_monotonic_us());
    int64_t next_us = clock_monotonic_us() + HOLD_LOOK_US;
    for (;;) {
        struct pollfd fds[2] = {{.fd = relay->stop_fd, .events = POLLIN},
                                {.fd = relay->reload_fd, .events = POLLIN}};
        int64_t left_us = next_us - clock_monotonic_us();
        poll(fds, 2, left_us > 0 ? (int)(left_us / US_PER_MS) + 1 : 0);
        if (atomic_load(&relay->stop))
            return false;
        if ((fds[1].revents & POLLIN) != 0)
            break; /* a person says so */
        if (clock_monotonic_us() < next_us)
            continue;
        if (h.why.exit_code != EXIT_FENCED && look_again(&h))
            break;
        if (h.why.exit_code == EXIT_FENCED)
            say(&h, &h.why, clock_monotonic_us());
        next_us = clock_monotonic_us() + HOLD_LOOK_US;
    }
    log_event(relay->o.log, LOG_INFO, "relay.released", "reason", reason_slug(h.why.reason), NULL);
    board_state(relay, STATE_STARTING);
    return true;
}
