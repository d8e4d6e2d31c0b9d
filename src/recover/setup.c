/* recover/setup: the first run. Intent, publication, origin, progress, in this order, each step
 * written down before the next, so that a crash between any two of them is seen and gone on from.
 *
 * The intent says "from here on an origin of this name is ours"; one without intent or progress is
 * somebody's and is refused. Beside a running relay only what is missing is added and nobody is
 * fenced, because the relay's transactional id is not touched. */
#include "recover/recover.h"

#include "base/crash.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct setup {
    const struct command_options *o;
    const char *admin_connection;
    struct command_ends ends;
    struct router *router;
    struct publisher *publisher;
    struct found found;
    struct published published;
};

static bool is_first_run(const struct setup *s)
{
    return !found_begun(&s->found);
}

/* A first run fences, so it is not begun because the newest record is not visible yet. */
static int look_at_progress(struct setup *s, struct error *err)
{
    if (relay_look(&s->ends.r, &s->found, err) < 0)
        return -1;
    if (!s->found.topic_exists || !is_first_run(s))
        return 0;
    return relay_look_through(&s->ends.r, 0, &s->found, err);
}

/* Where there is an origin a missing topic is a reason to refuse, which a broker that has just come
 * up must not give. */
static int doubt_absence(struct setup *s, struct error *err)
{
    s->ends.ledger.options.creates_progress = false;
    if (s->found.have_progress || !s->found.origin.present)
        return 0;
    return look_at_progress(s, err);
}

/* The relay publishes without it. */
static int advise_retention(struct setup *s, struct error *err)
{
    if (relay_check_retention(s->ends.r.origin->sql, s->o->config, err) == 0)
        return 0;
    if (err->kind == ERROR_RETRY)
        return -1;
    struct buf advice = BUF_EMPTY;
    error_advice(err, s->o->log->as, &advice);
    command_say(s->o->out, "warning: retention deletes nothing: %s\nhint: %s", err->text,
                buf_text(&advice));
    buf_fini(&advice);
    *err = ERROR_INIT;
    return 0;
}

static int look(struct setup *s, struct error *err)
{
    struct origin *origin = s->ends.r.origin;
    s->ends.ledger.options.creates_progress = true;
    if (look_at_progress(s, err) < 0 || origin_identify(origin, &s->found.system, err) < 0 ||
        origin_look(origin, &s->found.origin, err) < 0 || doubt_absence(s, err) < 0)
        return -1;
    if (origin_check(origin, &s->found.system, s->router, true, err) < 0 ||
        relay_check_claims(origin->sql, s->o->config, err) < 0)
        return -1;
    if (origin->advice[0] != '\0')
        command_say(s->o->out, "warning: %s", origin->advice);
    return advise_retention(s, err);
}

static int explain_standby(const struct setup *s, struct error *err)
{
    if (err->reason != REASON_READ_ONLY || !s->found.system.in_recovery)
        return -1;
    error_stop(err, REASON_IN_RECOVERY,
               "source.connection leads to a standby, and a publication is made on its primary");
    return error_hint(err, "name the primary with --admin-connection, or in source.connection");
}

static int ensure_publication(struct setup *s, struct error *err)
{
    const struct config_relay *config = s->o->config;
    bool beside = !is_first_run(s);
    if (s->admin_connection == NULL) {
        int made = relay_ensure_publication(s->ends.r.origin->sql, config, s->router, beside,
                                            s->o->out, err);
        return made < 0 ? explain_standby(s, err) : 0;
    }
    struct pg_connection *admin = NULL;
    int result = command_open_admin(s->o, s->admin_connection, &s->found.system, &admin, err);
    if (result == 0)
        result = relay_ensure_publication(admin, config, s->router, beside, s->o->out, err);
    pg_close(admin);
    return result;
}

/* Where there is a table of commands. A relay runs without it. */
static int ensure_control(struct setup *s, struct error *err)
{
    struct buf made = BUF_EMPTY;
    int result = 0;
    if (s->found.origin.commands.present)
        result = kafka_prepare_control(&s->ends.ledger.options, &made, err);
    if (result == 0 && made.len > 0)
        command_say(s->o->out, "topics: created %s", buf_text(&made));
    buf_fini(&made);
    if (result == 0 || err->kind == ERROR_RETRY)
        return result;
    command_say(s->o->out, "warning: commands to the relay will not be answered: %s", err->text);
    *err = ERROR_INIT;
    return 0;
}

static int ensure_topics(struct setup *s, bool create_progress, struct error *err)
{
    struct buf weak = BUF_EMPTY, made = BUF_EMPTY;
    int result = relay_prepare_topics(&s->ends.ledger.options, s->router, create_progress, &weak,
                                      &made, err);
    if (result == 0 && made.len > 0)
        command_say(s->o->out, "topics: created %s", buf_text(&made));
    else if (result == 0)
        command_say(s->o->out, "topics: in place");
    if (result == 0 && weak.len > 0)
        command_say(s->o->out, "warning: %s; exactly-once does not survive the loss of a broker",
                    buf_text(&weak));
    buf_fini(&made);
    buf_fini(&weak);
    return result < 0 ? -1 : ensure_control(s, err);
}

/* Beside a relay that has progress: judge, add what is missing, fence nobody. */
static int complete_existing(struct setup *s, struct error *err)
{
    const struct published_options options = {.router = s->router, .source = &s->o->config->source};
    if (relay_judge(&s->ends.r, true, &s->found, err) < 0 || ensure_publication(s, err) < 0 ||
        ensure_topics(s, false, err) < 0)
        return -1;
    if (relay_check_published(&s->ends.r, &options, &s->found, &s->published, err) < 0)
        return -1;
    char position[LSN_TEXT_MAX];
    command_say(s->o->out, "%s: in place", s->ends.r.origin->name);
    command_say(s->o->out, "progress: at %s", lsn_format(s->found.progress.position.lsn, position));
    return 0;
}

static int may_begin(const struct setup *s, struct error *err)
{
    return origin_judge(s->ends.r.origin, ORIGIN_MAY_BEGIN, &s->found, err);
}

/* An intent on another server, or for an origin of another name, says nothing here. */
static bool has_intent(const struct setup *s)
{
    const struct found *f = &s->found;
    const struct origin *origin = s->ends.r.origin;
    return f->have_progress && f->progress.mode == PROGRESS_INTENT &&
           f->progress.system_identifier == f->system.system_identifier &&
           origin->ops->signed_by(origin, &f->progress);
}

static int write_intent(struct setup *s, struct error *err)
{
    if (has_intent(s))
        return 0;
    struct progress intent;
    command_first_record(s->o->config, s->ends.r.origin, &s->found, s->found.have_progress,
                         &intent);
    intent.mode = PROGRESS_INTENT;
    intent.position.lsn = s->found.system.flush_lsn;
    if (relay_write_record(&s->ends.r, s->publisher, &intent, span_null(), err) < 0)
        return error_wrap(err, "recording the intent");
    s->found.progress = intent;
    s->found.have_progress = true;
    return 0;
}

static int write_progress(struct setup *s, uint64_t place, struct error *err)
{
    struct progress first;
    command_first_record(s->o->config, s->ends.r.origin, &s->found, true, &first);
    command_place_record(s->ends.r.origin, place, &first);
    struct span note = published_sign(&s->published, &s->ends.arena, &first);
    if (relay_write_record(&s->ends.r, s->publisher, &first, note, err) < 0)
        return error_wrap(err, "recording the first progress");
    char text[LSN_TEXT_MAX];
    command_say(s->o->out, "progress: begins at %s", lsn_format(place, text));
    return 0;
}

static int first_run(struct setup *s, struct error *err)
{
    if (may_begin(s, err) < 0 || ensure_topics(s, true, err) < 0)
        return -1;
    if (relay_take_over(&s->ends.r, &s->publisher, &s->found, err) < 0)
        return -1;
    if (!is_first_run(s))
        return error_retry(err, REASON_SETUP_RACED, "another setup of relay %s has just finished",
                           s->o->config->name.text);
    if (may_begin(s, err) < 0 || write_intent(s, err) < 0)
        return -1;
    CRASH_POINT("C12");
    uint64_t place = 0;
    if (ensure_publication(s, err) < 0 ||
        relay_take_published(&s->ends.r, s->router, &s->published, err) < 0)
        return -1;
    CRASH_POINT("C12");
    if (origin_prepare(s->ends.r.origin, ORIGIN_FIRST, &s->found, &place, err) < 0)
        return -1;
    CRASH_POINT("C12");
    return write_progress(s, place, err);
}

int relay_setup(const struct command_options *o, const char *admin_connection, struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    struct setup s = {.o = o, .admin_connection = admin_connection};
    command_ends_open(o, &s.ends);
    int result = relay_open_router(o->config, &s.router, err);
    if (result == 0)
        result = relay_check_connection(o->config, err);
    if (result == 0)
        result = origin_connect(s.ends.r.origin, err);
    if (result == 0)
        result = look(&s, err);
    if (result == 0)
        result = is_first_run(&s) ? first_run(&s, err) : complete_existing(&s, err);
    publisher_close(s.publisher, 0);
    router_close(s.router);
    command_ends_close(&s.ends);
    return result;
}
