/* admin/admin_page: what the pages say, from a copy of the status. Reads no clock and takes no
 * lock.
 *
 * Absent is null, never 0 or "": a time that has not come, an LSN that is not known, a slot that
 * has not been looked at. LSNs are texts in PostgreSQL's form, times RFC 3339 in UTC. */
#include "admin/admin_page.h"

#include "admin/admin_files.h"
#include "admin/admin_live.h"
#include "json/json_write.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char text_plain[] = "text/plain; charset=utf-8";

/* ---- /status ---- */

/* A number of the epoch at hand; before the first one it is not known. */
static void write_of_epoch(struct json_writer *w, const struct status *s, const char *name,
                           uint64_t number)
{
    if (s->epochs != 0)
        json_write_member_u64(w, name, number);
    else
        json_write_member_null(w, name);
}

static void write_identity(struct json_writer *w, const struct status *s)
{
    json_write_member_text(w, "version", WALFERRY_VERSION);
    json_write_member_text(w, "state", relay_state_name(s->state));
    admin_write_time(w, "since", s->since_wall_us);
    json_write_member_bool(w, "ready", s->ready);
    json_write_member_text(w, "relay", s->relay);
    json_write_member_u64(w, "pid", (uint64_t)getpid());
    json_write_member_name(w, "slot", s->origin);
    json_write_member_name(w, "publication", s->publication);
    json_write_member_name(w, "guarantee", s->guarantee);
    json_write_member_name(w, "instance", s->instance);
    json_write_member_name(w, "system_identifier", s->system_identifier);
    write_of_epoch(w, s, "timeline", s->timeline);
    write_of_epoch(w, s, "generation", s->generation);
    json_write_member_u64(w, "epochs", s->epochs);
    json_write_member_u64(w, "dead_letters", s->dead_letters);
}

static void write_progress(struct json_writer *w, const struct status *s)
{
    admin_write_lsn(w, "position", s->committed.lsn);
    write_of_epoch(w, s, "position_seq", s->committed.seq);
    admin_write_lsn(w, "confirmed_lsn", s->confirmed_lsn);
    admin_write_lsn(w, "received_lsn", s->received_lsn);
    if (s->epochs != 0)
        json_write_member_bool(w, "in_partial", s->in_partial);
    else
        json_write_member_null(w, "in_partial");
    admin_write_time(w, "last_commit_at", s->last_commit_wall_us);
    admin_write_time(w, "source_up_at", s->source_up_wall_us);
    admin_write_time(w, "publisher_up_at", s->publisher_up_wall_us);
}

static void write_slot(struct json_writer *w, const struct status *s)
{
    if (!s->origin_known) {
        json_write_member_null(w, "slot_wal_status");
        json_write_member_null(w, "slot_lag_bytes");
        json_write_member_null(w, "slot_retained_bytes");
        json_write_member_null(w, "slot_room_bytes");
        json_write_member_null(w, "slot_seconds_left");
        json_write_member_null(w, "slot_risk");
        json_write_member_null(w, "progress_stands");
        return;
    }
    json_write_member_name(w, "slot_wal_status", s->origin_state);
    json_write_member_u64(w, "slot_lag_bytes", s->lag_bytes);
    json_write_member_u64(w, "slot_retained_bytes", s->retained_bytes);
    json_write_member_known(w, "slot_room_bytes", s->room_bytes);
    json_write_member_known(w, "slot_seconds_left", s->seconds_left);
    json_write_member_text(w, "slot_risk", wal_risk_name(s->risk));
    json_write_member_bool(w, "progress_stands", s->stands);
}

static void write_last_error(struct json_writer *w, const struct status *s)
{
    if (s->last_error_reason[0] == '\0') {
        json_write_member_null(w, "last_error");
        return;
    }
    json_write_name(w, "last_error");
    json_write_begin_object(w);
    json_write_member_text(w, "reason", s->last_error_reason);
    json_write_member_text(w, "text", s->last_error);
    admin_write_time(w, "at", s->last_error_wall_us);
    json_write_end_object(w);
}

void admin_status_json(const struct status *status, struct buf *out)
{
    assert(status != NULL && out != NULL);
    struct json_writer w = json_writer(out);
    json_write_begin_object(&w);
    write_identity(&w, status);
    write_progress(&w, status);
    write_slot(&w, status);
    write_last_error(&w, status);
    json_write_name(&w, "checks");
    admin_write_checks(&w, status);
    json_write_end_object(&w);
    buf_add_char(out, '\n');
}

/* ---- The pages ---- */

/* The process answers, so it lives; whether it gets on is asked at /readyz. */
static void healthz(const struct admin_options *in, struct admin_page *page)
{
    (void)in;
    buf_add_text(&page->body, "ok\n");
}

/* A relay that streams has got over its last error, unless nothing else is known; one that does not
 * has it as the cause of whatever stands or fills. */
static void write_why(const struct status *s, struct buf *out)
{
    bool cause =
        s->last_error_reason[0] != '\0' && (s->state != STATE_STREAMING || s->risky[0] == '\0');
    if (cause)
        buf_add_format(out, ": %s", s->last_error);
    if (s->risky[0] != '\0')
        buf_add_format(out, "%s %s", cause ? ";" : ":", s->risky);
}

static void readyz(const struct admin_options *in, struct admin_page *page)
{
    struct status status;
    status_cell_get(in->status, &status);
    if (status.ready) {
        buf_add_text(&page->body, "ready\n");
        return;
    }
    page->status = 503;
    buf_add_format(&page->body, "not ready: %s", relay_state_name(status.state));
    write_why(&status, &page->body);
    buf_add_text(&page->body, "\nfailed:");
    admin_add_failed(&status, &page->body);
    buf_add_text(&page->body, " (docs/DOCTOR.md)\n");
}

static void metrics(const struct admin_options *in, struct admin_page *page)
{
    page->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(in->metrics, &page->body);
}

static void status(const struct admin_options *in, struct admin_page *page)
{
    struct status status;
    status_cell_get(in->status, &status);
    page->content_type = "application/json";
    admin_status_json(&status, &page->body);
}

static const char json[] = "application/json";

static void readyz_json(const struct admin_options *in, struct admin_page *page)
{
    struct status status;
    status_cell_get(in->status, &status);
    page->status = status.ready ? 200 : 503;
    page->content_type = json;
    struct json_writer w = json_writer(&page->body);
    json_write_begin_object(&w);
    json_write_member_bool(&w, "ready", status.ready);
    json_write_name(&w, "checks");
    admin_write_checks(&w, &status);
    json_write_end_object(&w);
    buf_add_char(&page->body, '\n');
}

static void metrics_json(const struct admin_options *in, struct admin_page *page)
{
    page->content_type = json;
    metrics_write_json(in->metrics, &page->body);
}

/* Some 30 kilobytes, for as long as a page is made. */
static struct recent_lists *copy_lists(const struct admin_options *in)
{
    struct recent_lists *lists = calloc(1, sizeof *lists);
    if (lists == NULL)
        abort();
    if (in->recent != NULL)
        recent_copy(in->recent, lists);
    return lists;
}

static void events(const struct admin_options *in, struct admin_page *page)
{
    struct recent_lists *lists = copy_lists(in);
    page->content_type = json;
    admin_events_json(lists, &page->body);
    free(lists);
}

static void history(const struct admin_options *in, struct admin_page *page)
{
    struct recent_lists *lists = copy_lists(in);
    struct log_kept kept[LOG_RING_ENTRIES];
    uint32_t count = in->problems != NULL ? log_ring_copy(in->problems, kept) : 0;
    page->content_type = json;
    admin_history_json(lists, kept, count, &page->body);
    free(lists);
}

static void config(const struct admin_options *in, struct admin_page *page)
{
    if (in->recent != NULL)
        recent_copy_config(in->recent, &page->body);
}

static const struct {
    const char *path;
    void (*fill)(const struct admin_options *in, struct admin_page *page);
} pages[] = {{"/healthz", healthz},
             {"/readyz", readyz},
             {"/metrics", metrics},
             {"/readyz.json", readyz_json},
             {"/metrics.json", metrics_json},
             {"/status", status},
             {"/events", events},
             {"/history", history},
             {"/config", config}};

void admin_page(const char *path, const struct admin_options *from, struct admin_page *page)
{
    assert(path != NULL && from->status != NULL);
    assert(page != NULL);
    struct admin_file file;
    *page = (struct admin_page){.status = 200, .content_type = text_plain, .body = BUF_EMPTY};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(path, pages[i].path) == 0) {
            pages[i].fill(from, page);
            return;
        }
    }
    if (admin_file(path, &file) != NULL) {
        page->content_type = file.content_type;
        buf_add(&page->body, file.bytes);
        return;
    }
    page->status = 404;
    buf_add_text(&page->body,
                 "there are / for people, and /healthz, /readyz, /metrics, /status, "
                 "/readyz.json, /metrics.json, /events, /history, /config and /reload\n");
}
