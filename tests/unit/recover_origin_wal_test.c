/* recover/origin_wal: a slot from nothing to gone through the table of functions, against a server
 * of the test's own: made, looked at, held, freed, replaced, removed, and what is said of it. */
#include "recover/recover.h"

#include "base/clock.h"
#include "private_postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_contains.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct private_postgres server;

struct fixture {
    struct config_relay config;
    struct log log;
    struct buf out;
    struct origin *origin; /* a command's */
    struct found found;
    struct error err;
};

static struct origin *open_origin(struct fixture *f, enum origin_session session,
                                  const char *application)
{
    const struct origin_options options = {.config = &f->config,
                                           .log = &f->log,
                                           .session = session,
                                           .application = application,
                                           .out = &f->out};
    struct origin *origin = origin_open(&options);
    if (origin_connect(origin, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return origin;
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.out = BUF_EMPTY};
    f.config.name.text = "orders";
    f.config.source.slot.text = "walferry_orders";
    f.config.source.publication.text = "pub";
    f.config.source.connection.text = private_postgres_dsn(&server, "relay", "");
    f.config.delivery.progress_topic.text = "walferry.orders.progress";
    snprintf(f.config.hash, sizeof f.config.hash, "0123456789abcdef");
    f.log = (struct log){.level = LOG_DEBUG, .fd = memfd_create("log", MFD_CLOEXEC)};
    f.origin = open_origin(&f, ORIGIN_SQL, "walferry:orders:command");
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    origin_close(f->origin);
    private_postgres_sql(&server, "SELECT pg_drop_replication_slot(slot_name) "
                                  "FROM pg_replication_slots");
    buf_fini(&f->out);
    close(f->log.fd);
    return 0;
}

static void look(struct fixture *f)
{
    if (origin_identify(f->origin, &f->found.system, &f->err) < 0 ||
        origin_look(f->origin, &f->found.origin, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static uint64_t prepared(struct fixture *f, enum origin_wish wish)
{
    uint64_t place = 0;
    if (origin_prepare(f->origin, wish, &f->found, &place, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return place;
}

static void said(struct fixture *f, const char *line)
{
    assert_string_equal(buf_text(&f->out), line);
    buf_reset(&f->out);
}

/* A relay that has come to where the slot stands. */
static void record(struct fixture *f, uint64_t lsn)
{
    struct progress first;
    command_first_record(&f->config, f->origin, &f->found, false, &first);
    first.position.lsn = lsn;
    f->found.progress = first;
    f->found.have_progress = true;
}

/* ---- Tests ---- */

static void it_has_a_name_before_anybody_is_asked(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(f->origin->name, "slot walferry_orders");
    assert_string_equal(f->origin->label, "walferry_orders");
    look(f);
    assert_false(f->found.origin.present);
    assert_true(f->found.origin.current_lsn > 0);
    assert_int_equal(origin_judge(f->origin, ORIGIN_MAY_GO_ON, &f->found, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "not_set_up");
    assert_int_equal(origin_judge(f->origin, ORIGIN_MAY_BEGIN, &f->found, &f->err), 0);
}

/* From where it was written down first, whoever signs later; what else is listed there stays. */
static void signs_its_publication(struct fixture *f, uint64_t place)
{
    struct progress p = f->found.progress;
    assert_int_equal(p.publication_count, 0); /* there was no position yet */
    f->origin->ops->sign(f->origin, &p);
    assert_int_equal(p.publication_count, 1);
    assert_string_equal(p.publications[0].name, "pub");
    assert_int_equal(p.publications[0].from, place);
    p.position.lsn++;
    p.publication_count = 2;
    snprintf(p.publications[1].name, sizeof p.publications[1].name, "pub_changes");
    f->origin->ops->sign(f->origin, &p);
    assert_int_equal(p.publication_count, 2);
    assert_int_equal(p.publications[0].from, place);
    snprintf(p.publications[0].name, sizeof p.publications[0].name, "another");
    f->origin->ops->sign(f->origin, &p);
    assert_int_equal(p.publication_count, 1);
    assert_string_equal(p.publications[0].name, "pub");
    assert_int_equal(p.publications[0].from, place + 1);
}

static void a_first_one_is_made_and_a_relay_may_go_on_from_it(void **state)
{
    struct fixture *f = *state;
    look(f);
    uint64_t place = prepared(f, ORIGIN_FIRST);
    said(f, "slot walferry_orders: created\n");
    look(f);
    assert_true(f->found.origin.present);
    assert_false(f->found.origin.lost);
    assert_false(f->found.origin.holder.present);
    assert_string_equal(f->found.origin.kind, "pgoutput");
    assert_int_equal(f->found.origin.confirmed_lsn, place);
    assert_true(f->found.origin.retained_lsn > 0 && f->found.origin.retained_lsn <= place);
    record(f, place);
    assert_true(f->origin->ops->signed_by(f->origin, &f->found.progress));
    signs_its_publication(f, place);
    assert_int_equal(origin_judge(f->origin, ORIGIN_MAY_GO_ON, &f->found, &f->err), 0);
    /* Once more it is one that is there: younger than the intent it is adopted. */
    f->found.progress.mode = PROGRESS_INTENT;
    assert_int_equal(prepared(f, ORIGIN_FIRST), place);
    said(f, "slot walferry_orders: taken over from an interrupted setup\n");
}

/* Ordinals of a transaction that is half published were counted without it. */
static void a_younger_publication_waits_for_a_whole_transaction(void **state)
{
    struct fixture *f = *state;
    f->config.source.changes.text = "pub_changes";
    look(f);
    uint64_t place = prepared(f, ORIGIN_FIRST);
    look(f);
    record(f, place);
    private_postgres_sql(&server, "CREATE PUBLICATION pub_changes");
    struct origin_options options = {.config = &f->config,
                                     .log = &f->log,
                                     .session = ORIGIN_SQL,
                                     .application = "walferry:orders:relay",
                                     .out = &f->out,
                                     .more_from = place};
    struct origin *younger = origin_open(&options);
    struct progress p = f->found.progress;
    struct found found = {.have_progress = false};
    assert_int_equal(origin_connect(younger, &f->err), 0);
    assert_int_equal(origin_look(younger, &found.origin, &f->err), 0);
    p.partial.final_lsn = place + 8;
    younger->ops->sign(younger, &p);
    assert_int_equal(p.publication_count, 1);
    p.partial.final_lsn = 0;
    younger->ops->sign(younger, &p);
    assert_int_equal(p.publication_count, 2);
    assert_string_equal(p.publications[1].name, "pub_changes");
    assert_int_equal(p.publications[1].from, place);
    origin_close(younger);
    private_postgres_sql(&server, "DROP PUBLICATION pub_changes");
}

static void it_is_replaced_and_removed(void **state)
{
    struct fixture *f = *state;
    look(f);
    uint64_t first = prepared(f, ORIGIN_FIRST);
    private_postgres_sql(&server, "SELECT pg_logical_emit_message(false, 'x', 'y')");
    buf_reset(&f->out);
    assert_true(prepared(f, ORIGIN_ANEW) > first);
    said(f, "slot walferry_orders: created\n");
    prepared(f, ORIGIN_GONE);
    said(f, "slot walferry_orders: dropped\n");
    prepared(f, ORIGIN_GONE);
    said(f, "slot walferry_orders: gone already\n");
    look(f);
    assert_false(f->found.origin.present);
    prepared(f, ORIGIN_ANEW);
    said(f, "slot walferry_orders: created\n");
}

static struct source *started(struct fixture *f, struct origin *origin)
{
    struct source *source = NULL;
    if (origin->ops->start(origin, &f->found, clock_monotonic_us(), &source, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return source;
}

static void is_held(struct fixture *f, bool held)
{
    for (int i = 0; i < 100; i++) {
        look(f);
        if (f->found.origin.holder.present == held)
            return;
        clock_sleep_us(50000);
    }
    fail_msg("it is %s", held ? "not held" : "held");
}

static bool logged(const struct fixture *f, const char *part)
{
    char text[4096] = "";
    ssize_t len = pread(f->log.fd, text, sizeof text - 1, 0);
    return len > 0 && strstr(text, part) != NULL;
}

static const char *missing(struct fixture *f)
{
    const char *name = "";
    look(f);
    if (f->origin->ops->missing(f->origin, &f->found, &name, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return name;
}

static void goes_on_from_here(struct fixture *f)
{
    look(f);
    f->found.progress.position.lsn = f->found.origin.current_lsn;
}

/* What comes behind the position was written while the publication was not there. */
static void what_cannot_be_read_is_named(void **state)
{
    struct fixture *f = *state;
    struct config_route route = {.as = ROUTE_OUTBOX, .from = {.text = "public.rows"}};
    f->config.source.changes.text = "pub_changes";
    f->config.routes.count = 1;
    f->config.routes.items = &route;
    private_postgres_sql(&server, "CREATE TABLE public.rows (id int)");
    look(f);
    record(f, prepared(f, ORIGIN_FIRST));
    assert_null(missing(f)); /* nothing has been written */
    private_postgres_sql(&server, "INSERT INTO public.rows VALUES (0)");
    goes_on_from_here(f);
    uint64_t first_lsn = f->found.progress.position.lsn;
    private_postgres_sql(&server, "INSERT INTO public.rows VALUES (1)");
    private_postgres_sql(&server, "DROP PUBLICATION pub");
    goes_on_from_here(f);
    uint64_t gap_lsn = f->found.progress.position.lsn;
    private_postgres_sql(&server, "INSERT INTO public.rows VALUES (2)");
    assert_string_equal(missing(f), "pub");
    private_postgres_sql(&server, "CREATE PUBLICATION pub FOR ALL TABLES");
    assert_string_equal(missing(f), "pub"); /* though the slot holds what can be read before */
    f->found.progress.position.lsn = first_lsn;
    assert_null(missing(f)); /* something can be, behind it, and before what cannot */
    f->found.progress.position.lsn = gap_lsn;
    goes_on_from_here(f);
    private_postgres_sql(&server, "INSERT INTO public.rows VALUES (3)");
    assert_null(missing(f)); /* though the slot holds what cannot be read before */
    f->found.progress.position.lsn = gap_lsn;
    assert_string_equal(missing(f), "pub");
    f->found.progress.position.lsn = f->found.origin.confirmed_lsn;
    assert_null(missing(f));
    /* The same of change routes, where they ask for it; nobody else does. */
    private_postgres_sql(&server, "SELECT pg_replication_slot_advance('walferry_orders', "
                                  "pg_current_wal_lsn())");
    goes_on_from_here(f);
    private_postgres_sql(&server, "INSERT INTO public.rows VALUES (4)");
    private_postgres_sql(&server, "CREATE PUBLICATION pub_changes FOR TABLE public.rows");
    struct progress *p = &f->found.progress;
    p->publication_count = 1;
    snprintf(p->publications[0].name, sizeof p->publications[0].name, "pub_changes");
    p->publications[0].from = p->position.lsn;
    route.as = ROUTE_EVENT;
    assert_string_equal(missing(f), "pub_changes");
    route.from.text = "message:orders";
    assert_null(missing(f));
    route.from.text = "public.rows";
    p->publications[0].from++;
    assert_null(missing(f));
    p->publications[0].from--;
    /* Nothing is told where somebody reads from it. */
    struct origin *holder = open_origin(f, ORIGIN_STREAM, "walferry:orders");
    p->publications[0].from++;
    struct source *source = started(f, holder);
    is_held(f, true);
    p->publications[0].from--;
    assert_null(missing(f));
    source_close(source, 0);
    origin_close(holder);
    is_held(f, false);
    assert_string_equal(missing(f), "pub_changes");
    private_postgres_sql(&server, "DROP PUBLICATION pub_changes");
    private_postgres_sql(&server, "DROP TABLE public.rows");
}

/* The holder is shown, and ended only where it is an instance of this relay. */
static void who_holds_it_is_known_and_ended(void **state)
{
    struct fixture *f = *state;
    look(f);
    record(f, prepared(f, ORIGIN_FIRST));
    struct origin *holder = open_origin(f, ORIGIN_STREAM, "walferry:orders");
    struct source *source = started(f, holder);
    assert_null(holder->sql); /* its session is the source's */
    assert_string_equal(source_report(source).name, "stream");
    assert_int_equal(source_report(source).confirmed.lsn, f->found.progress.position.lsn);
    is_held(f, true);
    assert_true(f->found.origin.holder.ours);
    assert_true(f->found.origin.holder.pid > 0);

    struct origin *next = open_origin(f, ORIGIN_STREAM, "walferry:orders");
    bool ended = false;
    assert_int_equal(next->ops->evict(next, &f->found.origin.holder, &ended, &f->err), 0);
    assert_true(ended);
    assert_true(logged(f, "slot.owner_ended"));
    is_held(f, false);
    source_close(source, 0);
    origin_close(holder);
    origin_close(next);
}

static void a_stranger_is_not_ended(void **state)
{
    struct fixture *f = *state;
    look(f);
    record(f, prepared(f, ORIGIN_FIRST));
    struct origin *stranger = open_origin(f, ORIGIN_STREAM, "walferry:payments");
    struct source *source = started(f, stranger);
    is_held(f, true);
    assert_false(f->found.origin.holder.ours);
    assert_string_equal(f->found.origin.holder.application, "walferry:payments");
    bool ended = true;
    const struct found_holder holder = f->found.origin.holder;
    assert_int_equal(f->origin->ops->evict(f->origin, &holder, &ended, &f->err), 0);
    assert_false(ended);
    source_close(source, 0);
    origin_close(stranger);
    is_held(f, false);
}

static void the_probe_says_whether_a_stream_can_be_had(void **state)
{
    struct fixture *f = *state;
    struct pg_system system;
    assert_int_equal(f->origin->ops->probe(f->origin, &system, &f->err), 0);
    assert_string_equal(system.user, "relay");
    private_postgres_sql(&server, "ALTER ROLE relay NOREPLICATION");
    assert_int_equal(f->origin->ops->probe(f->origin, &system, &f->err), -1);
    private_postgres_sql(&server, "ALTER ROLE relay REPLICATION");
    assert_int_equal(f->err.kind, ERROR_STOP);
}

static struct pg_fate fate(struct fixture *f, uint64_t xid8)
{
    struct pg_fate told;
    if (pg_transaction_fate(f->origin->sql, xid8, &told, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return told;
}

static uint64_t number_of(const char *query)
{
    return strtoull(private_postgres_ask(&server, query), NULL, 10);
}

static void what_became_of_a_transaction_is_known(void **state)
{
    struct fixture *f = *state;
    uint64_t committed = number_of("SELECT pg_current_xact_id()");
    struct pg_fate told = fate(f, committed);
    assert_int_equal(told.outcome, PG_FATE_COMMITTED);
    char query[128];
    snprintf(query, sizeof query,
             "SELECT (extract(epoch FROM pg_xact_commit_timestamp('%" PRIu64
             "'::xid)) * 1000000)::bigint",
             committed);
    assert_true(told.commit_at_us > INT64_C(1600000000000000));
    assert_int_equal(told.commit_at_us, number_of(query));
    /* A statement that fails takes its id with it. */
    private_postgres_sql(&server, "DO $$ BEGIN PERFORM pg_current_xact_id(); ROLLBACK; END $$");
    told = fate(f, committed + 1);
    assert_int_equal(told.outcome, PG_FATE_ABORTED);
    assert_int_equal(told.commit_at_us, 0);
    assert_int_equal(fate(f, committed + 2).outcome, PG_FATE_FUTURE);
    assert_int_equal(fate(f, committed + (UINT64_C(1) << 32)).outcome, PG_FATE_FUTURE);
    assert_int_equal(fate(f, committed).outcome, PG_FATE_COMMITTED); /* the session goes on */
    /* Who may not ask does not know. */
    private_postgres_sql(&server, "REVOKE EXECUTE ON FUNCTION pg_xact_status(xid8) FROM PUBLIC");
    assert_int_equal(fate(f, committed).outcome, PG_FATE_UNKNOWN);
    private_postgres_sql(&server, "GRANT EXECUTE ON FUNCTION pg_xact_status(xid8) TO PUBLIC");
}

static const char *json(struct fixture *f, const struct found_origin *origin)
{
    buf_reset(&f->out);
    struct json_writer w = json_writer(&f->out);
    json_write_begin_object(&w);
    f->origin->ops->write_json(f->origin, origin, &w);
    json_write_end_object(&w);
    return buf_text(&f->out);
}

static void status_tells_what_is_known(void **state)
{
    struct fixture *f = *state;
    f->origin->ops->write_text(f->origin, NULL, &f->out);
    said(f, "slot        walferry_orders: not known\n");
    look(f);
    f->origin->ops->write_text(f->origin, &f->found.origin, &f->out);
    said(f, "slot        walferry_orders: absent\n");
    const struct found_origin here = {.present = true,
                                      .state = "reserved",
                                      .confirmed_lsn = 0x1000,
                                      .retained_lsn = 0xf00,
                                      .current_lsn = 0x1064};
    f->origin->ops->write_text(f->origin, &here, &f->out);
    said(f,
         "slot        walferry_orders: inactive, reserved, confirmed 0/1000, 100 bytes behind\n");
    assert_string_equal(json(f, &here),
                        "{\"slot\":\"walferry_orders\",\"slot_exists\":true,\"slot_active\":false,"
                        "\"slot_wal_status\":\"reserved\",\"confirmed_flush_lsn\":\"0/1000\","
                        "\"restart_lsn\":\"0/F00\",\"current_lsn\":\"0/1064\"}");
    assert_string_equal(json(f, NULL),
                        "{\"slot\":\"walferry_orders\",\"slot_exists\":null,\"slot_active\":null,"
                        "\"slot_wal_status\":null,\"confirmed_flush_lsn\":null,"
                        "\"restart_lsn\":null,\"current_lsn\":null}");
    const struct found_origin absent = {.current_lsn = 0x1064};
    assert_contains(json(f, &absent), "\"slot_exists\":false,\"slot_active\":false,"
                                      "\"slot_wal_status\":null,\"confirmed_flush_lsn\":null");
}

/* An operator hears of a state that costs data, and of any change; not of a good beginning. */
static void a_change_of_state_is_logged(void **state)
{
    struct fixture *f = *state;
    struct found_origin now = {.present = true, .state = "reserved"};
    f->origin->ops->log_change(f->origin, "", &now);
    f->origin->ops->log_change(f->origin, "reserved", &now);
    assert_false(logged(f, "slot.wal_status"));
    snprintf(now.state, sizeof now.state, "unreserved");
    f->origin->ops->log_change(f->origin, "", &now);
    assert_true(logged(f, "status=unreserved"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_has_a_name_before_anybody_is_asked),
        TEST(a_first_one_is_made_and_a_relay_may_go_on_from_it),
        TEST(a_younger_publication_waits_for_a_whole_transaction),
        TEST(it_is_replaced_and_removed),
        TEST(what_cannot_be_read_is_named),
        TEST(who_holds_it_is_known_and_ended),
        TEST(a_stranger_is_not_ended),
        TEST(the_probe_says_whether_a_stream_can_be_had),
        TEST(what_became_of_a_transaction_is_known),
        TEST(status_tells_what_is_known),
        TEST(a_change_of_state_is_logged),
    };
    if (!private_postgres_start(&server, "wal_level = logical\ntrack_commit_timestamp = on\n",
                                NULL))
        return 77;
    private_postgres_sql(&server, "CREATE ROLE relay LOGIN REPLICATION");
    private_postgres_sql(&server, "CREATE PUBLICATION pub FOR ALL TABLES");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    private_postgres_stop(&server);
    return failed;
}
