/* progress: the record as JSON. A golden text, round trips, and every member missing, of another
 * type or out of range, each refused by name. */
#include "json/json_read.h"
#include "progress/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_text.h"

#define MEND "walferry rebase --to slot --accept-repeat"

static const char golden[] =
    "{\"v\":3,\"relay\":\"orders\",\"shard\":0,\"generation\":7,\"instance\":\"a1b2-C3\","
    "\"system_identifier\":\"18446744073709551615\",\"timeline\":3,\"slot\":\"walferry_orders\","
    "\"mode\":\"wal\",\"position\":\"16/B374D848\",\"xid\":4294967295,\"partial\":null,"
    "\"resume\":null,\"rebased\":null,\"skip\":[],"
    "\"last\":{\"xid\":0,\"xid8\":null,\"lsn\":null,\"commit_at\":null,\"witness\":null},"
    "\"publications\":[],"
    "\"fingerprint\":null,\"guard\":null,\"command\":null,"
    "\"config_hash\":\"0123456789abcdef\",\"at\":\"2024-05-06T07:08:09.012345Z\"}";

static struct progress sample(void)
{
    return (struct progress){.relay = "orders",
                             .generation = 7,
                             .instance = "a1b2-C3",
                             .system_identifier = UINT64_MAX,
                             .timeline = 3,
                             .slot = "walferry_orders",
                             .mode = PROGRESS_WAL,
                             .position = {UINT64_C(0x16B374D848), 0},
                             .xid = UINT32_MAX,
                             .config_hash = "0123456789abcdef",
                             .at_us = INT64_C(1714979289012345)};
}

static void check_equal(const struct progress *a, const struct progress *b)
{
    struct buf one = BUF_EMPTY, two = BUF_EMPTY;
    progress_encode(a, &one);
    progress_encode(b, &two);
    assert_string_equal(buf_text(&one), buf_text(&two));
    assert_int_equal(position_compare(a->position, b->position), 0);
    assert_int_equal(a->system_identifier, b->system_identifier);
    assert_int_equal(a->at_us, b->at_us);
    buf_fini(&one);
    buf_fini(&two);
}

static void check_round_trip(const struct progress *progress)
{
    struct arena arena;
    arena_init(&arena, 256, 256);
    struct buf json = BUF_EMPTY;
    struct progress read;
    struct error err = ERROR_INIT;
    progress_encode(progress, &json);
    assert_int_equal(progress_decode(buf_span(&json), &arena, &read, &err), 0);
    check_equal(progress, &read);
    buf_fini(&json);
    arena_fini(&arena);
}

static void what_a_switch_leaves_is_kept(void **state)
{
    (void)state;
    struct progress progress = sample();
    struct buf json = BUF_EMPTY;
    progress.mode = PROGRESS_POLL;
    progress.slot_from = UINT64_C(0x16B374D848);
    check_round_trip(&progress);
    progress_encode(&progress, &json);
    assert_non_null(strstr(buf_text(&json), "\"slot_from\":\"16/B374D848\""));
    /* A claim and each record of the epochs behind it go on saying so. */
    struct batch batch = {.end = {progress.position.lsn + 1, 0}, .ends_txn = true};
    struct progress next;
    progress_advance(&progress, &batch, 1, &next);
    assert_int_equal(next.slot_from, progress.slot_from);
    buf_fini(&json);
}

static void refuse(const char *json, const char *reason, const char *text)
{
    struct arena arena;
    arena_init(&arena, 256, 256);
    struct progress read;
    struct error err = ERROR_INIT;
    if (progress_decode(span_of(json), &arena, &read, &err) == 0)
        fail_msg("taken: %s", json);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_REFUSED);
    assert_string_equal(reason_slug(err.reason), reason);
    assert_string_equal(err.text, text);
    assert_advice_contains(err, MEND);
    arena_fini(&arena);
}

/* The golden text with `from` replaced by `to`. */
static const char *changed(char text[2048], const char *from, const char *to)
{
    const char *at = strstr(golden, from);
    assert_non_null(at);
    snprintf(text, 2048, "%.*s%s%s", (int)(at - golden), golden, to, at + strlen(from));
    return text;
}

static void accept_changed(const char *from, const char *to, struct progress *read,
                           struct arena *arena)
{
    char text[2048];
    struct error err = ERROR_INIT;
    if (progress_decode(span_of(changed(text, from, to)), arena, read, &err) < 0)
        fail_msg("%s: %s", text, err.text);
}

static void refuse_member(const char *member, const char *from, const char *to)
{
    char text[2048];
    char wanted[128];
    snprintf(wanted, sizeof wanted,
             "the progress record is unreadable: member %s is missing or wrong", member);
    refuse(changed(text, from, to), "progress_unreadable", wanted);
}

/* ---- Tests ---- */

static void the_golden_text(void **state)
{
    (void)state;
    struct buf json = BUF_EMPTY;
    struct progress progress = sample();
    progress_encode(&progress, &json);
    assert_string_equal(buf_text(&json), golden);
    buf_fini(&json);
    check_round_trip(&progress);
}

static void every_mode_round_trips(void **state)
{
    (void)state;
    static const char *const names[] = {"intent", "wal", "poll", "closed"};
    for (int mode = PROGRESS_INTENT; mode <= PROGRESS_CLOSED; mode++) {
        struct progress progress = sample();
        progress.mode = (enum progress_mode)mode;
        check_round_trip(&progress);
        assert_string_equal(progress_mode_name(progress.mode), names[mode]);
    }
}

static void a_full_record_round_trips(void **state)
{
    (void)state;
    struct progress progress = sample();
    progress.shard = 4;
    progress.partial = (struct partial){UINT64_C(0x16B374D848), 123456, 3};
    progress.position.seq = 123456;
    progress.resume = SPAN_LITERAL("{\"prev\":\"1:2:\",\"last_seq\":9007199254740993}");
    progress.rebased.present = true;
    progress.rebased.from = 1;
    progress.rebased.to = UINT64_MAX;
    snprintf(progress.rebased.why, sizeof progress.rebased.why,
             "a \"reason\"\twith bytes \xc3\xa9");
    progress.skip_count = PROGRESS_SKIPS_MAX;
    for (uint32_t i = 0; i < PROGRESS_SKIPS_MAX; i++)
        progress.skips[i] =
            (struct skip){change_id_wal(UINT64_C(0xFFFFFFFF00000000) + i, UINT64_MAX - i), "a.b"};
    progress.last.xid = UINT32_MAX;
    progress.last.xid8 = (UINT64_C(7) << 32) - 1;
    progress.last.lsn = UINT64_C(0x16B374D848);
    progress.last.commit_at_us = INT64_C(1714979289000001);
    progress.last.witness = UINT64_MAX;
    progress.publication_count = 2;
    progress.publications[0] = (struct progress_publication){"wal \"x\"", 0};
    progress.publications[1] = (struct progress_publication){"wal_changes", UINT64_MAX};
    progress.fingerprint = (struct progress_fingerprint){
        "0123456789abcdef0123456789abcdef", UINT64_C(0x16B374D848), (UINT64_C(7) << 32) - 1};
    progress.guard = 5;
    progress.command.present = true;
    progress.command.id = 7;
    progress.command.done = 200000;
    check_round_trip(&progress);
}

/* The record of 0.1.0, as it stands in the topics of its users. */
static const char version_1[] =
    "{\"v\":1,\"relay\":\"orders\",\"shard\":0,\"generation\":7,\"instance\":\"a1b2-C3\","
    "\"system_identifier\":\"18446744073709551615\",\"timeline\":3,\"slot\":\"walferry_orders\","
    "\"mode\":\"wal\",\"position\":\"16/B374D848\",\"xid\":4294967295,\"partial\":null,"
    "\"resume\":null,\"rebased\":null,"
    "\"skip\":[\"18446744073709551615-00000016B374D900-3\"],"
    "\"config_hash\":\"0123456789abcdef\",\"at\":\"2024-05-06T07:08:09.012345Z\"}";

static void version_1_is_read(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 256, 256);
    struct progress read, wanted = sample();
    struct error err = ERROR_INIT;
    assert_int_equal(progress_decode(span_of(version_1), &arena, &read, &err), 0);
    assert_int_equal(read.version, 1);
    wanted.skip_count = 1;
    wanted.skips[0] = (struct skip){change_id_wal(UINT64_C(0x16B374D900), 3), ""};
    check_equal(&wanted, &read);
    arena_fini(&arena);
}

/* As 0.1.0 reads it: with one member more, which that one passes over. */
static void version_1_is_written(void **state)
{
    (void)state;
    struct progress progress = sample();
    struct buf json = BUF_EMPTY;
    progress.skip_count = 1;
    progress.skips[0] = (struct skip){change_id_wal(UINT64_C(0x16B374D900), 3), ""};
    progress.last.xid = 5;
    progress.guard = 7;
    progress_encode_as(&progress, 1, &json);
    const char *rest = strstr(version_1, ",\"relay\"");
    char wanted[1024];
    snprintf(wanted, sizeof wanted, "{\"v\":1,\"version_before\":3%s", rest);
    assert_string_equal(buf_text(&json), wanted);
    struct arena arena;
    struct progress read;
    struct error err = ERROR_INIT;
    arena_init(&arena, 256, 256);
    assert_int_equal(progress_decode(buf_span(&json), &arena, &read, &err), 0);
    assert_int_equal(read.version, 1);
    assert_int_equal(read.version_before, 3);
    arena_fini(&arena);
    buf_fini(&json);
}

/* Two handles instead of one are no member: only the number says it. */
static void version_2_is_written_and_read(void **state)
{
    (void)state;
    struct progress progress = sample(), read;
    struct buf json = BUF_EMPTY;
    struct arena arena;
    struct error err = ERROR_INIT;
    char wanted[2048];
    arena_init(&arena, 256, 256);
    progress.skip_count = 0;
    progress_encode(&progress, &json);
    const char *rest = strstr(buf_text(&json), ",\"relay\"");
    snprintf(wanted, sizeof wanted, "{\"v\":2,\"version_before\":3%s", rest);
    buf_reset(&json);
    progress_encode_as(&progress, 2, &json);
    assert_string_equal(buf_text(&json), wanted);
    assert_int_equal(progress_decode(buf_span(&json), &arena, &read, &err), 0);
    assert_int_equal(read.version, 2);
    check_equal(&progress, &read);
    buf_fini(&json);
    arena_fini(&arena);
}

static void seq_follows_from_partial(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 256, 256);
    struct progress read;
    accept_changed("\"partial\":null", "\"partial\":{\"final_lsn\":\"16/B374D900\",\"done\":12}",
                   &read, &arena);
    assert_int_equal(read.position.seq, 12);
    assert_int_equal(read.partial.final_lsn, UINT64_C(0x16B374D900));
    assert_int_equal(read.partial.part, 0);
    arena_fini(&arena);
}

static void unknown_members_are_passed_over(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 256, 256);
    struct progress read;
    struct progress wanted = sample();
    accept_changed("\"relay\"", "\"colour\":{\"deep\":[1,null]},\"relay\"", &read, &arena);
    check_equal(&wanted, &read);
    accept_changed("\"skip\":[],", "", &read, &arena);
    check_equal(&wanted, &read);
    accept_changed("\"xid8\":null,\"lsn\":null,", "", &read, &arena); /* the first of version 2 */
    check_equal(&wanted, &read);
    arena_fini(&arena);
}

static void resume_outlives_the_text(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 256, 256);
    struct progress read;
    accept_changed("\"resume\":null", "\"resume\":{ \"a\" : 1 }", &read, &arena);
    assert_true(span_equal_text(read.resume, "{\"a\":1}"));
    arena_fini(&arena);
}

static void what_is_no_record(void **state)
{
    (void)state;
    refuse("[]", "progress_unreadable",
           "the progress record is unreadable: it is not a JSON object");
    refuse("null", "progress_unreadable",
           "the progress record is unreadable: it is not a JSON object");
    refuse("{}", "progress_unreadable",
           "the progress record is unreadable: member v is missing or wrong");
    refuse("{\"v\":0}", "progress_unreadable",
           "the progress record is unreadable: member v is missing or wrong");
    refuse("{\"v\":\"1\"}", "progress_unreadable",
           "the progress record is unreadable: member v is missing or wrong");
    struct arena arena;
    arena_init(&arena, 256, 256);
    struct progress read;
    struct error err = ERROR_INIT;
    static const char *const broken[] = {"", "{", "{\"v\":1", "\xff", "{\"v\":1,\"v\":1}", "{} {}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(progress_decode(span_of(broken[i]), &arena, &read, &err), -1);
        assert_string_equal(reason_slug(err.reason), "progress_unreadable");
    }
    assert_int_equal(progress_decode(span_null(), &arena, &read, &err), -1);
    arena_fini(&arena);
}

static void a_cut_record_is_refused_wherever_it_is_cut(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 256, 256);
    for (size_t length = 0; length < sizeof golden - 1; length++) {
        struct progress read;
        struct error err = ERROR_INIT;
        assert_int_equal(progress_decode((struct span){golden, length}, &arena, &read, &err), -1);
        assert_string_equal(reason_slug(err.reason), "progress_unreadable");
    }
    arena_fini(&arena);
}

static void a_newer_version_is_refused(void **state)
{
    (void)state;
    refuse("{\"v\":4}", "progress_newer",
           "the progress record has version 4, this program knows up to 3");
    refuse("{\"v\":99,\"relay\":5}", "progress_newer",
           "the progress record has version 99, this program knows up to 3");
}

static void every_member_must_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *member, *from, *to;
    } cases[] = {
        {"relay", "\"relay\":\"orders\",", ""},
        {"relay", "\"orders\"", "\"\""},
        {"relay", "\"orders\"", "\"Orders\""},
        {"relay", "\"orders\"", "5"},
        {"relay", "\"orders\"", "\"a23456789b23456789c23456789d23456789e23456789f23\""},
        {"shard", "\"shard\":0", "\"shard\":-1"},
        {"shard", "\"shard\":0", "\"shard\":4294967296"},
        {"shard", "\"shard\":0", "\"shard\":\"0\""},
        {"shard", "\"shard\":0", "\"shard\":0.5"},
        {"generation", "\"generation\":7,", ""},
        {"generation", "\"generation\":7", "\"generation\":-7"},
        {"generation", "\"generation\":7", "\"generation\":null"},
        {"instance", "\"a1b2-C3\"", "\"a b\""},
        {"instance", "\"instance\":\"a1b2-C3\",", ""},
        {"system_identifier", "\"18446744073709551615\"", "18446744073709551"},
        {"system_identifier", "\"18446744073709551615\"", "\"18446744073709551616\""},
        {"system_identifier", "\"18446744073709551615\"", "\"\""},
        {"system_identifier", "\"18446744073709551615\"", "\"12x\""},
        {"timeline", "\"timeline\":3", "\"timeline\":true"},
        {"slot", "\"walferry_orders\"", "\"Walferry\""},
        {"slot", "\"walferry_orders\"", "\"\""},
        {"mode", "\"wal\"", "\"WAL\""},
        {"mode", "\"mode\":\"wal\",", ""},
        {"position", "\"16/B374D848\"", "\"16B374D848\""},
        {"position", "\"16/B374D848\"", "\"16/B374D8488/\""},
        {"position", "\"16/B374D848\"", "97"},
        {"position", "\"position\":\"16/B374D848\",", ""},
        {"xid", "\"xid\":4294967295", "\"xid\":4294967296"},
        {"partial", "\"partial\":null,", ""},
        {"partial", "\"partial\":null", "\"partial\":{}"},
        {"partial", "\"partial\":null", "\"partial\":[]"},
        {"partial", "\"partial\":null", "\"partial\":{\"final_lsn\":\"16/B374D900\"}"},
        {"partial", "\"partial\":null", "\"partial\":{\"final_lsn\":\"16/B374D900\",\"done\":0}"},
        {"partial", "\"partial\":null", "\"partial\":{\"final_lsn\":\"0/0\",\"done\":1}"},
        {"partial", "\"partial\":null", "\"partial\":{\"final_lsn\":\"16/B374D847\",\"done\":1}"},
        {"partial", "\"partial\":null",
         "\"partial\":{\"final_lsn\":\"16/B374D900\",\"done\":1,\"part\":-1}"},
        {"resume", "\"resume\":null,", ""},
        {"resume", "\"resume\":null", "\"resume\":5"},
        {"rebased", "\"rebased\":null,", ""},
        {"rebased", "\"rebased\":null", "\"rebased\":{\"from\":\"0/1\",\"to\":\"0/2\"}"},
        {"rebased", "\"rebased\":null", "\"rebased\":{\"from\":\"1\",\"to\":\"0/2\",\"why\":\"\"}"},
        {"rebased", "\"rebased\":null",
         "\"rebased\":{\"from\":\"0/1\",\"to\":\"0/2\",\"why\":"
         "\"0123456789012345678901234567890123456789012345678901234567890123\"}"},
        {"skip", "\"skip\":[]", "\"skip\":null"},
        {"skip", "\"skip\":[]", "\"skip\":[1]"},
        {"skip", "\"skip\":[]", "\"skip\":[\"1-0000000000000001-1\"]"},
        {"skip", "\"skip\":[]", "\"skip\":[\"18446744073709551615-0000000000000001-x\"]"},
        {"skip", "\"skip\":[]", "\"skip\":[{\"route\":null}]"},
        {"skip", "\"skip\":[]", "\"skip\":[{\"id\":\"18446744073709551615-0000000000000001-1\"}]"},
        {"skip", "\"skip\":[]",
         "\"skip\":[{\"id\":\"18446744073709551615-0000000000000001-1\",\"route\":\"\"}]"},
        {"last", "\"last\":{\"xid\":0,", "\"last\":{"},
        {"last", "\"xid8\":null", "\"xid8\":\"5\""},
        {"last", "\"xid8\":null", "\"xid8\":4294967297"},
        {"last", "\"lsn\":null", "\"lsn\":5"},
        {"last", "\"lsn\":null", "\"lsn\":\"16/B374D849\""},
        {"last", "\"commit_at\":null", "\"commit_at\":5"},
        {"last", "\"witness\":null", "\"witness\":\"0/0\""},
        {"publications", "\"publications\":[],", ""},
        {"publications", "\"publications\":[]", "\"publications\":[{\"name\":\"p\"}]"},
        {"publications", "\"publications\":[]",
         "\"publications\":[{\"name\":\"\",\"from\":\"0/1\"}]"},
        {"fingerprint", "\"fingerprint\":null,", ""},
        {"fingerprint", "\"fingerprint\":null",
         "\"fingerprint\":{\"hash\":\"0123456789abcdef\",\"lsn\":\"0/1\"}"},
        {"fingerprint", "\"fingerprint\":null",
         "\"fingerprint\":{\"hash\":\"0123456789abcdef0123456789abcdef\"}"},
        {"fingerprint", "\"fingerprint\":null",
         "\"fingerprint\":{\"hash\":\"0123456789abcdef0123456789abcdef\",\"lsn\":\"0/1\","
         "\"xid\":0}"},
        {"guard", "\"guard\":null,", ""},
        {"guard", "\"guard\":null", "\"guard\":1"},
        {"slot_from", "\"guard\":null", "\"guard\":null,\"slot_from\":\"0/0\""},
        {"command", "\"command\":null,", ""},
        {"command", "\"command\":null", "\"command\":{\"id\":1}"},
        {"config_hash", "\"0123456789abcdef\"", "\"0123456789abcdef0\""},
        {"config_hash", "\"0123456789abcdef\"", "\"0123456789ABCDEF\""},
        {"at", "\"2024-05-06T07:08:09.012345Z\"", "\"2024-05-06T07:08:09Z\""},
        {"at", "\"2024-05-06T07:08:09.012345Z\"", "\"2024-02-30T07:08:09.012345Z\""},
        {"at", "\"2024-05-06T07:08:09.012345Z\"", "\"1969-05-06T07:08:09.012345Z\""},
        {"at", "\"2024-05-06T07:08:09.012345Z\"", "\"2024-05-06T25:08:09.012345Z\""},
        {"at", "\"2024-05-06T07:08:09.012345Z\"", "\"2024-0x-06T07:08:09.012345Z\""},
        {"at", "\"2024-05-06T07:08:09.012345Z\"", "1714979289012345"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuse_member(cases[i].member, cases[i].from, cases[i].to);
}

static void too_many_skips_are_refused(void **state)
{
    (void)state;
    char list[2048] = "\"skip\":[";
    for (int i = 0; i <= PROGRESS_SKIPS_MAX; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s\"18446744073709551615-00000000000000ff-%d\"",
                 i > 0 ? "," : "", i + 1);
    }
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "]");
    refuse_member("skip", "\"skip\":[]", list);
}

static void the_key(void **state)
{
    (void)state;
    char text[80];
    assert_string_equal(progress_key("orders", 0, text), "orders/0");
    assert_string_equal(progress_key("a", UINT32_MAX, text), "a/4294967295");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_switch_leaves_is_kept),
        cmocka_unit_test(the_golden_text),
        cmocka_unit_test(every_mode_round_trips),
        cmocka_unit_test(a_full_record_round_trips),
        cmocka_unit_test(version_1_is_read),
        cmocka_unit_test(version_1_is_written),
        cmocka_unit_test(version_2_is_written_and_read),
        cmocka_unit_test(seq_follows_from_partial),
        cmocka_unit_test(unknown_members_are_passed_over),
        cmocka_unit_test(resume_outlives_the_text),
        cmocka_unit_test(what_is_no_record),
        cmocka_unit_test(a_cut_record_is_refused_wherever_it_is_cut),
        cmocka_unit_test(a_newer_version_is_refused),
        cmocka_unit_test(every_member_must_be_right),
        cmocka_unit_test(too_many_skips_are_refused),
        cmocka_unit_test(the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
