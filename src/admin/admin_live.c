/* admin/admin_live: see admin_live.h. Names, keys and types come from rows, so nothing here trusts
 * them: they are JSON strings, whole characters, and what is no UTF-8 is hexadecimal, as
 * PostgreSQL writes a bytea. */
#include "admin/admin_live.h"

#include "base/time.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void admin_write_time(struct json_writer *w, const char *name, int64_t wall_us)
{
    char text[TIME_TEXT_MAX];
    assert(name != NULL);
    json_write_member_text(w, name, wall_us != 0 ? time_format(wall_us, 6, text) : NULL);
}

void admin_write_lsn(struct json_writer *w, const char *name, uint64_t lsn)
{
    char text[LSN_TEXT_MAX];
    assert(name != NULL);
    json_write_member_text(w, name, lsn != 0 ? lsn_format(lsn, text) : NULL);
}

/* ---- Checks ---- */

/* `doctor` sees no state: that is told of where /status is. */
static void write_check(struct json_writer *w, const char *name, bool ok, const char *text)
{
    char see[64] = "docs/OPERATIONS.md#the-admin-port";
    if (strcmp(name, "state") != 0)
        snprintf(see, sizeof see, "docs/DOCTOR.md#%s", name);
    json_write_begin_object(w);
    json_write_member_text(w, "name", name);
    json_write_member_bool(w, "ok", ok);
    json_write_member_text(w, "text", text);
    json_write_member_text(w, "see", see);
    json_write_end_object(w);
}

static bool runs(const struct status *s)
{
    return s->state != STATE_STOPPED && s->state != STATE_HELD;
}

void admin_add_failed(const struct status *s, struct buf *out)
{
    assert(s != NULL && out != NULL);
    buf_add_text(out, runs(s) ? "" : " state");
    buf_add_text(out, s->source_fresh ? "" : " session");
    buf_add_text(out, s->publisher_fresh ? "" : " broker");
    buf_add_text(out, s->risk >= WAL_RISK_HIGH ? " slot_state" : "");
    buf_add_text(out, s->stands ? " progress" : "");
}

static void write_answers(struct json_writer *w, const char *name, bool ok, const char *who,
                          int64_t up_wall_us)
{
    char text[128], time[TIME_TEXT_MAX];
    if (ok)
        snprintf(text, sizeof text, "%s answers", who);
    else if (up_wall_us == 0)
        snprintf(text, sizeof text, "%s has not answered yet", who);
    else
        snprintf(text, sizeof text, "%s has not answered since %s", who,
                 time_format(up_wall_us, 3, time));
    write_check(w, name, ok, text);
}

void admin_write_checks(struct json_writer *w, const struct status *s)
{
    assert(s != NULL);
    bool at_risk = s->risk >= WAL_RISK_HIGH;
    json_write_begin_array(w);
    write_check(w, "state", runs(s), relay_state_name(s->state));
    write_answers(w, "session", s->source_fresh, "the database", s->source_up_wall_us);
    write_answers(w, "broker", s->publisher_fresh, "Kafka", s->publisher_up_wall_us);
    if (at_risk)
        write_check(w, "slot_state", false, s->risky);
    else
        write_check(w, "slot_state", true,
                    s->origin_known ? "the server keeps all that the slot needs"
                                    : "nothing is known against it yet");
    if (s->stands)
        write_check(w, "progress", false,
                    at_risk ? "the position does not move, and the WAL does" : s->risky);
    else
        write_check(w, "progress", true, "the position moves, or there is nothing to publish");
    json_write_end_array(w);
}

/* ---- /events ---- */

static void write_bytes(struct json_writer *w, const char *name, const char *bytes, size_t len)
{
    if (utf8_is_valid(bytes, bytes + len)) {
        json_write_member_string(w, name, (struct span){bytes, len});
        return;
    }
    struct buf hex = BUF_EMPTY;
    buf_add_text(&hex, "\\x");
    for (size_t i = 0; i < len; i++)
        buf_add_format(&hex, "%02x", (unsigned)(unsigned char)bytes[i]);
    json_write_member_string(w, name, buf_span(&hex));
    buf_fini(&hex);
}

static void write_text(struct json_writer *w, const char *name, const struct recent_text *text)
{
    if (text->absent)
        json_write_member_null(w, name);
    else
        write_bytes(w, name, text->bytes, text->len);
}

static void write_event(struct json_writer *w, const struct recent_event *e)
{
    json_write_begin_object(w);
    json_write_member_u64(w, "number", e->number);
    admin_write_time(w, "committed_at", e->committed_wall_us);
    json_write_member_text(w, "topic", e->topic);
    json_write_member_known(w, "partition", e->partition);
    json_write_member_known(w, "offset", e->offset);
    admin_write_lsn(w, "lsn", e->position.lsn);
    json_write_member_u64(w, "change", e->position.seq);
    json_write_member_text(w, "route", e->route);
    write_text(w, "key", &e->key);
    json_write_member_u64(w, "key_bytes", e->key.whole_bytes);
    write_text(w, "type", &e->type);
    json_write_member_bool(w, "dead_letter", e->dead_letter);
    if (e->has_payload) {
        json_write_member_u64(w, "payload_bytes", e->payload.whole_bytes);
        if (e->payload.absent)
            json_write_member_null(w, "payload");
        else
            write_bytes(w, "payload", e->payload.bytes, e->payload.len);
    }
    json_write_end_object(w);
}

void admin_events_json(const struct recent_lists *lists, struct buf *out)
{
    assert(lists != NULL && out != NULL);
    struct json_writer w = json_writer(out);
    uint64_t count = lists->event_count < RECENT_EVENTS ? lists->event_count : RECENT_EVENTS;
    json_write_begin_object(&w);
    json_write_name(&w, "events");
    json_write_begin_array(&w);
    for (uint64_t i = 0; i < count; i++)
        write_event(&w, &lists->events[(lists->event_count - 1 - i) % RECENT_EVENTS]);
    json_write_end_array(&w);
    json_write_end_object(&w);
    buf_add_char(out, '\n');
}

/* ---- /history ---- */

static void write_samples(struct json_writer *w, const struct recent_lists *lists)
{
    uint64_t count = lists->sample_count < RECENT_SAMPLES ? lists->sample_count : RECENT_SAMPLES;
    json_write_begin_array(w);
    for (uint64_t i = lists->sample_count - count; i < lists->sample_count; i++) {
        const struct recent_sample *s = &lists->samples[i % RECENT_SAMPLES];
        json_write_begin_object(w);
        json_write_member_i64(w, "at_ms", s->wall_us / 1000);
        json_write_member_known(w, "lag_bytes", s->lag_bytes);
        json_write_member_known(w, "retained_bytes", s->retained_bytes);
        json_write_member_u64(w, "events", s->events);
        json_write_member_u64(w, "visible_count", s->visible_count);
        json_write_member_u64(w, "visible_us", s->visible_us);
        json_write_end_object(w);
    }
    json_write_end_array(w);
}

static void write_epochs(struct json_writer *w, const struct recent_lists *lists)
{
    uint64_t count = lists->epoch_count < RECENT_EPOCHS ? lists->epoch_count : RECENT_EPOCHS;
    json_write_begin_array(w);
    for (uint64_t i = 0; i < count; i++) {
        const struct recent_epoch *e = &lists->epochs[(lists->epoch_count - 1 - i) % RECENT_EPOCHS];
        json_write_begin_object(w);
        json_write_member_u64(w, "number", e->number);
        json_write_member_u64(w, "generation", e->generation);
        admin_write_time(w, "opened_at", e->opened_wall_us);
        admin_write_time(w, "closed_at", e->closed_wall_us);
        json_write_member_text(w, "reason", e->reason[0] != '\0' ? e->reason : NULL);
        json_write_end_object(w);
    }
    json_write_end_array(w);
}

static void write_problem(struct json_writer *w, const struct log_kept *kept)
{
    json_write_begin_object(w);
    json_write_member_text(w, "level", kept->is_error ? "error" : "warn");
    json_write_member_text(w, "event", kept->event);
    json_write_member_text(w, "reason", kept->reason[0] != '\0' ? kept->reason : NULL);
    json_write_member_text(w, "text", kept->text);
    json_write_member_text(w, "hint", kept->hint[0] != '\0' ? kept->hint : NULL);
    json_write_member_u64(w, "times", kept->times);
    admin_write_time(w, "first_at", kept->first_wall_us);
    admin_write_time(w, "last_at", kept->last_wall_us);
    json_write_end_object(w);
}

void admin_history_json(const struct recent_lists *lists, const struct log_kept *kept,
                        uint32_t count, struct buf *out)
{
    assert(lists != NULL && out != NULL);
    assert(count == 0 || kept != NULL);
    assert(count <= LOG_RING_ENTRIES);
    struct json_writer w = json_writer(out);
    json_write_begin_object(&w);
    json_write_name(&w, "samples");
    write_samples(&w, lists);
    json_write_name(&w, "epochs");
    write_epochs(&w, lists);
    json_write_name(&w, "problems");
    json_write_begin_array(&w);
    for (uint32_t i = 0; i < count; i++)
        write_problem(&w, &kept[i]);
    json_write_end_array(&w);
    json_write_end_object(&w);
    buf_add_char(out, '\n');
}
