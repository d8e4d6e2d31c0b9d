/* webhook/webhook_judge: see webhook_judge.h. A thing is told when it begins, when it gets worse,
 * and when it is over; each end asks for more than its beginning, so that nothing is told again and
 * again. */
#include "webhook/webhook_judge.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define MB (UINT64_C(1) << 20)
/* Of the limit of lag, so much lies between two marks. */
#define SPACING_PART 16

const char *webhook_topic_name(enum webhook_topic topic)
{
    static const char *const names[] = {"lag", "slot", "stuck", "dead_letters", "relay"};
    assert(topic < WEBHOOK_TOPICS);
    return names[topic];
}

struct judging {
    struct webhook_judge *judge;
    const struct webhook_look *look;
    const struct config_notify *config;
    struct webhook_news *news;
    uint32_t count;
};

/* The place for it, or NULL where there is nothing to tell. What has begun is told again only where
 * it is worse. */
static struct webhook_news *tell(struct judging *j, enum webhook_topic topic,
                                 enum webhook_severity severity)
{
    struct webhook_judge *judge = j->judge;
    enum webhook_severity before = judge->severity[topic];
    if (severity == before || (severity != WEBHOOK_OK && severity < before))
        return NULL;
    struct webhook_news *news = &j->news[j->count++];
    *news = (struct webhook_news){.topic = topic, .severity = severity};
    if (before == WEBHOOK_OK)
        judge->since_us[topic] = j->look->now_us;
    else if (severity == WEBHOOK_OK)
        news->lasted_s = (j->look->now_us - judge->since_us[topic]) / US_PER_S;
    judge->severity[topic] = severity;
    return news;
}

/* ---- Lag ---- */

int64_t webhook_lag_us(const struct webhook_judge *judge, int64_t now_us)
{
    assert(judge != NULL);
    return judge->mark_count > 0 ? now_us - judge->marks[0].at_us : 0;
}

/* Every other one goes, the oldest stays. */
static void thin_out(struct webhook_judge *judge)
{
    for (uint32_t i = 0; 2 * i < judge->mark_count; i++)
        judge->marks[i] = judge->marks[2 * i];
    judge->mark_count = (judge->mark_count + 1) / 2;
    judge->spacing_us *= 2;
}

static void mark(struct webhook_judge *judge, const struct webhook_look *look, int64_t limit_us)
{
    const struct status *s = look->status;
    uint32_t passed = 0;
    while (passed < judge->mark_count && judge->marks[passed].lsn <= s->committed.lsn)
        passed++;
    judge->mark_count -= passed;
    memmove(judge->marks, judge->marks + passed, judge->mark_count * sizeof judge->marks[0]);
    if (judge->mark_count > 0 && judge->marks[judge->mark_count - 1].lsn > s->current_lsn)
        judge->mark_count = 0; /* another server, whose log is not as long */
    if (judge->mark_count == 0)
        judge->spacing_us = limit_us / SPACING_PART;
    if (s->current_lsn <= s->committed.lsn)
        return;
    const struct webhook_mark *last =
        judge->mark_count > 0 ? &judge->marks[judge->mark_count - 1] : NULL;
    if (last != NULL && look->now_us - last->at_us < judge->spacing_us)
        return;
    if (judge->mark_count == WEBHOOK_MARKS)
        thin_out(judge);
    judge->marks[judge->mark_count++] =
        (struct webhook_mark){.lsn = s->current_lsn, .at_us = look->now_us};
}

static void judge_lag(struct judging *j)
{
    struct webhook_judge *judge = j->judge;
    const struct status *s = j->look->status;
    int64_t limit_us = j->config->lag_limit_ms * US_PER_MS;
    if (limit_us == 0)
        judge->mark_count = 0;
    else if (s->current_lsn != 0)
        mark(judge, j->look, limit_us);
    int64_t lag_us = webhook_lag_us(judge, j->look->now_us);
    bool over = limit_us > 0 && lag_us >= limit_us;
    bool under = lag_us < limit_us / 2 || limit_us == 0;
    struct webhook_news *news = over    ? tell(j, WEBHOOK_LAG, WEBHOOK_WARNING)
                                : under ? tell(j, WEBHOOK_LAG, WEBHOOK_OK)
                                        : NULL;
    if (news == NULL)
        return;
    if (over)
        snprintf(news->detail, sizeof news->detail,
                 "what the server wrote %" PRId64 " s ago is not published yet; %" PRIu64
                 " MB of its log are behind",
                 lag_us / US_PER_S, s->lag_bytes / MB);
    else
        snprintf(news->detail, sizeof news->detail,
                 "what the server wrote more than %" PRId64 " s ago is published",
                 lag_us / US_PER_S);
}

/* ---- The slot ---- */

static void describe_slot(const struct status *s, char *detail, size_t size)
{
    if (s->risk >= WAL_RISK_HIGH && s->risky[0] != '\0') {
        snprintf(detail, size, "%s", s->risky);
        return;
    }
    int used = snprintf(detail, size, "slot %s keeps %" PRIu64 " MB of log", s->origin,
                        s->retained_bytes / MB);
    if (s->room_bytes >= 0)
        used += snprintf(detail + used, size - (size_t)used,
                         ", and is lost after %" PRId64 " MB more", s->room_bytes / (int64_t)MB);
    if (s->seconds_left >= 0)
        snprintf(detail + used, size - (size_t)used, ", in %" PRId64 " min at this pace",
                 s->seconds_left / 60);
}

static void judge_slot(struct judging *j)
{
    const struct status *s = j->look->status;
    enum webhook_severity severity = s->risk >= WAL_RISK_HIGH      ? WEBHOOK_CRITICAL
                                     : s->risk == WAL_RISK_FILLING ? WEBHOOK_WARNING
                                                                   : WEBHOOK_OK;
    if (!s->origin_known)
        return;
    struct webhook_news *news = tell(j, WEBHOOK_SLOT, severity);
    if (news != NULL)
        describe_slot(s, news->detail, sizeof news->detail);
}

/* ---- Getting on ---- */

/* Not ready by reason of the slot alone is another topic. */
static bool works(const struct status *s)
{
    return s->ready || (s->state == STATE_STREAMING && s->source_fresh && s->publisher_fresh &&
                        s->risk >= WAL_RISK_HIGH && !s->stands);
}

static void describe_stuck(const struct judging *j, char *detail, size_t size)
{
    const struct status *s = j->look->status;
    int64_t seconds = (j->look->now_us - j->judge->working_us) / US_PER_S;
    bool cause = s->state != STATE_STREAMING && s->last_error[0] != '\0';
    if (s->stands && s->risky[0] != '\0' && !cause)
        snprintf(detail, size, "%s", s->risky);
    else
        snprintf(detail, size, "%s, not ready for %" PRId64 " s%s%s", relay_state_name(s->state),
                 seconds, s->last_error[0] != '\0' ? ": " : "", s->last_error);
}

static void judge_stuck(struct judging *j)
{
    struct webhook_judge *judge = j->judge;
    const struct status *s = j->look->status;
    if (s->state == STATE_STOPPING || s->state == STATE_STOPPED)
        return;
    bool working = works(s);
    if (working || judge->working_us == 0)
        judge->working_us = j->look->now_us;
    bool at_once = s->stands || s->state == STATE_HELD;
    bool stuck = !working && (at_once || j->look->now_us - judge->working_us >=
                                             j->config->stuck_ms * US_PER_MS);
    struct webhook_news *news = stuck     ? tell(j, WEBHOOK_STUCK, WEBHOOK_CRITICAL)
                                : working ? tell(j, WEBHOOK_STUCK, WEBHOOK_OK)
                                          : NULL;
    if (news == NULL)
        return;
    if (stuck)
        describe_stuck(j, news->detail, sizeof news->detail);
    else
        snprintf(news->detail, sizeof news->detail, "the relay streams and commits again");
}

static void judge_start(struct judging *j)
{
    if (j->judge->started || !j->look->status->ready)
        return;
    j->judge->started = true;
    struct webhook_news *news = &j->news[j->count++];
    *news = (struct webhook_news){.topic = WEBHOOK_RELAY, .severity = WEBHOOK_OK};
    snprintf(news->detail, sizeof news->detail,
             "the process streams and commits; what an earlier one told is judged anew");
}

/* ---- Dead letters ---- */

static void judge_letters(struct judging *j)
{
    struct webhook_judge *judge = j->judge;
    const struct status *s = j->look->status;
    uint64_t fresh = s->dead_letters > judge->letters ? s->dead_letters - judge->letters : 0;
    judge->letters = s->dead_letters; /* fewer than before: other routes, after a reload */
    if (fresh > 0) {
        judge->letters_new += fresh;
        judge->letter_us = j->look->now_us;
    }
    bool quiet = judge->letter_us == 0 ||
                 (j->look->now_us - judge->letter_us >= j->config->quiet_ms * US_PER_MS &&
                  j->look->keys_held == 0);
    struct webhook_news *news = quiet ? tell(j, WEBHOOK_DEAD_LETTERS, WEBHOOK_OK)
                                      : tell(j, WEBHOOK_DEAD_LETTERS, WEBHOOK_WARNING);
    if (news == NULL)
        return;
    if (quiet)
        snprintf(news->detail, sizeof news->detail,
                 "no change has become a dead letter for %" PRId64 " s; %" PRIu64 " had",
                 (j->look->now_us - judge->letter_us) / US_PER_S, judge->letters_new);
    else
        snprintf(news->detail, sizeof news->detail,
                 "%" PRIu64 " %s could not be published and went to the dead-letter topic", fresh,
                 fresh == 1 ? "change" : "changes");
    if (quiet)
        judge->letters_new = 0;
}

uint32_t webhook_judge(struct webhook_judge *judge, const struct webhook_look *look,
                       const struct config_notify *config, struct webhook_news news[WEBHOOK_TOPICS])
{
    assert(judge != NULL && look != NULL && look->status != NULL && look->now_us > 0);
    assert(config != NULL && news != NULL);
    struct judging j = {.judge = judge, .look = look, .config = config, .news = news};
    judge_start(&j);
    judge_lag(&j);
    judge_slot(&j);
    judge_stuck(&j);
    judge_letters(&j);
    assert(j.count <= WEBHOOK_TOPICS);
    return j.count;
}
