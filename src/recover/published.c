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

static int refuse(const struct published_options *options, const struct found *found,
                  const struct published *now, struct error *err)
{
    char from[LSN_TEXT_MAX], to[LSN_TEXT_MAX];
    uint64_t from_lsn = found->progress.fingerprint.lsn;
    if (options->guard_lsn > from_lsn)
        from_lsn = options->guard_lsn;
    error_stop(err, REASON_PUBLICATION_CHANGED,
               "what decides which rows the server sends has changed: %s; rows that were written "
               "between %s and %s may be missing",
               now->what, lsn_format(from_lsn, from), lsn_format(now->now.id.lsn, to));
    error_hint(err, "find the rows of that time and write them again; then go on");
    return error_mend(err, "rebase --to guard --accept-loss");
}

static int judge(const struct recovery *ends, const struct published_options *options,
                 const struct found *found, struct published *out, struct error *err)
{
    struct span before;
    struct fingerprint_change change = {
        .verdict = FINGERPRINT_LOST, .what = BUF_EMPTY, .gone = BUF_EMPTY};
    int result = recall(ends, options, found->progress.fingerprint.hash, &before, err);
    if (result == 0 && before.ptr != NULL)
        result = ends->origin->ops->compare(ends->origin, options->router, before, out->now.text,
                                            &change, err);
    else
        buf_add_text(&change.what, "the note that says what it was is gone");
    if (result == 0)
        snprintf(out->what, sizeof out->what, "%s", buf_text(&change.what));
    bool lost = change.verdict == FINGERPRINT_LOST;
    buf_fini(&change.what);
    buf_fini(&change.gone);
    if (result < 0)
        return -1;
    if (lost)
        return refuse(options, found, out, err);
    out->news = PUBLISHED_GREW;
    return 0;
}

int relay_check_published(const struct recovery *ends, const struct published_options *options,
                          const struct found *found, struct published *out, struct error *err)
{
    struct origin *origin = ends->origin;
    assert(options != NULL && found != NULL);
    *out = (struct published){.news = PUBLISHED_SAME};
    if (origin->ops->fingerprint == NULL)
        return 0;
    if (origin->ops->fingerprint(origin, options->router, ends->arena, &out->now, err) < 0)
        return -1;
    const char *recorded = found->progress.fingerprint.hash;
    if (recorded[0] == '\0') {
        out->news = PUBLISHED_FIRST;
        return 0;
    }
    if (strcmp(recorded, out->now.id.hash) == 0)
        return 0;
    return judge(ends, options, found, out, err);
}

int relay_take_published(const struct recovery *ends, const struct router *router,
                         struct published *out, struct error *err)
{
    const struct found none = {.have_progress = false};
    const struct published_options options = {.router = router};
    return relay_check_published(ends, &options, &none, out, err);
}

struct span published_sign(const struct published *published, struct arena *arena,
                           struct progress *record)
{
    assert(record != NULL);
    const struct fingerprint *now = &published->now;
    bool news = strcmp(record->fingerprint.hash, now->id.hash) != 0;
    if (now->id.hash[0] == '\0')
        return span_null();
    record->fingerprint = now->id;
    if (!news)
        return span_null();
    const char *note = arena_format(arena, "%s\n%.*s", now->id.hash, SPAN_ARG(now->text));
    return span_of(note);
}
