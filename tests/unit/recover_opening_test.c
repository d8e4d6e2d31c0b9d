/* recover/opening: the whole open, step by step, between a model of the progress topic and a model
 * of an origin, with the real records. Time is the test's. */
#include "recover/opening.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX 16
#define SECOND_US INT64_C(1000000)

/* ---- The models ---- */

struct model_ledger {
    struct ledger base;
    struct buf records[RECORDS_MAX];
    uint32_t count;
    bool gone;       /* the topic */
    uint32_t unseen; /* so many of the newest cannot be seen at its last stable offset */
    struct publisher publisher;
    struct buf note;
    uint32_t looks, taken_over, note_reads;
    void (*at_take_over)(struct model_ledger *l); /* what the older instance still does */
};

static void add(struct model_ledger *l, const struct progress *record)
{
    assert_true(l->count < RECORDS_MAX);
    progress_encode(record, &l->records[l->count++]);
}

static void copy_newest(const struct model_ledger *l, struct buf *newest, struct buf *before)
{
    if (l->count > 0)
        buf_add(newest, buf_span(&l->records[l->count - 1]));
    if (l->count > 1)
        buf_add(before, buf_span(&l->records[l->count - 2]));
}

static int ledger_look(struct ledger *base, bool through, int64_t timeout_ms, struct buf *newest,
                       struct buf *before, bool *exists, struct error *err)
{
    struct model_ledger *l = (struct model_ledger *)base;
    (void)timeout_ms, (void)err;
    l->looks++;
    *exists = !l->gone;
    uint32_t unseen = through ? 0 : l->unseen;
    l->count -= unseen;
    if (!l->gone)
        copy_newest(l, newest, before);
    l->count += unseen;
    return 0;
}

static int ledger_take_over(struct ledger *base, struct publisher **publisher, struct error *err)
{
    struct model_ledger *l = (struct model_ledger *)base;
    (void)err;
    l->taken_over++;
    if (l->at_take_over != NULL)
        l->at_take_over(l);
    *publisher = &l->publisher;
    return 0;
}

static int ledger_read(struct ledger *base, struct publisher *publisher, struct buf *newest,
                       struct buf *before, struct error *err)
{
    struct model_ledger *l = (struct model_ledger *)base;
    (void)err;
    assert_ptr_equal(publisher, &l->publisher);
    copy_newest(l, newest, before);
    return 0;
}

static int ledger_write(struct ledger *base, struct publisher *publisher, struct span record,
                        struct span note, struct error *err)
{
    struct model_ledger *l = (struct model_ledger *)base;
    (void)err;
    if (note.ptr != NULL) {
        buf_reset(&l->note);
        buf_add(&l->note, note);
    }
    assert_ptr_equal(publisher, &l->publisher);
    assert_true(l->count < RECORDS_MAX);
    buf_add(&l->records[l->count++], record);
    return 0;
}

static int ledger_read_note(struct ledger *base, struct buf *note, struct error *err)
{
    struct model_ledger *l = (struct model_ledger *)base;
    (void)err;
    l->note_reads++;
    buf_add(note, buf_span(&l->note));
    return 0;
}

static const struct ledger_ops ledger_model = {.name = "model",
                                               .look = ledger_look,
                                               .take_over = ledger_take_over,
                                               .read = ledger_read,
                                               .write = ledger_write,
                                               .read_note = ledger_read_note};

struct model_origin {
    struct origin base;
    struct found_origin state;
    struct pg_system system;
    struct error refusal; /* with a kind: what judge says */
    struct error unfit;   /* the same for check */
    uint64_t judged_at;   /* position of the progress that was judged last */
    uint32_t connects, evicts;
    const char *sends; /* the fingerprint: one letter, 32 times, is its hash; NULL: it has none */
    bool lossy;        /* what compare says of any change */
    bool holder_stays;
    bool started;
};

static int origin_model_connect(struct origin *base, struct error *err)
{
    (void)err;
    ((struct model_origin *)base)->connects++;
    return 0;
}

static int origin_model_identify(struct origin *base, struct pg_system *system, struct error *err)
{
    (void)err;
    *system = ((struct model_origin *)base)->system;
    return 0;
}

static int origin_model_look(struct origin *base, struct found_origin *state, struct error *err)
{
    (void)err;
    *state = ((struct model_origin *)base)->state;
    return 0;
}

static int origin_model_judge(struct origin *base, enum origin_question question,
                              const struct found *found, struct error *err)
{
    struct model_origin *o = (struct model_origin *)base;
    assert_int_equal(question, ORIGIN_MAY_GO_ON);
    o->judged_at = found->progress.position.lsn;
    if (o->refusal.kind == ERROR_NONE)
        return 0;
    *err = o->refusal;
    return -1;
}

static int origin_model_check(struct origin *base, const struct pg_system *system,
                              const struct router *router, bool before_setup, struct error *err)
{
    struct model_origin *o = (struct model_origin *)base;
    (void)system, (void)router;
    assert_false(before_setup);
    if (o->unfit.kind == ERROR_NONE)
        return 0;
    *err = o->unfit;
    return -1;
}

static int origin_model_fingerprint(struct origin *base, const struct router *router,
                                    struct arena *place, struct fingerprint *out, struct error *err)
{
    struct model_origin *o = (struct model_origin *)base;
    (void)router, (void)err;
    *out = (struct fingerprint){.id = {.lsn = 0x2500, .xid = 700}, .end_lsn = 0x2700};
    if (o->sends == NULL)
        return 0;
    memset(out->id.hash, o->sends[0], sizeof out->id.hash - 1);
    out->text = arena_copy(place, span_of(o->sends));
    return 0;
}

static int origin_model_compare(struct origin *base, const struct router *router,
                                struct span before, struct span now,
                                struct fingerprint_change *change, struct error *err)
{
    struct model_origin *o = (struct model_origin *)base;
    (void)router, (void)err;
    buf_add_format(&change->what, "%.*s became %.*s", SPAN_ARG(before), SPAN_ARG(now));
    change->verdict = o->lossy ? FINGERPRINT_LOST : FINGERPRINT_GREW;
    return 0;
}

static int origin_model_evict(struct origin *base, const struct found_holder *holder, bool *ended,
                              struct error *err)
{
    struct model_origin *o = (struct model_origin *)base;
    (void)err;
    o->evicts++;
    *ended = holder->ours;
    if (holder->ours && !o->holder_stays)
        o->state.holder = (struct found_holder){.present = false};
    return 0;
}

static int origin_model_start(struct origin *base, const struct found *found, int64_t now_us,
                              struct source **source, struct error *err)
{
    struct model_origin *o = (struct model_origin *)base;
    (void)found, (void)now_us, (void)source, (void)err;
    o->started = true;
    return 0;
}

static void origin_model_sign(const struct origin *base, struct progress *record)
{
    snprintf(record->slot, sizeof record->slot, "%s", base->label);
}

static const struct origin_ops origin_model = {.name = "model",
                                               .noun = "well",
                                               .here = "well",
                                               .anew = "new-well",
                                               .mode = PROGRESS_WAL,
                                               .connect = origin_model_connect,
                                               .identify = origin_model_identify,
                                               .look = origin_model_look,
                                               .judge = origin_model_judge,
                                               .check = origin_model_check,
                                               .fingerprint = origin_model_fingerprint,
                                               .compare = origin_model_compare,
                                               .evict = origin_model_evict,
                                               .start = origin_model_start,
                                               .sign = origin_model_sign};

/* ---- The fixture: a relay "orders" whose predecessor has come to 0/2000 ---- */

struct fixture {
    struct model_ledger ledger;
    struct model_origin origin;
    struct arena arena;
    struct config_relay config;
    struct claimant claimant;
    struct opening opening;
    struct error err;
};

static const struct progress recorded = {.relay = "orders",
                                         .generation = 3,
                                         .instance = "predecessor",
                                         .system_identifier = 42,
                                         .timeline = 1,
                                         .slot = "south", /* it has been renamed since */
                                         .mode = PROGRESS_WAL,
                                         .position = {0x2000, 0},
                                         .config_hash = "0123456789abcdef"};

static void new_epoch(struct fixture *f)
{
    f->err = ERROR_INIT;
    f->opening = (struct opening){
        .ends = {.origin = &f->origin.base, .ledger = &f->ledger.base, .arena = &f->arena},
        .claimant = &f->claimant,
        .config = &f->config};
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->ledger.base.ops = &ledger_model;
    f->origin.base.ops = &origin_model;
    f->origin.base.label = "north";
    snprintf(f->origin.base.name, sizeof f->origin.base.name, "well north");
    f->origin.system = (struct pg_system){.system_identifier = 42, .timeline = 2};
    f->origin.state =
        (struct found_origin){.present = true, .confirmed_lsn = 0x1000, .current_lsn = 0x3000};
    arena_init(&f->arena, 4096, 4096);
    f->config.name.text = "orders";
    f->config.delivery.progress_topic.text = "walferry.orders.progress";
    snprintf(f->config.hash, sizeof f->config.hash, "fedcba9876543210");
    f->claimant.instance = "me";
    add(&f->ledger, &recorded);
    new_epoch(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < f->ledger.count; i++)
        buf_fini(&f->ledger.records[i]);
    buf_fini(&f->ledger.note);
    arena_fini(&f->arena);
    free(f);
    return 0;
}

static void fails(struct fixture *f, int result, enum error_kind kind, const char *reason)
{
    assert_int_equal(result, -1);
    assert_int_equal(f->err.kind, kind);
    assert_string_equal(reason_slug(f->err.reason), reason);
}

static void opens(struct fixture *f)
{
    assert_int_equal(opening_look(&f->opening, SECOND_US, &f->err), 0);
    assert_int_equal(opening_take_over(&f->opening, 1700 * SECOND_US, &f->err), 0);
}

/* ---- Tests ---- */

static void a_start_claims_with_the_next_generation(void **state)
{
    struct fixture *f = *state;
    opens(f);
    assert_int_equal(f->ledger.count, 2);
    struct progress claim;
    assert_int_equal(progress_decode(buf_span(&f->ledger.records[1]), &f->arena, &claim, &f->err),
                     0);
    assert_int_equal(claim.generation, 4);
    assert_string_equal(claim.instance, "me");
    assert_string_equal(claim.slot, "north");
    assert_string_equal(claim.config_hash, "fedcba9876543210");
    assert_int_equal(claim.timeline, 2);
    assert_int_equal(claim.position.lsn, 0x2000);
    assert_true(f->claimant.claimed);
    assert_int_equal(opening_win(&f->opening, SECOND_US, &f->err), 0);
    struct source *source = NULL;
    assert_int_equal(opening_start(&f->opening, SECOND_US, &source, &f->err), 0);
    assert_true(f->origin.started);
    assert_int_equal(f->origin.evicts, 0);
}

/* To another configuration other transactions may be sent. */
static void another_configuration_asks_for_nothing_again(void **state)
{
    struct fixture *f = *state;
    struct progress record = recorded;
    record.generation++;
    record.last.xid = 70;
    record.last.lsn = 0x1f00;
    add(&f->ledger, &record);
    opens(f);
    assert_int_equal(f->opening.found.progress.last.lsn, 0);
    assert_int_equal(f->opening.found.progress.last.xid, 70);
    record.generation += 2;
    snprintf(record.config_hash, sizeof record.config_hash, "%s", f->config.hash);
    add(&f->ledger, &record);
    f->claimant.claimed = false;
    new_epoch(f);
    opens(f);
    assert_int_equal(f->opening.found.progress.last.lsn, 0x1f00);
}

/* A bad start must not fence a good relay. */
static void what_is_refused_takes_nothing_over(void **state)
{
    struct fixture *f = *state;
    error_stop(&f->origin.refusal, REASON_SLOT_MISSING, "it is gone");
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "slot_missing");
    assert_int_equal(f->ledger.looks, 2); /* nothing is refused on what may be old news */
    new_epoch(f);
    f->origin.refusal = ERROR_INIT;
    error_stop(&f->origin.unfit, REASON_TABLE_MISSING, "no table");
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "table_missing");
    assert_int_equal(f->ledger.taken_over, 0);
    assert_int_equal(f->ledger.count, 1);
}

static void add_successor(struct model_ledger *l)
{
    struct progress record = recorded;
    record.generation = 9;
    snprintf(record.instance, sizeof record.instance, "successor");
    add(l, &record);
}

/* A zombie must not fence its successor. */
static void who_finds_anothers_claim_leaves(void **state)
{
    struct fixture *f = *state;
    opens(f);
    add_successor(&f->ledger);
    new_epoch(f);
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "fenced");
    assert_int_equal(f->err.exit_code, EXIT_FENCED);
    assert_string_equal(f->err.text,
                        "another instance (successor, generation 9) has taken relay orders over");
    assert_int_equal(f->ledger.taken_over, 1);
    assert_int_equal(f->origin.connects, 1); /* it leaves without asking the database */
    /* One that has never claimed is the successor of whoever it finds. */
    f->claimant.claimed = false;
    new_epoch(f);
    opens(f);
}

/* An epoch that ends right behind its claim, before the markers of that are written. */
static void a_predecessor_that_is_still_seen_is_no_successor(void **state)
{
    struct fixture *f = *state;
    opens(f);
    f->ledger.unseen = 1;
    new_epoch(f);
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_RETRY, "progress_moved");
    assert_int_equal(f->ledger.taken_over, 1);
    f->ledger.unseen = 0;
    new_epoch(f);
    opens(f);
    /* Behind it a successor may hide. */
    add_successor(&f->ledger);
    f->ledger.unseen = 3;
    new_epoch(f);
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "fenced");
}

/* Whatever is wrong with the server: who has claimed asks first who claimed last. */
static void a_refusal_beside_a_successor_is_his_doing(void **state)
{
    struct fixture *f = *state;
    opens(f);
    error_stop(&f->origin.refusal, REASON_SLOT_AHEAD, "advanced");
    add_successor(&f->ledger);
    fails(f, opening_win(&f->opening, SECOND_US, &f->err), ERROR_STOP, "fenced");
}

static void end_of_predecessor(struct model_ledger *l)
{
    struct progress record = recorded;
    record.position.lsn = 0x2800;
    add(l, &record);
}

/* What the older instance wrote until it was fenced is what counts. */
static void what_was_judged_is_judged_again(void **state)
{
    struct fixture *f = *state;
    f->ledger.at_take_over = end_of_predecessor;
    opens(f);
    assert_int_equal(f->origin.judged_at, 0x2800);
    assert_int_equal(f->opening.found.progress.position.lsn, 0x2800);
}

static void refused_behind_the_take_over_claims_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(opening_look(&f->opening, SECOND_US, &f->err), 0);
    error_stop(&f->origin.refusal, REASON_PARTIAL_CONFIG_CHANGED, "half published");
    fails(f, opening_take_over(&f->opening, SECOND_US, &f->err), ERROR_STOP,
          "partial_config_changed");
    assert_int_equal(f->ledger.count, 1);
    assert_false(f->claimant.claimed);
}

static void forget_all(struct model_ledger *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        buf_fini(&l->records[i]);
    l->count = 0;
}

static void a_record_that_vanishes_is_no_first_run(void **state)
{
    struct fixture *f = *state;
    f->ledger.at_take_over = forget_all;
    assert_int_equal(opening_look(&f->opening, SECOND_US, &f->err), 0);
    fails(f, opening_take_over(&f->opening, SECOND_US, &f->err), ERROR_RETRY, "progress_vanished");
}

/* Only who has claimed knows that the topic was there. */
static void a_topic_that_is_away_is_looked_for_anew(void **state)
{
    struct fixture *f = *state;
    opens(f);
    f->ledger.gone = true;
    new_epoch(f);
    fails(f, opening_look(&f->opening, 20 * SECOND_US, &f->err), ERROR_RETRY, "progress_away");
    new_epoch(f);
    fails(f, opening_look(&f->opening, 29 * SECOND_US, &f->err), ERROR_RETRY, "progress_away");
    error_stop(&f->origin.refusal, REASON_PROGRESS_MISSING, "none");
    new_epoch(f);
    fails(f, opening_look(&f->opening, 30 * SECOND_US, &f->err), ERROR_STOP, "progress_missing");
    /* It comes back: the patience begins anew. */
    f->ledger.gone = false;
    f->origin.refusal = ERROR_INIT;
    new_epoch(f);
    assert_int_equal(opening_look(&f->opening, 31 * SECOND_US, &f->err), 0);
    assert_int_equal(f->claimant.away_since_us, 0);
}

static void an_idle_predecessor_is_evicted(void **state)
{
    struct fixture *f = *state;
    f->origin.state.holder = (struct found_holder){.present = true, .ours = true, .pid = 77};
    opens(f);
    assert_int_equal(opening_win(&f->opening, SECOND_US, &f->err), 1);
    assert_int_equal(opening_win(&f->opening, SECOND_US + OPENING_WIN_US, &f->err), 0);
    assert_int_equal(f->origin.evicts, 1);
}

static void a_successor_is_not_evicted(void **state)
{
    struct fixture *f = *state;
    opens(f);
    add_successor(&f->ledger);
    f->origin.state.holder = (struct found_holder){.present = true, .ours = true, .pid = 78};
    fails(f, opening_win(&f->opening, SECOND_US, &f->err), ERROR_STOP, "fenced");
    assert_int_equal(f->origin.evicts, 0);
}

static void a_holder_that_stays_is_waited_for_and_no_longer(void **state)
{
    struct fixture *f = *state;
    f->origin.holder_stays = true;
    f->origin.state.holder = (struct found_holder){
        .present = true, .ours = true, .pid = 77, .application = "walferry:orders"};
    opens(f);
    assert_int_equal(opening_win(&f->opening, SECOND_US, &f->err), 1);
    assert_int_equal(opening_win(&f->opening, 16 * SECOND_US, &f->err), 1);
    assert_int_equal(f->origin.evicts, 1); /* it was told once */
    fails(f, opening_win(&f->opening, 16 * SECOND_US + 1, &f->err), ERROR_RETRY, "slot_active");
    assert_string_equal(f->err.text, "well north is in use by process 77 (walferry:orders)");
}

/* The mend names what the origin calls itself. */
static void a_regression_is_refused_in_the_origins_words(void **state)
{
    struct fixture *f = *state;
    struct progress back = recorded;
    back.position.lsn = 0x1000;
    add(&f->ledger, &back);
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "progress_regressed");
    assert_string_equal(f->err.hint,
                        "find out who wrote it, then publish again from where the well stands");
    assert_int_equal(f->origin.connects, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- What is published ---- */

static struct progress newest_record(struct fixture *f)
{
    struct progress record;
    assert_int_equal(progress_decode(buf_span(&f->ledger.records[f->ledger.count - 1]), &f->arena,
                                     &record, &f->err),
                     0);
    return record;
}

/* A first epoch that recorded the fingerprint "a", and a second one that finds `sends`. */
static void second_look(struct fixture *f, const char *sends)
{
    f->origin.sends = "apples";
    opens(f);
    f->claimant.claimed = false; /* another process */
    new_epoch(f);
    f->origin.sends = sends;
}

static void an_older_record_takes_the_fingerprint_over(void **state)
{
    struct fixture *f = *state;
    f->origin.sends = "apples";
    opens(f);
    assert_int_equal(f->opening.published.news, PUBLISHED_FIRST);
    struct progress claim = newest_record(f);
    assert_string_equal(claim.fingerprint.hash, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(claim.fingerprint.lsn, 0x2500);
    assert_int_equal(claim.fingerprint.xid, 700);
    assert_string_equal(buf_text(&f->ledger.note), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\napples");
}

static void what_is_as_recorded_asks_for_no_note(void **state)
{
    struct fixture *f = *state;
    second_look(f, "apples");
    f->ledger.note_reads = 0;
    opens(f);
    assert_int_equal(f->opening.published.news, PUBLISHED_SAME);
    assert_int_equal(f->ledger.note_reads, 0);
}

static void what_only_grew_is_recorded_and_gone_on_from(void **state)
{
    struct fixture *f = *state;
    second_look(f, "bananas");
    opens(f);
    assert_int_equal(f->opening.published.news, PUBLISHED_GREW);
    assert_string_equal(f->opening.published.what, "apples became bananas");
    assert_string_equal(newest_record(f).fingerprint.hash, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    assert_string_equal(buf_text(&f->ledger.note), "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\nbananas");
}

static void what_may_have_lost_rows_is_refused_before_anything_is_taken(void **state)
{
    struct fixture *f = *state;
    second_look(f, "bananas");
    f->origin.lossy = true;
    f->opening.guard_lsn = 0x2600;
    uint32_t taken_over = f->ledger.taken_over;
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "publication_changed");
    assert_int_equal(f->err.exit_code, EXIT_REFUSED);
    assert_non_null(strstr(f->err.text, "apples became bananas"));
    assert_non_null(strstr(f->err.text, "between 0/2500 and 0/2700"));
    assert_int_equal(f->ledger.taken_over, taken_over);
}

static void what_is_remembered_is_not_read_and_a_strange_note_is_none(void **state)
{
    struct fixture *f = *state;
    second_look(f, "bananas");
    f->opening.remembered = SPAN_LITERAL("apricots");
    f->opening.remembered_hash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    f->ledger.note_reads = 0;
    assert_int_equal(opening_look(&f->opening, SECOND_US, &f->err), 0);
    assert_int_equal(f->ledger.note_reads, 0);
    assert_string_equal(f->opening.published.what, "apricots became bananas");
    new_epoch(f);
    f->ledger.note.len = 5;
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "publication_changed");
    assert_non_null(strstr(f->err.text, "is gone"));
}

/* A look of an older transaction stands before more of what is ahead. */
static void what_was_recorded_of_versions_stays(void **state)
{
    struct fixture *f = *state;
    second_look(f, "bananas");
    struct progress before = newest_record(f);
    before.generation++;
    before.fingerprint.xid = 500;
    before.fingerprint.lsn = 0x2400;
    add(&f->ledger, &before);
    opens(f);
    assert_false(f->opening.unversioned);
    assert_int_equal(newest_record(f).fingerprint.xid, 500);
    assert_int_equal(newest_record(f).fingerprint.lsn, 0x2400);
    new_epoch(f);
    before = newest_record(f);
    before.generation++;
    before.fingerprint.xid = 0; /* of a version that did not know it */
    add(&f->ledger, &before);
    f->claimant.claimed = false;
    opens(f);
    assert_true(f->opening.unversioned);
    assert_int_equal(newest_record(f).fingerprint.xid, 700);
}

/* An epoch of this process recorded "a"; what was seen since is undone. */
static void seen_and_undone(struct fixture *f, struct published_seen seen)
{
    second_look(f, "apples");
    f->claimant.claimed = true;
    f->origin.lossy = true;
    f->opening.remembered = SPAN_LITERAL("apples");
    f->opening.remembered_hash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    f->opening.seen = seen;
}

static void what_was_seen_is_refused_though_it_is_undone(void **state)
{
    struct fixture *f = *state;
    seen_and_undone(f, (struct published_seen){.text = SPAN_LITERAL("bananas"), .lsn = 0x2600});
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "publication_changed");
    assert_non_null(strstr(f->err.text, "apples became bananas"));
    assert_int_equal(opening_keep_loss(&f->opening, SECOND_US, &f->err), 0);
    struct progress kept = newest_record(f);
    assert_string_equal(kept.fingerprint.hash, "lostaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_true(progress_is_lost(&kept.fingerprint));
    assert_int_equal(kept.position.lsn, 0x2000);
    assert_non_null(strstr(buf_text(&f->ledger.note),
                           "lostaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nlost apples became bananas"));
    /* Another process knows it, too, and writes nothing again. */
    f->claimant.claimed = false;
    new_epoch(f);
    uint32_t count = f->ledger.count;
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "publication_changed");
    f->claimant.claimed = true;
    assert_int_equal(opening_keep_loss(&f->opening, SECOND_US, &f->err), 0);
    assert_int_equal(f->ledger.count, count);
}

static void what_a_guard_tells_is_refused_and_a_person_decides(void **state)
{
    struct fixture *f = *state;
    seen_and_undone(f,
                    (struct published_seen){.touched = SPAN_LITERAL("table a.b"), .lsn = 0x2600});
    f->opening.guard_lsn = 0x2100;
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "publication_changed");
    assert_non_null(
        strstr(f->err.text, "table a.b was changed for a while, and put back or dropped"));
    assert_non_null(strstr(f->err.text, "between 0/2100 and"));
    struct published_seen seen = f->opening.seen;
    struct progress decided = newest_record(f);
    decided.generation++;
    decided.guard = 0x2600;
    add(&f->ledger, &decided);
    new_epoch(f);
    f->opening.remembered_hash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    f->opening.seen = seen;
    assert_int_equal(opening_look(&f->opening, SECOND_US, &f->err), 0);
}

/* What makes it unfit is told; what was lost by it stands in the record. */
static void what_is_unfit_may_have_lost_rows(void **state)
{
    struct fixture *f = *state;
    second_look(f, "bananas");
    f->claimant.claimed = true;
    f->origin.lossy = true;
    (void)error_stop(&f->origin.unfit, REASON_PUBLICATION_MISSING, "there is none");
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "publication_missing");
    assert_int_equal(opening_keep_loss(&f->opening, SECOND_US, &f->err), 0);
    struct progress kept = newest_record(f);
    assert_true(progress_is_lost(&kept.fingerprint));
}

/* A note that no topic takes was tried for ever. */
static void a_long_text_has_no_note(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(PUBLISHED_NOTE_MAX + 2);
    memset(text, 'a', PUBLISHED_NOTE_MAX + 1);
    text[PUBLISHED_NOTE_MAX + 1] = '\0';
    f->origin.sends = text;
    opens(f);
    assert_true(f->ledger.note.len < 1000);
    f->claimant.claimed = false;
    new_epoch(f);
    opens(f); /* nothing has changed */
    f->claimant.claimed = false;
    new_epoch(f);
    f->origin.sends = "bananas";
    f->origin.lossy = true;
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "publication_changed");
    assert_non_null(strstr(f->err.text, "lost what was sent takes 900001 bytes"));
    /* Whoever remembers it does not need the note. */
    new_epoch(f);
    f->origin.lossy = false;
    f->opening.remembered = span_of(text);
    f->opening.remembered_hash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    assert_int_equal(opening_look(&f->opening, SECOND_US, &f->err), 0);
    assert_int_equal(f->opening.published.news, PUBLISHED_GREW);
    /* Nor is a loss kept with such a text. */
    new_epoch(f);
    f->origin.lossy = true;
    f->claimant.claimed = true;
    f->opening.remembered = span_of(text);
    f->opening.remembered_hash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "publication_changed");
    assert_int_equal(opening_keep_loss(&f->opening, SECOND_US, &f->err), 0);
    assert_true(f->ledger.note.len < 1000);
    free(text);
}

/* Who holds nothing fences nobody to say so. */
static void a_loss_found_at_the_first_look_takes_nothing(void **state)
{
    struct fixture *f = *state;
    second_look(f, "bananas");
    f->origin.lossy = true;
    uint32_t taken_over = f->ledger.taken_over;
    fails(f, opening_look(&f->opening, SECOND_US, &f->err), ERROR_STOP, "publication_changed");
    assert_int_equal(opening_keep_loss(&f->opening, SECOND_US, &f->err), 0);
    assert_int_equal(f->ledger.taken_over, taken_over);
}

/* Whoever ran until now may have recorded another fingerprint since we compared. */
static void rerecord(struct model_ledger *l)
{
    struct progress other = recorded;
    other.generation = 9;
    memset(other.fingerprint.hash, 'c', sizeof other.fingerprint.hash - 1);
    add(l, &other);
}

static void what_was_compared_must_still_be_recorded(void **state)
{
    struct fixture *f = *state;
    second_look(f, "apples");
    f->ledger.at_take_over = rerecord;
    assert_int_equal(opening_look(&f->opening, SECOND_US, &f->err), 0);
    fails(f, opening_take_over(&f->opening, 0, &f->err), ERROR_RETRY, "progress_moved");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_claims_with_the_next_generation),
        TEST(another_configuration_asks_for_nothing_again),
        TEST(what_is_refused_takes_nothing_over),
        TEST(who_finds_anothers_claim_leaves),
        TEST(a_predecessor_that_is_still_seen_is_no_successor),
        TEST(a_refusal_beside_a_successor_is_his_doing),
        TEST(what_was_judged_is_judged_again),
        TEST(refused_behind_the_take_over_claims_nothing),
        TEST(a_record_that_vanishes_is_no_first_run),
        TEST(a_topic_that_is_away_is_looked_for_anew),
        TEST(an_idle_predecessor_is_evicted),
        TEST(a_successor_is_not_evicted),
        TEST(a_holder_that_stays_is_waited_for_and_no_longer),
        TEST(an_older_record_takes_the_fingerprint_over),
        TEST(what_is_as_recorded_asks_for_no_note),
        TEST(what_only_grew_is_recorded_and_gone_on_from),
        TEST(what_may_have_lost_rows_is_refused_before_anything_is_taken),
        TEST(what_is_remembered_is_not_read_and_a_strange_note_is_none),
        TEST(what_was_recorded_of_versions_stays),
        TEST(what_was_seen_is_refused_though_it_is_undone),
        TEST(what_a_guard_tells_is_refused_and_a_person_decides),
        TEST(what_is_unfit_may_have_lost_rows),
        TEST(a_long_text_has_no_note),
        TEST(a_loss_found_at_the_first_look_takes_nothing),
        TEST(what_was_compared_must_still_be_recorded),
        TEST(a_regression_is_refused_in_the_origins_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
