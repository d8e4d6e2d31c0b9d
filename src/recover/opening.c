/* recover/opening: see opening.h. It knows neither PostgreSQL nor Kafka: only the two tables of
 * functions behind which they stand. */
#include "recover/opening.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WIN_US (INT64_C(15) * 1000000)
/* For so long a topic that held our claim is looked for, with a new client each time. */
#define AWAY_US (INT64_C(10) * 1000000)

/* ---- Whose is it? ---- */

int relay_taken_over(const char *relay, const char *instance, uint64_t generation,
                     struct error *err)
{
    error_stop(err, REASON_FENCED,
               "another instance (%s, generation %" PRIu64 ") has taken relay %s over", instance,
               generation, relay);
    return error_hint(err, "run one instance of a relay; this one has ended");
}

int opening_ask(const struct opening *o, int64_t timeout_ms, struct error *err)
{
    struct found newest = {.have_progress = false};
    if (relay_look_through(&o->ends, timeout_ms, &newest, err) < 0)
        return -1;
    if (!newest.have_progress || strcmp(newest.progress.instance, o->claimant->instance) == 0)
        return 0;
    return relay_taken_over(o->config->name.text, newest.progress.instance,
                            newest.progress.generation, err);
}

/* A zombie must not fence its successor. Whose generation is below that of our claim is none, but
 * our predecessor: the markers of the claim may not be written yet where an epoch ends at once. */
static int check_successor(const struct opening *o, struct error *err)
{
    const struct progress *p = &o->found.progress;
    if (!o->claimant->claimed || !o->found.have_progress ||
        strcmp(p->instance, o->claimant->instance) == 0)
        return 0;
    if (p->generation < o->claimant->generation)
        return opening_ask(o, 0, err) < 0 ? -1
                                          : error_retry(err, REASON_PROGRESS_MOVED,
                                                        "our own claim was not to be seen yet");
    return relay_taken_over(o->config->name.text, p->instance, p->generation, err);
}

/* Who has claimed knows that the topic was there. So brokers that deny it are asked anew for a
 * while before it is believed that somebody has deleted it. */
static int check_away(const struct opening *o, int64_t now_us, struct error *err)
{
    struct claimant *c = o->claimant;
    if (o->found.topic_exists || !c->claimed) {
        c->away_since_us = 0;
        return 0;
    }
    if (c->away_since_us == 0)
        c->away_since_us = now_us;
    if (now_us - c->away_since_us >= AWAY_US)
        return 0; /* judged like any start */
    return error_retry(err, REASON_PROGRESS_AWAY,
                       "progress topic %s, which held our claim, is not listed",
                       o->config->delivery.progress_topic.text);
}

/* Beside a successor the server looks as if something had been lost: the origin has moved beyond
 * what we know. So nobody who has ever claimed refuses anything before asking who claimed last. */
static int judge(struct opening *o, bool beside, struct error *err)
{
    if (relay_judge(&o->ends, beside, &o->found, err) == 0)
        return 0;
    struct error other = ERROR_INIT;
    if (err->kind == ERROR_STOP && o->claimant->claimed && opening_ask(o, 0, &other) < 0)
        *err = other;
    return -1;
}

static int check_published(struct opening *o, struct error *err)
{
    const char *recorded = o->found.progress.fingerprint.hash;
    bool known = o->remembered_hash != NULL && strcmp(o->remembered_hash, recorded) == 0;
    const struct published_options options = {.router = o->router,
                                              .source = &o->config->source,
                                              .remembered = known ? o->remembered : span_null(),
                                              .seen = known ? o->seen
                                                            : (struct published_seen){.lsn = 0},
                                              .guard_lsn = o->guard_lsn};
    return relay_check_published(&o->ends, &options, &o->found, &o->published, err);
}

/* ---- The steps ---- */

int opening_look(struct opening *o, int64_t now_us, struct error *err)
{
    assert(o->publisher == NULL && o->claimant->instance != NULL);
    if (relay_look(&o->ends, &o->found, err) < 0)
        return -1;
    if (check_away(o, now_us, err) < 0 || check_successor(o, err) < 0)
        return -1;
    if (origin_connect(o->ends.origin, err) < 0)
        return -1;
    if (judge(o, true, err) < 0 || check_successor(o, err) < 0)
        return -1;
    int fit = origin_check(o->ends.origin, &o->found.system, o->router, false, err);
    if (fit == 0)
        return check_published(o, err);
    /* What makes it unfit may be mended, and is forgotten then; so what it has lost is found now.
     */
    struct error lost = ERROR_INIT;
    if (err->kind == ERROR_STOP && o->claimant->claimed && check_published(o, &lost) < 0 &&
        lost.kind == ERROR_RETRY)
        *err = lost;
    return -1;
}

static void sign_claim(const struct opening *o, int64_t wall_us, struct progress *p)
{
    p->generation++;
    snprintf(p->instance, sizeof p->instance, "%s", o->claimant->instance);
    p->rebased.present = false;
    p->at_us = wall_us;
}

/* Step 3. Skips that are behind the position have done their work. */
static int claim(struct opening *o, int64_t wall_us, struct error *err)
{
    struct progress *p = &o->found.progress;
    assert(o->publisher != NULL && o->found.have_progress); /* I2, I6: read under its own epoch */
    sign_claim(o, wall_us, p);
    o->ends.origin->ops->sign(o->ends.origin, p);
    if (strcmp(p->config_hash, o->config->hash) != 0)
        p->last.lsn = 0; /* of what is sent to another configuration nothing is known */
    snprintf(p->config_hash, sizeof p->config_hash, "%s", o->config->hash);
    p->timeline = o->found.system.timeline;
    o->unversioned = p->fingerprint.hash[0] != '\0' && p->fingerprint.xid == 0;
    struct span note = published_sign(&o->published, o->ends.arena, p);
    if (relay_write_record(&o->ends, o->publisher, p, note, err) < 0)
        return error_wrap(err, "claiming the relay");
    o->claimant->claimed = true;
    o->claimant->generation = p->generation;
    return 0;
}

/* As far as the claim: what was judged is judged again. */
static int take_over(struct opening *o, struct error *err)
{
    uint64_t seen = o->found.progress.generation;
    struct progress_fingerprint compared = o->found.progress.fingerprint;
    if (relay_take_over(&o->ends, &o->publisher, &o->found, err) < 0)
        return -1;
    if (!o->found.have_progress || o->found.progress.generation < seen)
        return error_retry(err, REASON_PROGRESS_VANISHED,
                           "the progress record that was there a moment ago is gone");
    if (check_successor(o, err) < 0 || judge(o, false, err) < 0)
        return -1;
    if (strcmp(compared.hash, o->found.progress.fingerprint.hash) != 0)
        return error_retry(err, REASON_PROGRESS_MOVED, "progress changed while it was looked at");
    return 0;
}

/* Whoever ran until now may have written more since we looked: the beginning of a split transaction
 * under another configuration, a teardown, a claim. So what was judged then is judged again, before
 * the claim says that it is ours. */
int opening_take_over(struct opening *o, int64_t wall_us, struct error *err)
{
    assert(o->publisher == NULL);
    return take_over(o, err) < 0 ? -1 : claim(o, wall_us, err);
}

int opening_keep_loss(struct opening *o, int64_t wall_us, struct error *err)
{
    assert(o->publisher == NULL);
    if (!o->published.lost || !o->claimant->claimed)
        return 0;
    if (take_over(o, err) < 0)
        return -1;
    struct progress *p = &o->found.progress;
    sign_claim(o, wall_us, p);
    struct span note = published_sign_lost(&o->published, o->ends.arena, p);
    if (relay_write_record(&o->ends, o->publisher, p, note, err) < 0)
        return error_wrap(err, "recording that rows may be missing");
    return 0;
}

/* Ends the session that holds the origin, where it is one of ours and the claim is still ours: it
 * might be a successor's. */
static int end_holder(struct opening *o, struct error *err)
{
    const struct found_holder *holder = &o->found.origin.holder;
    bool ended = false;
    if (opening_ask(o, 0, err) < 0 ||
        o->ends.origin->ops->evict(o->ends.origin, holder, &ended, err) < 0)
        return -1;
    if (ended)
        o->ended_pid = holder->pid;
    return 0;
}

int opening_held(const struct opening *o, struct error *err)
{
    const struct found_holder *holder = &o->found.origin.holder;
    assert(holder->present);
    return error_retry(err, REASON_SLOT_ACTIVE, "%s is in use by process %" PRId32 " (%s)",
                       o->ends.origin->name, holder->pid, holder->application);
}

/* After our claim nobody else may hold the origin. An idle older instance does not notice that it
 * is fenced, so its session is ended for it. */
int opening_win(struct opening *o, int64_t now_us, struct error *err)
{
    assert(o->publisher != NULL && o->claimant->claimed); /* I6 */
    if (o->win_until_us == 0)
        o->win_until_us = now_us + WIN_US;
    if (judge(o, false, err) < 0)
        return -1;
    if (!o->found.origin.holder.present)
        return 0;
    if (o->found.origin.holder.pid != o->ended_pid && end_holder(o, err) < 0)
        return -1;
    return now_us > o->win_until_us ? opening_held(o, err) : 1;
}

int opening_start(struct opening *o, int64_t now_us, struct source **source, struct error *err)
{
    assert(o->publisher != NULL && found_begun(&o->found));
    return o->ends.origin->ops->start(o->ends.origin, &o->found, now_us, source, err);
}
