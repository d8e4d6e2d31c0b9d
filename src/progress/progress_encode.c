/* progress/progress_encode: the record as JSON. The members and their order are those of
 * progress_decode.c. LSNs are strings in PostgreSQL's form and the system identifier is a decimal
 * string, because a 64-bit number does not survive every JSON reader. */
#include "progress/progress_internal.h"

#include "base/time.h"
#include "json/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const char *const mode_names[] = {"intent", "wal", "poll", "closed"};

const char *progress_mode_name(enum progress_mode mode)
{
    assert(mode <= PROGRESS_CLOSED);
    return mode_names[mode];
}

bool progress_mode_parse(struct span text, enum progress_mode *mode)
{
    for (int i = 0; i <= PROGRESS_CLOSED; i++) {
        if (span_equal_text(text, mode_names[i])) {
            *mode = (enum progress_mode)i;
            return true;
        }
    }
    return false;
}

static void write_lsn(struct json_writer *w, const char *name, uint64_t lsn)
{
    char text[LSN_TEXT_MAX];
    json_write_member_text(w, name, lsn_format(lsn, text));
}

static void write_lsn_or_null(struct json_writer *w, const char *name, uint64_t lsn)
{
    if (lsn == 0)
        json_write_member_null(w, name);
    else
        write_lsn(w, name, lsn);
}

static void write_partial(struct json_writer *w, const struct partial *partial)
{
    if (partial->final_lsn == 0) {
        json_write_member_null(w, "partial");
        return;
    }
    json_write_name(w, "partial");
    json_write_begin_object(w);
    write_lsn(w, "final_lsn", partial->final_lsn);
    json_write_member_u64(w, "done", partial->done);
    json_write_member_u64(w, "part", partial->part);
    json_write_end_object(w);
}

static void write_rebased(struct json_writer *w, const struct progress *progress)
{
    if (!progress->rebased.present) {
        json_write_member_null(w, "rebased");
        return;
    }
    json_write_name(w, "rebased");
    json_write_begin_object(w);
    write_lsn(w, "from", progress->rebased.from);
    write_lsn(w, "to", progress->rebased.to);
    json_write_member_text(w, "why", progress->rebased.why);
    json_write_end_object(w);
}

static void write_last(struct json_writer *w, const struct progress *progress)
{
    char text[TIME_TEXT_MAX];
    int64_t at_us = progress->last.commit_at_us;
    json_write_name(w, "last");
    json_write_begin_object(w);
    json_write_member_u64(w, "xid", progress->last.xid);
    if (progress->last.xid8 != 0)
        json_write_member_u64(w, "xid8", progress->last.xid8);
    else
        json_write_member_null(w, "xid8");
    write_lsn_or_null(w, "lsn", progress->last.lsn);
    json_write_member_text(w, "commit_at", at_us > 0 ? time_format(at_us, 6, text) : NULL);
    write_lsn_or_null(w, "witness", progress->last.witness);
    json_write_end_object(w);
}

static void write_publications(struct json_writer *w, const struct progress *progress)
{
    json_write_name(w, "publications");
    json_write_begin_array(w);
    for (uint32_t i = 0; i < progress->publication_count; i++) {
        json_write_begin_object(w);
        json_write_member_text(w, "name", progress->publications[i].name);
        write_lsn(w, "from", progress->publications[i].from);
        json_write_end_object(w);
    }
    json_write_end_array(w);
}

static void write_fingerprint(struct json_writer *w, const struct progress_fingerprint *f)
{
    if (f->hash[0] == '\0') {
        json_write_member_null(w, "fingerprint");
        return;
    }
    json_write_name(w, "fingerprint");
    json_write_begin_object(w);
    json_write_member_text(w, "hash", f->hash);
    write_lsn(w, "lsn", f->lsn);
    if (f->xid != 0)
        json_write_member_u64(w, "xid", f->xid);
    json_write_end_object(w);
}

static void write_command(struct json_writer *w, const struct progress *progress)
{
    if (!progress->command.present) {
        json_write_member_null(w, "command");
        return;
    }
    json_write_name(w, "command");
    json_write_begin_object(w);
    json_write_member_u64(w, "id", progress->command.id);
    json_write_member_u64(w, "done", progress->command.done);
    json_write_end_object(w);
}

/* Version 1 had the id alone. */
static void write_skips(struct json_writer *w, const struct progress *progress, uint32_t version)
{
    char id[CHANGE_ID_TEXT_MAX];
    json_write_name(w, "skip");
    json_write_begin_array(w);
    for (uint32_t i = 0; i < progress->skip_count; i++) {
        const struct skip *skip = &progress->skips[i];
        change_id_format(progress->system_identifier, skip->id, id);
        if (version == 1) {
            json_write_text(w, id);
            continue;
        }
        json_write_begin_object(w);
        json_write_member_text(w, "id", id);
        json_write_member_text(w, "route", skip->route[0] != '\0' ? skip->route : NULL);
        json_write_end_object(w);
    }
    json_write_end_array(w);
}

static void write_version_2(struct json_writer *w, const struct progress *progress)
{
    write_last(w, progress);
    write_publications(w, progress);
    write_fingerprint(w, &progress->fingerprint);
    write_lsn_or_null(w, "guard", progress->guard);
    if (progress->slot_from != 0)
        write_lsn(w, "slot_from", progress->slot_from);
    write_command(w, progress);
}

void progress_encode(const struct progress *progress, struct buf *out)
{
    progress_encode_as(progress, PROGRESS_VERSION, out);
}

void progress_encode_as(const struct progress *progress, uint32_t version, struct buf *out)
{
    assert(version >= 1 && version <= PROGRESS_VERSION);
    assert(progress->skip_count <= PROGRESS_SKIPS_MAX);
    assert(progress->partial.final_lsn == 0 || progress->partial.done > 0);
    char number[24];
    char time_text[TIME_TEXT_MAX];
    struct json_writer w = json_writer(out);
    snprintf(number, sizeof number, "%" PRIu64, progress->system_identifier);
    json_write_begin_object(&w);
    json_write_member_u64(&w, "v", version);
    if (version < PROGRESS_VERSION)
        json_write_member_u64(&w, "version_before", PROGRESS_VERSION);
    json_write_member_text(&w, "relay", progress->relay);
    json_write_member_u64(&w, "shard", progress->shard);
    json_write_member_u64(&w, "generation", progress->generation);
    json_write_member_text(&w, "instance", progress->instance);
    json_write_member_text(&w, "system_identifier", number);
    json_write_member_u64(&w, "timeline", progress->timeline);
    json_write_member_text(&w, "slot", progress->slot);
    json_write_member_text(&w, "mode", progress_mode_name(progress->mode));
    write_lsn(&w, "position", progress->position.lsn);
    json_write_member_u64(&w, "xid", progress->xid);
    write_partial(&w, &progress->partial);
    if (progress->resume.ptr != NULL)
        json_write_member_raw(&w, "resume", progress->resume);
    else
        json_write_member_null(&w, "resume");
    write_rebased(&w, progress);
    write_skips(&w, progress, version);
    if (version >= 2)
        write_version_2(&w, progress);
    json_write_member_text(&w, "config_hash", progress->config_hash);
    json_write_member_text(&w, "at", time_format(progress->at_us, 6, time_text));
    json_write_end_object(&w);
}
