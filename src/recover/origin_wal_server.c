/* recover/origin_wal_server: what `doctor` makes of the settings of the source server, and of its
 * clock. All of it is asked once. A relay that polls has no slot, and what slots want is passed
 * over. */
#include "recover/checks_internal.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Below this a relay that is away for lunch loses its slot. */
#define WAL_LIMIT_MIN_MB 1024
#define WAL_LIMIT_MEND "32GB"
/* A relay tells where it stands long before; a pause of a machine, or of a network, takes seconds.
 */
#define SENDER_TIMEOUT_MIN_MS 10000
/* One for the relay, one while another instance takes its place. */
#define SENDERS_WANTED 2
#define SKEW_MAX_US (2 * US_PER_S)

/* idle_replication_slot_timeout is of 18 and later, in seconds. */
static const char settings_sql[] =
    "SELECT current_setting('wal_level'), current_setting('max_replication_slots'), "
    "(SELECT count(*) FROM pg_catalog.pg_replication_slots), current_setting('max_wal_senders'), "
    "(SELECT count(*) FROM pg_catalog.pg_stat_replication), "
    "(SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'), "
    "(SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'), "
    "(SELECT setting FROM pg_catalog.pg_settings WHERE name = 'idle_replication_slot_timeout'), "
    "current_setting('synchronous_standby_names'), "
    "(SELECT string_agg(DISTINCT quote_ident(application_name), ', ') "
    "FROM pg_catalog.pg_stat_replication WHERE application_name NOT LIKE 'walferry:%' "
    "AND application_name <> ''), "
    "pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'), "
    "(SELECT string_agg(slot_name::text, ', ') FROM pg_catalog.pg_replication_slots "
    "WHERE NOT active)";

enum setting {
    WAL_LEVEL,
    SLOTS_MAX,
    SLOTS_USED,
    SENDERS_MAX,
    SENDERS_USED,
    WAL_LIMIT,
    SENDER_TIMEOUT,
    SLOT_TIMEOUT,
    SYNCHRONOUS,
    STANDBYS,
    SEES_STANDBYS,
    IDLE_SLOTS
};

static int64_t number(const struct pg_result *r, enum setting column)
{
    struct span cell = pg_result_cell(r, 0, (int)column);
    return cell.ptr != NULL ? strtoll(cell.ptr, NULL, 10) : 0;
}

static void text(const struct pg_result *r, enum setting column, char *out, size_t size)
{
    struct span cell = pg_result_cell(r, 0, (int)column);
    snprintf(out, size, "%.*s", SPAN_ARG(cell));
}

/* 1: they are known; 0: there is no slot, and `id` is passed over; -1: they could not be had. */
static int settings_of(struct checking *c, enum check_id id, struct error *err)
{
    struct wal_settings *s = &c->settings;
    if (c->o->config->source.mode != SOURCE_WAL) {
        checking_passes_over(c, id);
        return 0;
    }
    if (s->known)
        return 1;
    struct pg_result *r = NULL;
    if (pg_query(c->ends.r.origin->sql, settings_sql, 0, NULL, &r, err) < 0 ||
        wal_look_at_slot(c->ends.r.origin->sql, c->o->config->source.slot.text, &c->sight, err) <
            0) {
        pg_result_free(r);
        return -1;
    }
    *s = (struct wal_settings){.known = true,
                               .slots_max = number(r, SLOTS_MAX),
                               .slots_used = number(r, SLOTS_USED),
                               .senders_max = number(r, SENDERS_MAX),
                               .senders_used = number(r, SENDERS_USED),
                               .wal_limit_mb = number(r, WAL_LIMIT),
                               .sender_timeout_ms = number(r, SENDER_TIMEOUT),
                               .slot_timeout_s = number(r, SLOT_TIMEOUT),
                               .sees_standbys = pg_result_true(r, 0, SEES_STANDBYS)};
    text(r, WAL_LEVEL, s->wal_level, sizeof s->wal_level);
    text(r, SYNCHRONOUS, s->synchronous, sizeof s->synchronous);
    text(r, STANDBYS, s->standbys, sizeof s->standbys);
    text(r, IDLE_SLOTS, s->idle_slots, sizeof s->idle_slots);
    pg_result_free(r);
    return 1;
}

int doctor_wal_level(struct checking *c, struct error *err)
{
    int known = settings_of(c, CHECK_WAL_LEVEL, err);
    if (known <= 0)
        return known;
    if (strcmp(c->settings.wal_level, "logical") == 0)
        return 0;
    error_stop(err, REASON_FINDING, "wal_level is %s, and no logical slot can be had",
               c->settings.wal_level);
    error_hint(err, "as a superuser, then restart the server");
    return error_mend_sql(err, "ALTER SYSTEM SET wal_level = 'logical';");
}

int doctor_free_slot(struct checking *c, struct error *err)
{
    int known = settings_of(c, CHECK_FREE_SLOT, err);
    const struct wal_settings *s = &c->settings;
    if (known <= 0)
        return known;
    checking_say(c, CHECK_FREE_SLOT, "%" PRId64 " of %" PRId64 " replication slots are in use",
                 s->slots_used, s->slots_max);
    if (c->sight.present || s->slots_used < s->slots_max)
        return 0;
    error_stop(err, REASON_FINDING,
               "all %" PRId64 " replication slots are in use, and the relay has none yet%s%s",
               s->slots_max, s->idle_slots[0] != '\0' ? "; nobody reads " : "", s->idle_slots);
    error_hint(err, "drop one that nobody needs; or, as a superuser, then restart the server");
    return error_mend_sql(err, "ALTER SYSTEM SET max_replication_slots = %" PRId64 ";",
                          s->slots_max + 5);
}

int doctor_free_sender(struct checking *c, struct error *err)
{
    int known = settings_of(c, CHECK_FREE_SENDER, err);
    const struct wal_settings *s = &c->settings;
    if (known <= 0)
        return known;
    int64_t wanted = SENDERS_WANTED - (c->sight.active ? 1 : 0);
    checking_say(c, CHECK_FREE_SENDER, "%" PRId64 " of %" PRId64 " walsenders are in use",
                 s->senders_used, s->senders_max);
    if (s->senders_max - s->senders_used >= wanted)
        return 0;
    error_stop(err, REASON_FINDING,
               "%" PRId64 " of %" PRId64 " walsenders are in use: a relay wants one, and another "
               "one while an instance takes its place",
               s->senders_used, s->senders_max);
    error_hint(err, "as a superuser, then restart the server");
    return error_mend_sql(err, "ALTER SYSTEM SET max_wal_senders = %" PRId64 ";",
                          s->senders_used + wanted + 5);
}

int doctor_wal_limit(struct checking *c, struct error *err)
{
    int known = settings_of(c, CHECK_WAL_LIMIT, err);
    int64_t limit_mb = c->settings.wal_limit_mb;
    char size[24];
    if (known <= 0)
        return known;
    doctor_bytes(limit_mb * 1024 * 1024, size);
    checking_say(c, CHECK_WAL_LIMIT, "a slot may keep %s", size);
    if (limit_mb >= WAL_LIMIT_MIN_MB)
        return 0;
    if (limit_mb < 0)
        error_stop(err, REASON_FINDING,
                   "max_slot_wal_keep_size is -1: while the relay or Kafka is away, the slot keeps "
                   "WAL until the disk of the server is full");
    else
        error_stop(err, REASON_FINDING,
                   "max_slot_wal_keep_size is %s: the slot is lost, and events with it, once the "
                   "relay or Kafka has been away for that much WAL",
                   size);
    return doctor_mend_setting(err, "max_slot_wal_keep_size", WAL_LIMIT_MEND);
}

int doctor_sender_timeout(struct checking *c, struct error *err)
{
    int known = settings_of(c, CHECK_SENDER_TIMEOUT, err);
    int64_t timeout_ms = c->settings.sender_timeout_ms;
    if (known <= 0)
        return known;
    checking_say(c, CHECK_SENDER_TIMEOUT, "wal_sender_timeout is %" PRId64 " s", timeout_ms / 1000);
    if (timeout_ms >= SENDER_TIMEOUT_MIN_MS)
        return 0;
    if (timeout_ms == 0)
        error_stop(err, REASON_FINDING,
                   "wal_sender_timeout is 0: the server never notices that a relay is gone without "
                   "a word, and its slot stays in use");
    else
        error_stop(err, REASON_FINDING,
                   "wal_sender_timeout is %" PRId64 " ms: a short pause of the relay ends the "
                   "stream",
                   timeout_ms);
    return doctor_mend_setting(err, "wal_sender_timeout", "60s");
}

int doctor_slot_timeout(struct checking *c, struct error *err)
{
    int known = settings_of(c, CHECK_SLOT_TIMEOUT, err);
    if (known <= 0)
        return known;
    if (c->settings.slot_timeout_s == 0)
        return 0;
    error_stop(err, REASON_FINDING,
               "idle_replication_slot_timeout is %" PRId64 " s: a relay that is away for so long "
               "loses its slot, and events with it",
               c->settings.slot_timeout_s);
    return doctor_mend_setting(err, "idle_replication_slot_timeout", "0");
}

/* ---- synchronous_standby_names ---- */

/* The setting without the relay. */
struct standbys {
    struct buf names; /* as a list */
    int64_t count;
    bool us;  /* the relay was among them, by its name or by * */
    bool all; /* by * */
};

/* Up to the next comma, or to the end of the brackets; both may stand in quotes. */
static struct span next_name(const char **at)
{
    const char *end = *at += strspn(*at, ", \t");
    for (bool quoted = false; *end != '\0' && (quoted || strchr(",)", *end) == NULL); end++)
        quoted ^= *end == '"';
    struct span name = {*at, (size_t)(end - *at)};
    while (name.len > 0 && strchr(" \t", name.ptr[name.len - 1]) != NULL)
        name.len--;
    *at = end;
    return name;
}

static struct span unquoted(struct span name)
{
    bool quoted = name.len >= 2 && name.ptr[0] == '"' && name.ptr[name.len - 1] == '"';
    return quoted ? (struct span){name.ptr + 1, name.len - 2} : name;
}

/* Names are compared without case (PostgreSQL, syncrep.c, SyncRepGetStandbyPriority). */
static bool is_name(struct span name, const char *application)
{
    name = unquoted(name);
    return name.len == strlen(application) && strncasecmp(name.ptr, application, name.len) == 0;
}

static bool is_listed(struct standbys *s, struct span name)
{
    const char *at = buf_text(&s->names);
    struct span one;
    while ((one = next_name(&at)).len > 0)
        if (span_equal(unquoted(one), unquoted(name)))
            return true;
    return false;
}

static void add_names(struct standbys *s, const char *at, const char *application)
{
    struct span name;
    while ((name = next_name(&at)).len > 0) {
        bool all = span_equal_text(unquoted(name), "*");
        s->all |= all;
        s->us |= all || is_name(name, application);
        if (all || is_name(name, application) || is_listed(s, name))
            continue;
        buf_add_text(&s->names, s->count++ > 0 ? ", " : "");
        buf_add(&s->names, name);
    }
}

/* "a, b", "2 (a, b)", "FIRST 2 (a, b)", "ANY 2 (a, b)": no more are waited for than there are. */
static int mend_synchronous(struct standbys *s, const char *setting, const char *open,
                            struct error *err)
{
    struct buf value = BUF_EMPTY, quoted = BUF_EMPTY;
    size_t method = strcspn(setting, "0123456789");
    int64_t wanted = strtoll(setting + method, NULL, 10);
    if (open != NULL && s->count > 0)
        buf_add_format(&value, "%.*s%" PRId64 " (", (int)method, setting,
                       wanted < s->count ? wanted : s->count);
    buf_add(&value, buf_span(&s->names));
    buf_add_text(&value, open != NULL && s->count > 0 ? ")" : "");
    pg_quote_literal(&quoted, buf_span(&value));
    error_hint(err, s->count > 0 ? "as a superuser"
                                 : "no standby is connected, so that no commit waits any more "
                                   "then; as a superuser");
    error_mend_sql(err, "ALTER SYSTEM SET synchronous_standby_names = %s; SELECT pg_reload_conf();",
                   buf_text(&quoted));
    buf_fini(&value);
    buf_fini(&quoted);
    return -1;
}

int doctor_synchronous(struct checking *c, struct error *err)
{
    int known = settings_of(c, CHECK_SYNCHRONOUS, err);
    const struct wal_settings *settings = &c->settings;
    if (known <= 0)
        return known;
    char application[64];
    snprintf(application, sizeof application, "walferry:%s", c->o->config->name.text);
    const char *text = settings->synchronous, *open = text + strcspn(text, "(\"*,");
    open = *open == '(' ? open : NULL;
    struct standbys standbys = {.names = BUF_EMPTY};
    add_names(&standbys, open != NULL ? open + 1 : text, application);
    if (standbys.us) {
        error_stop(err, REASON_FINDING,
                   "synchronous_standby_names is %.200s, which takes the relay (%s) for a standby: "
                   "commits wait for Kafka",
                   text, application);
        if (standbys.all)
            add_names(&standbys, settings->standbys, application);
        if (standbys.all && !settings->sees_standbys)
            error_hint(err, "as a superuser, name in it the standbys that commits are to wait for; "
                            "the relay's role does not see their names (pg_stat_replication)");
        else
            (void)mend_synchronous(&standbys, text, open, err);
    }
    buf_fini(&standbys.names);
    return standbys.us ? -1 : 0;
}

/* ---- The clock ---- */

int doctor_clock_database(struct checking *c, struct error *err)
{
    struct pg_result *r = NULL;
    int64_t before_us = clock_wall_us();
    if (pg_query(c->ends.r.origin->sql,
                 "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", 0, NULL, &r,
                 err) < 0)
        return -1;
    int64_t after_us = clock_wall_us();
    int64_t ahead_us = number(r, WAL_LEVEL) - (before_us + after_us) / 2;
    pg_result_free(r);
    int64_t skew_us = ahead_us < 0 ? -ahead_us : ahead_us;
    checking_say(c, CHECK_CLOCK_DATABASE,
                 "the clock of the database is within %" PRId64 " ms of ours",
                 skew_us / 1000 + (after_us - before_us) / 2000);
    if (skew_us <= SKEW_MAX_US + (after_us - before_us) / 2)
        return 0;
    error_stop(err, REASON_FINDING,
               "the clock of the database is %.1f s %s ours: walferry_visible_seconds and the "
               "times of events are wrong by that",
               (double)skew_us / (double)US_PER_S, ahead_us < 0 ? "behind" : "ahead of");
    return doctor_mend_clock(err);
}
