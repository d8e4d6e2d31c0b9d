/* cli/cli_top_view: one function a section, from the most to the least urgent, since what comes
 * last is what a small terminal has no line for. */
#include "cli/cli_top_view.h"

#include "base/clock.h"
#include "base/time.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define POINTS_MAX 60
#define ROUTES_MAX 64
/* So many lines are kept for errors, whatever number of routes there is. */
#define PROBLEM_LINES 4

enum style { PLAIN, TITLE, GOOD, WARN, BAD, DIM };

struct view {
    const struct top_data *d;
    const struct top_screen *screen;
    struct buf *out;
    int row;
};

/* ---- Lines ---- */

static bool has_room(const struct view *v, int lines)
{
    return v->screen->rows == 0 || v->row + lines <= v->screen->rows;
}

/* How many bytes the character at `at` has; *columns: how many cells, 0 where it is not shown. */
static size_t measure(const char *at, const char *end, int *columns)
{
    unsigned char first = (unsigned char)*at;
    size_t length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (length > (size_t)(end - at))
        length = (size_t)(end - at);
    bool control = first < 0x20 || first == 0x7f || (first >= 0x80 && first < 0xC0) ||
                   (first == 0xC2 && length == 2 && (unsigned char)at[1] < 0xA0);
    *columns = control                                                            ? 0
               : first >= 0xE3 && !(first == 0xE3 && (unsigned char)at[1] < 0x80) ? 2
                                                                                  : 1;
    return length;
}

static void add_clipped(const struct view *v, struct span text)
{
    int left = v->screen->columns;
    const char *end = text.ptr + text.len;
    for (const char *at = text.ptr; at < end;) {
        int columns;
        size_t length = measure(at, end, &columns);
        if (columns == 0)
            buf_add_char(v->out, left-- > 0 ? '?' : ' ');
        else if ((left -= columns) >= 0 && (v->screen->utf8 || length == 1))
            buf_add(v->out, (struct span){at, length});
        else if (left >= 0)
            buf_add_text(v->out, columns == 2 ? "??" : "?");
        if (left <= 0)
            break;
        at += length;
    }
}

__attribute__((format(printf, 3, 4))) static void line(struct view *v, enum style style,
                                                       const char *format, ...)
{
    static const char *const begin[] = {"",         "\x1b[1m",    "\x1b[32m",
                                        "\x1b[33m", "\x1b[1;31m", "\x1b[2m"};
    if (!has_room(v, 1))
        return;
    v->row++;
    struct buf text = BUF_EMPTY;
    char fixed[2048];
    va_list values;
    va_start(values, format);
    vsnprintf(fixed, sizeof fixed, format, values);
    va_end(values);
    buf_add_text(&text, fixed);
    bool coloured = v->screen->colours && style != PLAIN;
    if (coloured)
        buf_add_text(v->out, begin[style]);
    add_clipped(v, buf_span(&text));
    if (coloured)
        buf_add_text(v->out, "\x1b[0m");
    buf_add_char(v->out, '\n');
    buf_fini(&text);
}

/* ---- Numbers ---- */

#define NUMBER_MAX 32

static const char *bytes(double number, char text[NUMBER_MAX])
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    size_t unit = 0;
    for (; number >= 1000 && unit < 4; unit++)
        number /= 1024;
    snprintf(text, NUMBER_MAX, number < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", number,
             units[unit]);
    return text;
}

static const char *known_bytes(const struct json_tree *of, const char *name, char text[NUMBER_MAX])
{
    uint64_t number;
    return json_tree_member_u64(of, name, &number) ? bytes((double)number, text) : "-";
}

static const char *short_time(double seconds, char text[NUMBER_MAX])
{
    if (seconds < 90)
        snprintf(text, NUMBER_MAX, "%.0f s", seconds < 0 ? 0 : seconds);
    else if (seconds < 5400)
        snprintf(text, NUMBER_MAX, "%.0f min", seconds / 60);
    else if (seconds < 172800)
        snprintf(text, NUMBER_MAX, "%.0f h", seconds / 3600);
    else
        snprintf(text, NUMBER_MAX, "%.0f days", seconds / 86400);
    return text;
}

static const char *text_of(const struct json_tree *of, const char *name, const char *otherwise)
{
    struct span text;
    return json_tree_member_string(of, name, &text) ? text.ptr : otherwise;
}

/* How long ago a time of the relay is; -1: never, or not known. */
static double ago(const struct view *v, const struct json_tree *of, const char *name)
{
    int64_t at_us;
    struct span text;
    if (!json_tree_member_string(of, name, &text) || !time_parse(text, &at_us))
        return -1;
    return (double)(v->d->wall_us - at_us) / US_PER_S;
}

/* A number, or the sum of those of all labels. */
static bool total(const struct json_tree *metrics, const char *name, const char *label, double *sum)
{
    const struct json_tree *node = json_tree_member(metrics, name);
    uint64_t one;
    *sum = 0;
    if (label != NULL)
        node = json_tree_member(node, label);
    if (json_tree_u64(node, &one)) {
        *sum = (double)one;
        return true;
    }
    for (size_t i = 0; i < json_tree_count(node); i++)
        if (json_tree_member_u64(node, json_tree_name_at(node, i), &one))
            *sum += (double)one;
    return json_tree_kind(node) == JSON_TREE_OBJECT;
}

static bool rate(const struct view *v, const char *name, const char *label, double *a_second)
{
    double before, now;
    if (v->d->between_us <= 0 || !total(v->d->before, name, label, &before) ||
        !total(v->d->metrics, name, label, &now) || now < before)
        return false;
    *a_second = (now - before) * US_PER_S / (double)v->d->between_us;
    return true;
}

static const char *rate_text(const struct view *v, const char *name, const char *label,
                             char text[NUMBER_MAX])
{
    double a_second;
    if (!rate(v, name, label, &a_second))
        return "-";
    snprintf(text, NUMBER_MAX, a_second < 10 && a_second > 0 ? "%.1f" : "%.0f", a_second);
    return text;
}

/* ---- Charts ---- */

struct points {
    size_t count;
    double at[POINTS_MAX];
};

enum series { SERIES_LAG, SERIES_EVENTS, SERIES_VISIBLE };

static bool point(const struct json_tree *before, const struct json_tree *now, enum series series,
                  double *value)
{
    static const char *const counts[] = {"", "events", "visible_us"};
    static const char *const over[] = {"", "at_ms", "visible_count"};
    uint64_t a, b, x, y;
    if (series == SERIES_LAG && json_tree_member_u64(now, "lag_bytes", &a)) {
        *value = (double)a;
        return true;
    }
    if (series == SERIES_LAG || before == NULL ||
        !json_tree_member_u64(before, counts[series], &a) ||
        !json_tree_member_u64(now, counts[series], &b) ||
        !json_tree_member_u64(before, over[series], &x) ||
        !json_tree_member_u64(now, over[series], &y) || b < a || y <= x)
        return false;
    /* Events a millisecond, or microseconds an event: both are a thousandth of what is shown. */
    *value = (double)(b - a) / (double)(y - x) * (series == SERIES_EVENTS ? 1000 : 0.001);
    return true;
}

static void collect(const struct view *v, enum series series, size_t max, struct points *points)
{
    const struct json_tree *samples = json_tree_member(v->d->history, "samples");
    size_t count = json_tree_count(samples);
    points->count = 0;
    for (size_t i = count > max ? count - max : 0; i < count; i++) {
        const struct json_tree *before = i > 0 ? json_tree_at(samples, i - 1) : NULL;
        double value = 0;
        if (!point(before, json_tree_at(samples, i), series, &value) && series == SERIES_LAG)
            continue;
        points->at[points->count++] = value;
    }
}

static const char *spark(const struct view *v, const struct points *points,
                         char text[POINTS_MAX * 3 + 1])
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    double highest = 0;
    size_t used = 0;
    for (size_t i = 0; i < points->count; i++)
        highest = points->at[i] > highest ? points->at[i] : highest;
    for (size_t i = 0; i < points->count; i++) {
        size_t level = highest > 0 ? (size_t)(points->at[i] / highest * 7 + 0.5) : 0;
        const char *mark = (v->screen->utf8 ? blocks : ascii)[level];
        memcpy(text + used, mark, strlen(mark));
        used += strlen(mark);
    }
    text[used] = '\0';
    return text;
}

static void chart(struct view *v, const char *title, enum series series, const char *now)
{
    struct points points;
    char drawn[POINTS_MAX * 3 + 1], head[64];
    int room = v->screen->columns - 32;
    collect(v, series, room < 10 ? 10 : room > POINTS_MAX ? POINTS_MAX : (size_t)room, &points);
    snprintf(head, sizeof head, "%-16s%-13s", title, now);
    line(v, PLAIN, "  %s %s", head, spark(v, &points, drawn));
}

/* ---- Sections ---- */

static void head(struct view *v)
{
    const struct json_tree *s = v->d->status;
    char since[NUMBER_MAX], clock[TIME_TEXT_MAX];
    bool ready = false;
    json_tree_member_bool(s, "ready", &ready);
    line(v, TITLE, "walferry top  %s  %.8s UTC", text_of(s, "relay", ""),
         time_format(v->d->wall_us, 3, clock) + 11);
    if (v->d->away != NULL)
        line(v, BAD, "AWAY: %s", v->d->away);
    if (s == NULL)
        return;
    double seconds = ago(v, s, "since");
    line(v,
         v->d->away != NULL ? DIM
         : ready            ? GOOD
                            : BAD,
         "%s, %s%s%s", ready ? "READY" : "NOT READY", text_of(s, "state", "-"),
         seconds < 0 ? "" : " for ", seconds < 0 ? "" : short_time(seconds, since));
}

/* Those that pass share a line. */
static void checks(struct view *v)
{
    const struct json_tree *all = json_tree_member(v->d->status, "checks");
    char passed[512] = "";
    for (size_t i = 0; i < json_tree_count(all); i++) {
        const struct json_tree *check = json_tree_at(all, i);
        bool ok = false;
        json_tree_member_bool(check, "ok", &ok);
        const char *name = text_of(check, "name", "-");
        size_t used = strlen(passed);
        if (!ok)
            line(v, BAD, "  FAILS %s: %s", name, text_of(check, "text", ""));
        else
            snprintf(passed + used, sizeof passed - used, "%s%s", used > 0 ? ", " : "", name);
    }
    if (passed[0] != '\0')
        line(v, DIM, "  passes: %s", passed);
}

static void pipeline(struct view *v)
{
    char a[NUMBER_MAX], b[NUMBER_MAX], c[NUMBER_MAX], d[NUMBER_MAX], e[NUMBER_MAX];
    double a_second;
    uint64_t flight = 0;
    json_tree_member_u64(v->d->metrics, "walferry_batches_in_flight", &flight);
    const char *volume =
        rate(v, "walferry_event_bytes_total", NULL, &a_second) ? bytes(a_second, d) : "-";
    const char *events = rate_text(v, "walferry_events_total", NULL, b);
    line(v, TITLE, "Source to topics, a second");
    line(v, PLAIN,
         "  PostgreSQL %s txn -> %s events -> Kafka %s txn, %s; %" PRIu64 " batches in flight",
         rate_text(v, "walferry_transactions_total", "postgres", a), events,
         rate_text(v, "walferry_transactions_total", "kafka", c), volume, flight);
    chart(v, "events a second", SERIES_EVENTS, events);
    chart(v, "lag", SERIES_LAG, known_bytes(v->d->status, "slot_lag_bytes", e));
    struct points last;
    char visible[NUMBER_MAX] = "-";
    collect(v, SERIES_VISIBLE, 1, &last);
    if (last.count > 0 && last.at[0] > 0)
        snprintf(visible, sizeof visible, "%.1f ms", last.at[0]);
    chart(v, "visible after", SERIES_VISIBLE, visible);
}

static void slot(struct view *v)
{
    const struct json_tree *s = v->d->status;
    char a[NUMBER_MAX], b[NUMBER_MAX], c[NUMBER_MAX], d[NUMBER_MAX];
    const char *risk = text_of(s, "slot_risk", "-");
    uint64_t left, epochs = 0, generation = 0, letters = 0;
    double committed = ago(v, s, "last_commit_at");
    line(v, TITLE, "Slot and progress");
    line(v, strcmp(risk, "none") == 0 || risk[0] == '-' ? PLAIN : BAD,
         "  %s: %s, risk %s, retains %s, room %s%s%s", text_of(s, "slot", "-"),
         text_of(s, "slot_wal_status", "-"), risk, known_bytes(s, "slot_retained_bytes", a),
         known_bytes(s, "slot_room_bytes", b),
         json_tree_member_u64(s, "slot_seconds_left", &left) ? ", lost in " : "",
         json_tree_member_u64(s, "slot_seconds_left", &left) ? short_time((double)left, c) : "");
    line(v, PLAIN, "  position %s, confirmed %s, committed %s%s", text_of(s, "position", "-"),
         text_of(s, "confirmed_lsn", "-"), committed < 0 ? "never" : short_time(committed, d),
         committed < 0 ? "" : " ago");
    json_tree_member_u64(s, "epochs", &epochs);
    json_tree_member_u64(s, "generation", &generation);
    json_tree_member_u64(s, "dead_letters", &letters);
    line(v, PLAIN,
         "  epoch %" PRIu64 " of this process, generation %" PRIu64 ", %" PRIu64 " dead letters%s",
         epochs, generation, letters, letters > 0 ? ": walferry dead-letter list" : "");
}

static size_t problem_lines(const struct view *v)
{
    size_t count = json_tree_count(json_tree_member(v->d->history, "problems"));
    return 1 + (count == 0 ? 1 : count < PROBLEM_LINES ? count : PROBLEM_LINES);
}

static void routes(struct view *v)
{
    const struct json_tree *all = json_tree_member(v->d->metrics, "walferry_events_total");
    size_t count = json_tree_count(all);
    line(v, TITLE, "%-24s%12s%14s%12s%12s", "Routes", "events/s", "events", "bytes", "skipped");
    for (size_t i = 0; i < count; i++) {
        char a[NUMBER_MAX], b[NUMBER_MAX];
        double events, volume, skipped;
        const char *name = json_tree_name_at(all, i);
        if (!has_room(v, (int)problem_lines(v) + 1 + (i + 1 < count)) && i + 1 < count) {
            line(v, DIM, "  and %zu more: a taller terminal has room for them", count - i);
            return;
        }
        total(v->d->metrics, "walferry_events_total", name, &events);
        total(v->d->metrics, "walferry_event_bytes_total", name, &volume);
        total(v->d->metrics, "walferry_skipped_total", name, &skipped);
        line(v, skipped > 0 ? WARN : PLAIN, "  %-22.22s%12s%14.0f%12s%12.0f", name,
             rate_text(v, "walferry_events_total", name, a), events, bytes(volume, b), skipped);
    }
}

static void problems(struct view *v)
{
    const struct json_tree *all = json_tree_member(v->d->history, "problems");
    const struct json_tree *last = json_tree_member(v->d->status, "last_error");
    line(v, TITLE, "Recent errors");
    for (size_t i = 0; i < json_tree_count(all); i++) {
        const struct json_tree *one = json_tree_at(all, i);
        uint64_t times = 1;
        const char *reason = text_of(one, "reason", "");
        char a[NUMBER_MAX], often[NUMBER_MAX] = "";
        json_tree_member_u64(one, "times", &times);
        if (times > 1)
            snprintf(often, sizeof often, ", %" PRIu64 " times", times);
        line(v, strcmp(text_of(one, "level", ""), "error") == 0 ? BAD : WARN,
             "  %s ago%s  %s%s%s%s: %s", short_time(ago(v, one, "last_at"), a), often,
             text_of(one, "event", "-"), reason[0] != '\0' ? " (" : "", reason,
             reason[0] != '\0' ? ")" : "", text_of(one, "text", ""));
    }
    if (json_tree_count(all) > 0)
        return;
    if (json_tree_kind(last) == JSON_TREE_OBJECT)
        line(v, WARN, "  %s: %s", text_of(last, "reason", "-"), text_of(last, "text", ""));
    else
        line(v, DIM, "  none");
}

void top_view(const struct top_data *data, const struct top_screen *screen, struct buf *out)
{
    assert(data != NULL && screen != NULL);
    assert(out != NULL && screen->columns > 0);
    struct view v = {.d = data, .screen = screen, .out = out};
    head(&v);
    if (data->status == NULL)
        return;
    checks(&v);
    pipeline(&v);
    slot(&v);
    routes(&v);
    problems(&v);
}
