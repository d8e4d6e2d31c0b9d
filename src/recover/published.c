/* recover/published: see published.h. It mends nothing, and what has changed is told by
 * fingerprint_compare. */
#include "recover/published.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* What the record's hash stands for: remembered by somebody, or read. Absent where it is lost. A
 * note is the hash, a line's end, and the text. */
static int recall(const struct recovery *ends, const struct published_options *options,
                  const char *hash, struct span *text, struct error *err)
{
    *text = options->remembered;
    if (text->ptr != NULL)
        return 0;
    struct buf note = BUF_EMPTY;
    int result = ends->ledger->ops->read_note(ends->ledger, &note, err);
    struct span found = buf_span(&note);
    size_t len = strlen(hash);
    if (result == 0 && found.len > len && memcmp(found.ptr, hash, len) == 0)
        *text = arena_copy(ends->arena, (struct span){found.ptr + len + 1, found.len - len - 1});
    buf_fini(&note);
    return result;
}

/* Through one that only change routes need nothing is read until it was made, once that is decided.
 */
static bool is_needed(const struct config_source *source, const char *publication)
{
    return strcmp(publication, source->changes.text) != 0;
}

int relay_refuse_gone(const struct recovery *ends, const struct config_source *source,
                      const char *publication, const struct found *found, uint64_t until_lsn,
                      struct error *err)
{
    const struct origin_ops *origin = ends->origin->ops;
    char at[LSN_TEXT_MAX], to[LSN_TEXT_MAX];
    assert(publication != NULL && found->have_progress);
    lsn_format(found->progress.position.lsn, at);
    bool needed = is_needed(source, publication);
    error_stop(err, REASON_PUBLICATION_GONE,
               "publication %s exists, but it was made after %s: the server cannot read rows from "
               "before it; rows that were written between %s and %s may be missing in Kafka",
               publication, at, at, lsn_format(until_lsn, to));
    error_hint(err, "find the rows of that time and write them again; then go on%s%s",
               needed ? " with a new " : " without it until then", needed ? origin->noun : "");
    return error_mend(err, "rebase --to %s --accept-loss", needed ? origin->anew : "guard");
}

int relay_find_missing(const struct recovery *ends, const struct found *found, const char **missing,
                       struct error *err)
{
    const struct origin_ops *origin = ends->origin->ops;
    *missing = NULL;
    return origin->missing != NULL ? origin->missing(ends->origin, found, missing, err) : 0;
}

/* Whether the server can read on through what there is now only shows behind the position. It may
 * not where that is something else than was recorded, or where a person has decided about what
 * changed and the position has not passed the place of that. */
static int check_read(const struct recovery *ends, const struct published_options *options,
                      const struct found *found, const struct published *out, struct error *err)
{
    const struct progress *p = &found->progress;
    const char *missing = NULL;
    bool other = p->fingerprint.hash[0] == '\0' ||
                 fingerprint_has_new_publication(out->before, out->now.text);
    if (!other && p->position.lsn >= p->guard)
        return 0;
    if (relay_find_missing(ends, found, &missing, err) < 0)
        return -1;
    return missing == NULL
               ? 0
               : relay_refuse_gone(ends, options->source, missing, found, out->now.end_lsn, err);
}

/* Where only a new origin helps, all from the position on stays unread. */
static int refuse(const struct recovery *ends, const struct published_options *options,
                  const struct found *found, const struct published *now, struct error *err)
{
    char from[LSN_TEXT_MAX], to[LSN_TEXT_MAX];
    const struct origin_ops *origin = ends->origin->ops;
    const char *missing = NULL;
    if (relay_find_missing(ends, found, &missing, err) < 0)
        return -1;
    bool anew = missing != NULL && is_needed(options->source, missing);
    uint64_t position_lsn = found->progress.position.lsn;
    uint64_t lost_lsn = anew && position_lsn < now->lost_lsn ? position_lsn : now->lost_lsn;
    error_stop(err, REASON_PUBLICATION_CHANGED,
               PUBLISHED_HAS_CHANGED ": %s; rows that were written between %s and %s may be "
                                     "missing in Kafka",
               now->what, lsn_format(lost_lsn, from), lsn_format(now->now.end_lsn, to));
    error_hint(err,
               "nothing is published before that is decided: find the rows of that time (an outbox "
               "row has created_at), write those once more that consumers lack, and go on %s%s",
               anew ? "with a new " : "from the same position", anew ? origin->noun : "");
    return error_mend(err, "rebase --to %s --accept-loss", anew ? origin->anew : "guard");
}

struct outcome {
    enum fingerprint_verdict verdict;
    struct buf what; /* for a person */
    struct buf gone; /* oids of partitions, with commas */
};

static void add(struct buf *list, const char *comma, struct span what)
{
    buf_add_text(list, list->len > 0 && what.len > 0 ? comma : "");
    buf_add(list, what);
}

/* One comparison; says nothing twice. */
static int compare(const struct recovery *ends, const struct published_options *options,
                   struct span before, struct span after, struct outcome *outcome,
                   struct error *err)
{
    struct fingerprint_change change = {.what = BUF_EMPTY, .gone = BUF_EMPTY};
    int result =
        ends->origin->ops->compare(ends->origin, options->router, before, after, &change, err);
    if (result == 0 && change.verdict > outcome->verdict)
        outcome->verdict = change.verdict;
    if (result == 0 && !span_equal(buf_span(&change.what), buf_span(&outcome->what)))
        add(&outcome->what, "; ", buf_span(&change.what));
    if (result == 0)
        add(&outcome->gone, ",", buf_span(&change.gone));
    buf_fini(&change.what);
    buf_fini(&change.gone);
    return result;
}

/* What there is now, and what was seen in between. */
static int compare_all(const struct recovery *ends, const struct published_options *options,
                       const struct published_seen *seen, const struct published *out,
                       struct outcome *outcome, struct error *err)
{
    if (seen->touched.len > 0) {
        outcome->verdict = FINGERPRINT_LOST;
        buf_add_format(&outcome->what,
                       "%.*s was changed for a while, and put back or dropped before anybody had "
                       "looked (a guard tells)",
                       SPAN_ARG(seen->touched));
    }
    if (out->before.ptr == NULL) {
        outcome->verdict = FINGERPRINT_LOST;
        add(&outcome->what, "; ",
            SPAN_LITERAL("what was sent before is not known, for its note in the progress "
                         "topic is gone"));
        return 0;
    }
    if (seen->text.ptr != NULL && compare(ends, options, out->before, seen->text, outcome, err) < 0)
        return -1;
    return compare(ends, options, out->before, out->now.text, outcome, err);
}

/* From where on rows may be missing: a guard may have been met before the last look that has found
 * nothing. */
static uint64_t lost_from(const struct published_options *options, const struct progress *p)
{
    bool earlier = options->guard_lsn != 0 && options->guard_lsn < p->fingerprint.lsn;
    return earlier ? options->guard_lsn : p->fingerprint.lsn;
}

static int judge(const struct recovery *ends, const struct published_options *options,
                 const struct published_seen *seen, const struct found *found,
                 struct published *out, struct error *err)
{
    const struct progress_fingerprint *recorded = &found->progress.fingerprint;
    struct outcome outcome = {.verdict = FINGERPRINT_SAME};
    int result = recall(ends, options, recorded->hash, &out->before, err);
    if (result == 0)
        result = compare_all(ends, options, seen, out, &outcome, err);
    if (result == 0) {
        snprintf(out->what, sizeof out->what, "%s", buf_text(&outcome.what));
        out->gone = arena_copy(ends->arena, buf_span(&outcome.gone));
    }
    buf_fini(&outcome.what);
    buf_fini(&outcome.gone);
    if (result < 0)
        return -1;
    if (outcome.verdict == FINGERPRINT_LOST) {
        out->lost = !progress_is_lost(recorded);
        out->lost_lsn = lost_from(options, &found->progress);
        return refuse(ends, options, found, out, err);
    }
    if (strcmp(recorded->hash, out->now.id.hash) != 0)
        out->news = PUBLISHED_GREW;
    return 0;
}

int relay_check_published(const struct recovery *ends, const struct published_options *options,
                          const struct found *found, struct published *out, struct error *err)
{
    struct origin *origin = ends->origin;
    assert(options != NULL && found != NULL);
    assert(options->source != NULL || !found->have_progress);
    *out = (struct published){.news = PUBLISHED_SAME};
    if (origin->ops->fingerprint == NULL)
        return 0;
    if (origin->ops->fingerprint(origin, options->router, ends->arena, &out->now, err) < 0)
        return -1;
    const char *recorded = found->progress.fingerprint.hash;
    if (recorded[0] == '\0') {
        out->news = PUBLISHED_FIRST;
        return options->source != NULL ? check_read(ends, options, found, out, err) : 0;
    }
    /* A person has decided about what was seen before. */
    struct published_seen seen = options->seen;
    if (seen.lsn <= found->progress.guard)
        seen = (struct published_seen){.lsn = 0};
    bool same = seen.lsn == 0 && strcmp(recorded, out->now.id.hash) == 0;
    if (!same && judge(ends, options, &seen, found, out, err) < 0)
        return -1;
    return check_read(ends, options, found, out, err);
}

int relay_take_published(const struct recovery *ends, const struct router *router,
                         struct published *out, struct error *err)
{
    const struct found none = {.have_progress = false};
    const struct published_options options = {.router = router};
    return relay_check_published(ends, &options, &none, out, err);
}

/* A note that the topic would not take can never be written; without its text a relay runs as well,
 * but a start that finds a change cannot tell what it means. */
static struct span note_of(const struct progress_fingerprint *f, struct span text,
                           struct arena *arena)
{
    if (text.len > PUBLISHED_NOTE_MAX)
        text = span_of(arena_format(arena,
                                    FINGERPRINT_LOST_WORD
                                    " what was sent takes %zu bytes, of which no note is kept; so "
                                    "what changed is not known",
                                    text.len));
    return span_of(arena_format(arena, "%s\n%.*s", f->hash, SPAN_ARG(text)));
}

struct span published_sign(const struct published *published, struct arena *arena,
                           struct progress *record)
{
    assert(record != NULL);
    const struct fingerprint *now = &published->now;
    struct progress_fingerprint *f = &record->fingerprint;
    if (now->id.hash[0] == '\0')
        return span_null();
    if (f->hash[0] == '\0')
        *f = now->id;
    if (f->xid == 0)
        f->xid = now->id.xid;
    bool news = published->news == PUBLISHED_FIRST || strcmp(f->hash, now->id.hash) != 0;
    memcpy(f->hash, now->id.hash, sizeof f->hash);
    return news ? note_of(f, now->text, arena) : span_null();
}

/* A line that no comparison passes, before what is known of the time before. */
struct span published_sign_lost(const struct published *published, struct arena *arena,
                                struct progress *record)
{
    struct progress_fingerprint *f = &record->fingerprint;
    assert(published->lost && !progress_is_lost(f));
    memmove(f->hash + strlen(PROGRESS_LOST), f->hash, sizeof f->hash - sizeof PROGRESS_LOST);
    memcpy(f->hash, PROGRESS_LOST, strlen(PROGRESS_LOST));
    f->lsn = published->lost_lsn;
    char *what = arena_text(arena, span_of(published->what));
    for (char *at = strchr(what, '\n'); at != NULL; at = strchr(at, '\n'))
        *at = ' ';
    bool fits = published->before.len < PUBLISHED_NOTE_MAX - sizeof published->what;
    const char *text = arena_format(arena, FINGERPRINT_LOST_WORD " %s\n%.*s", what,
                                    SPAN_ARG(fits ? published->before : span_null()));
    return note_of(f, span_of(text), arena);
}
