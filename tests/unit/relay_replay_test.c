/* relay/replay: which letters command after command works on. Random topics with random holders,
 * marks and tails: what is chosen with the index of the load before is what is chosen with none,
 * and the whole of a retry reads the topic a few times and not once for each command. */
#include "model/header_name.h"
#include "relay/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SYSTEM 7000
#define RECORDS_MAX 40000
#define PARTITIONS 3
#define KEYS 6

struct record {
    int32_t partition;
    int64_t offset;
    bool mark;
    unsigned key, route; /* key 0: null */
    char id[CHANGE_ID_TEXT_MAX];
    uint64_t lsn;
};

struct bench {
    struct record *records;
    uint32_t count, at;
    int64_t ends[PARTITIONS];
    const struct kafka_letter_range *ranges;
    uint32_t range_count;
    int32_t partition; /* at hand */
    uint64_t read;     /* records that were handed out */
    uint32_t known;    /* commands before which something was kept */
    uint64_t seed;
    uint64_t lsn;
    bool held[KEYS];
    struct metrics *metrics;
    struct quarantine q[2];
    struct replay replay[2];
    struct letter_index kept;
    struct replay_limits limits;
    char header_id[CHANGE_ID_TEXT_MAX], key[8], route[8];
    struct header headers[3];
};

static uint32_t below(struct bench *b, uint32_t limit)
{
    b->seed = b->seed * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(b->seed >> 33) % limit;
}

/* ---- The topic ---- */

static void add(struct bench *b, const struct record *like)
{
    assert_true(b->count < RECORDS_MAX);
    struct record *r = &b->records[b->count++];
    *r = *like;
    r->partition = (int32_t)(r->key % PARTITIONS);
    r->offset = b->ends[r->partition];
    b->ends[r->partition] += 1 + below(b, 3); /* markers of transactions */
}

static void add_letters(struct bench *b, uint32_t count)
{
    while (count-- > 0) {
        struct record r = {.key = below(b, KEYS), .route = below(b, 2)};
        uint32_t ordinal = 1 + below(b, 3);
        b->lsn += below(b, 4) == 0 ? 0 : 16;
        for (uint32_t i = 0; i < b->count; i++)
            ordinal += b->records[i].lsn == b->lsn && !b->records[i].mark ? 4 : 0;
        r.lsn = b->lsn;
        change_id_format(SYSTEM, change_id_wal(b->lsn, ordinal), r.id);
        add(b, &r);
    }
}

static int begin(void *of, const struct kafka_letter_range *ranges, uint32_t count,
                 struct error *err)
{
    struct bench *b = of;
    (void)err;
    b->at = 0;
    b->partition = 0;
    b->ranges = ranges;
    b->range_count = count;
    return 0;
}

static bool is_in_range(const struct bench *b, const struct record *r)
{
    if (r->partition != b->partition)
        return false;
    if ((uint32_t)r->partition >= b->range_count)
        return true;
    const struct kafka_letter_range *range = &b->ranges[r->partition];
    return r->offset >= range->from && r->offset < range->until;
}

static void fill(struct bench *b, const struct record *r, struct kafka_letter *letter)
{
    snprintf(b->header_id, sizeof b->header_id, "%s", r->id);
    snprintf(b->key, sizeof b->key, "k%u", r->key);
    snprintf(b->route, sizeof b->route, "r%u", r->route);
    b->headers[0] = (struct header){SPAN_LITERAL(HEADER_ID), span_of(b->header_id)};
    b->headers[1] = (struct header){SPAN_LITERAL(HEADER_ERROR_ROUTE), span_of(b->route)};
    b->headers[2] = (struct header){SPAN_LITERAL(HEADER_LETTER), SPAN_LITERAL("retried")};
    *letter = (struct kafka_letter){.partition = r->partition,
                                    .offset = r->offset,
                                    .key = r->key != 0 ? span_of(b->key) : span_null(),
                                    .value = SPAN_LITERAL("value"),
                                    .header_count = r->mark ? 3 : 2,
                                    .headers = b->headers};
}

static int next(void *of, struct kafka_letter *letter, struct error *err)
{
    struct bench *b = of;
    (void)err;
    for (; b->partition < PARTITIONS; b->partition++, b->at = 0)
        while (b->at < b->count) {
            const struct record *r = &b->records[b->at++];
            if (!is_in_range(b, r))
                continue;
            fill(b, r, letter);
            b->read++;
            return 1;
        }
    return 0;
}

/* ---- Two that read it ---- */

static void open_bench(struct bench *b, uint64_t seed)
{
    *b = (struct bench){.seed = seed, .lsn = 0x1000};
    b->records = calloc(RECORDS_MAX, sizeof *b->records);
    b->metrics = metrics_open("bench", 0, NULL);
    b->limits = (struct replay_limits){.letters_max = 1 + below(b, 6), .bytes_max = 1000};
    b->limits.window_max = b->limits.letters_max + 1 + below(b, 12);
    for (int i = 0; i < 2; i++) {
        quarantine_init(&b->q[i], true, "bench", 100, b->metrics);
        replay_init(&b->replay[i], SYSTEM);
    }
}

static void close_bench(struct bench *b)
{
    for (int i = 0; i < 2; i++) {
        quarantine_fini(&b->q[i]);
        replay_fini(&b->replay[i]);
    }
    letter_index_forget(&b->kept);
    metrics_close(b->metrics);
    free(b->records);
}

static struct quarantine *hold_keys(struct bench *b, int which)
{
    struct quarantine *q = &b->q[which];
    struct error err = ERROR_INIT;
    quarantine_fini(q);
    quarantine_init(q, true, "bench", 100, b->metrics);
    for (unsigned key = 1; key < KEYS; key++)
        for (unsigned route = 0; route < 2 && b->held[key]; route++) {
            char name[32];
            snprintf(name, sizeof name, "[\"r%u\",\"k%u\"]", route, key);
            const char *value = key == 2 ? "{\"v\":1,\"since\":\"x\",\"with\":\"k1\"}"
                                         : "{\"v\":1,\"since\":\"x\"}";
            assert_int_equal(quarantine_load(q, span_of(name), span_of(value), &err), 0);
        }
    return q;
}

static void load(struct bench *b, int which, const char *text, struct letter_index *index)
{
    const struct letter_source source = {.of = b, .begin = begin, .next = next};
    struct error err = ERROR_INIT;
    assert_int_equal(replay_load(&b->replay[which], 7, span_of(text), hold_keys(b, which),
                                 &b->limits, &source, index, &err),
                     0);
}

static bool is_blocked(struct quarantine *q, const struct replay_letter *letter)
{
    struct held_key *entry = quarantine_find(q, letter->route, letter->key);
    return entry != NULL && entry->group->blocked;
}

static void compare(struct bench *b, const char *text)
{
    const struct replay *x = &b->replay[0], *y = &b->replay[1];
    assert_int_equal(x->count, y->count);
    assert_true(x->more == y->more && x->others == y->others);
    for (uint32_t i = 0; i < x->count; i++) {
        const struct replay_letter *one = &x->letters[i], *other = &y->letters[i];
        if (!change_id_equal(one->id, other->id) || !span_equal(one->route, other->route) ||
            !span_equal(one->value, other->value))
            fail_msg("%s: letter %u is another one", text, i);
        if (is_blocked(&b->q[0], one) != is_blocked(&b->q[1], other))
            fail_msg("%s: letter %u is held back by one of them", text, i);
    }
}

/* ---- What a command does ---- */

/* Some stay, and what follows one of them that is held stays with it. */
static void carry_out(struct bench *b, uint32_t stay_percent)
{
    struct replay *p = &b->replay[0];
    for (uint32_t i = 0; i < p->count; i++) {
        const struct replay_letter *one = &p->letters[i];
        struct held_key *entry = quarantine_find(&b->q[0], one->route, one->key);
        bool stays = below(b, 100) < stay_percent || (entry != NULL && entry->group->blocked);
        if (stays && entry != NULL)
            entry->group->blocked = true;
        struct record mark = {.mark = true, .route = one->route.ptr[1] == '1'};
        mark.key = one->key.ptr != NULL ? (unsigned)(one->key.ptr[1] - '0') : 0;
        change_id_format(SYSTEM, one->id, mark.id);
        if (!stays)
            add(b, &mark);
    }
}

static void say(const struct bench *b, const char *which, char text[200])
{
    const struct replay *p = &b->replay[0];
    char id[CHANGE_ID_TEXT_MAX];
    int len = snprintf(text, 200, "{\"do\":\"retry\",%s", which);
    if (p->more && p->count > 0)
        len += snprintf(text + len, 200 - (size_t)len, ",\"after\":\"%s\"",
                        change_id_format(SYSTEM, p->letters[p->count - 1].id, id));
    snprintf(text + len, 200 - (size_t)len, "}");
}

static void one_command(struct bench *b, const char *which, uint32_t stay_percent)
{
    struct letter_index none = {0};
    char text[200];
    say(b, which, text);
    b->known += b->kept.part_count > 0 ? 1 : 0;
    load(b, 0, text, &b->kept);
    load(b, 1, text, &none);
    letter_index_forget(&none);
    compare(b, text);
    carry_out(b, stay_percent);
}

static void what_is_kept_changes_no_choice(void **state)
{
    uint32_t known = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 80; seed++) {
        static const char *const wishes[] = {"\"all\":true", "\"key\":\"k1\"",
                                             "\"all\":true,\"route\":\"r1\""};
        struct bench b;
        open_bench(&b, seed);
        add_letters(&b, 30 + below(&b, 60));
        const char *wish = wishes[below(&b, 3)];
        uint32_t stay_percent = below(&b, 3) * 20;
        for (int i = 0; i < 60; i++) {
            if (below(&b, 4) == 0)
                add_letters(&b, below(&b, 4));
            if (below(&b, 4) == 0)
                b.held[below(&b, KEYS)] ^= true;
            if (below(&b, 30) == 0)
                b.replay[0].more = false; /* somebody begins anew */
            if (below(&b, 30) == 0)
                wish = wishes[below(&b, 3)];
            one_command(&b, wish, stay_percent);
        }
        known += b.known;
        close_bench(&b);
    }
    assert_true(known > 800);
}

/* How often a record is read, where a command has a hundredth of the letters. */
static void each_is_read_a_few_times(void **state)
{
    struct bench b;
    (void)state;
    open_bench(&b, 1);
    add_letters(&b, 3000);
    b.limits = (struct replay_limits){.letters_max = 30, .bytes_max = 10000, .window_max = 1000};
    char text[200];
    uint32_t commands = 0;
    do {
        say(&b, "\"all\":true", text);
        load(&b, 0, text, &b.kept);
        carry_out(&b, 0);
        commands++;
    } while (b.replay[0].more);
    assert_int_equal(commands, 100);
    assert_int_equal(b.count, 6000);
    print_message("%.1f times\n", (double)b.read / b.count);
    assert_true(b.read < (uint64_t)b.count * 5);
    assert_null(b.kept.spots); /* nothing is kept behind the last */
    close_bench(&b);
}

/* Deleted and made anew: what was kept is worth nothing. */
static void another_topic_is_read_anew(void **state)
{
    struct bench b;
    (void)state;
    open_bench(&b, 3);
    add_letters(&b, 50);
    one_command(&b, "\"all\":true", 0);
    assert_non_null(b.kept.spots);
    b.count = 0;
    memset(b.ends, 0, sizeof b.ends);
    add_letters(&b, 200);
    b.replay[0].more = false;
    one_command(&b, "\"all\":true", 0);
    assert_true(b.replay[0].count > 0);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_changes_no_choice),
        cmocka_unit_test(each_is_read_a_few_times),
        cmocka_unit_test(another_topic_is_read_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
