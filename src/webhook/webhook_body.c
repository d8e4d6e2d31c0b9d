/* webhook/webhook_body: see webhook_body.h. The members are those of /status where they mean the
 * same; no row, key or value of an event is among them. */
#include "webhook/webhook_body.h"

#include "base/time.h"
#include "json/json_write.h"

#include <assert.h>

static void write_type(struct json_writer *w, const struct webhook_news *news)
{
    struct buf type = BUF_EMPTY;
    bool over = news->severity == WEBHOOK_OK;
    bool process = news->topic == WEBHOOK_RELAY;
    buf_add_format(&type, "%s.%s", webhook_topic_name(news->topic),
                   process ? (over ? "started" : "stopped") : (over ? "recovered" : "raised"));
    json_write_member_string(w, "type", buf_span(&type));
    buf_fini(&type);
}

static void write_slot(struct json_writer *w, const struct status *s)
{
    json_write_name(w, "slot");
    if (!s->origin_known) {
        json_write_null(w);
        return;
    }
    json_write_begin_object(w);
    json_write_member_name(w, "name", s->origin);
    json_write_member_text(w, "risk", wal_risk_name(s->risk));
    json_write_member_u64(w, "retained_bytes", s->retained_bytes);
    json_write_member_known(w, "room_bytes", s->room_bytes);
    json_write_member_known(w, "seconds_left", s->seconds_left);
    json_write_end_object(w);
}

static void write_last_error(struct json_writer *w, const struct status *s)
{
    char at[TIME_TEXT_MAX];
    json_write_name(w, "last_error");
    if (s->last_error_reason[0] == '\0') {
        json_write_null(w);
        return;
    }
    json_write_begin_object(w);
    json_write_member_text(w, "reason", s->last_error_reason);
    json_write_member_text(w, "text", s->last_error);
    json_write_member_text(w, "at", time_format(s->last_error_wall_us, 6, at));
    json_write_end_object(w);
}

static void write_data(struct json_writer *w, const struct webhook_message *m)
{
    static const char *const severities[] = {"ok", "warning", "critical"};
    const struct status *s = m->status;
    char lsn[LSN_TEXT_MAX];
    json_write_begin_object(w);
    json_write_member_text(w, "relay", s->relay);
    json_write_member_name(w, "instance", s->instance);
    json_write_member_text(w, "severity", severities[m->news->severity]);
    json_write_member_text(w, "detail", m->news->detail);
    bool over = m->news->severity == WEBHOOK_OK && m->news->topic != WEBHOOK_RELAY;
    json_write_member_known(w, "lasted_s", over ? m->news->lasted_s : -1);
    json_write_member_text(w, "state", relay_state_name(s->state));
    json_write_member_bool(w, "ready", s->ready);
    json_write_member_known(w, "exit_code", m->exit_code);
    json_write_member_text(w, "position",
                           s->committed.lsn != 0 ? lsn_format(s->committed.lsn, lsn) : NULL);
    json_write_member_i64(w, "lag_ms", m->lag_us / 1000);
    json_write_member_known(w, "lag_bytes", s->origin_known ? (int64_t)s->lag_bytes : -1);
    json_write_member_u64(w, "dead_letters", s->dead_letters);
    json_write_member_u64(w, "keys_held", m->keys_held);
    write_slot(w, s);
    write_last_error(w, s);
    json_write_end_object(w);
}

void webhook_body(const struct webhook_message *message, struct buf *out)
{
    assert(message != NULL && message->news != NULL && message->status != NULL);
    assert(out != NULL);
    char at[TIME_TEXT_MAX];
    struct json_writer w = json_writer(out);
    json_write_begin_object(&w);
    write_type(&w, message->news);
    json_write_member_text(&w, "timestamp", time_format(message->wall_us, 6, at));
    json_write_name(&w, "data");
    write_data(&w, message);
    json_write_end_object(&w);
}
