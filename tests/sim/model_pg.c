/* sim/model_pg: see the header. */
#include "model_pg.h"

#include "large.h"
#include "pgoutput_encoder.h"
#include "wrong.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define OUTBOX_OID 1000
#define OTHER_OID 2000

void model_pg_init(struct model_pg *pg, struct random *random, uint64_t seed)
{
    *pg = (struct model_pg){
        .random = random, .confirmed_lsn = WORKLOAD_FIRST_LSN, .durable_lsn = WORKLOAD_FIRST_LSN};
    workload_init(&pg->work, seed);
}

void model_pg_fini(struct model_pg *pg)
{
    workload_fini(&pg->work);
    buf_fini(&pg->underway);
}

void model_pg_start(struct model_pg *pg, uint64_t start_lsn)
{
    pg->start_lsn = start_lsn > pg->confirmed_lsn ? start_lsn : pg->confirmed_lsn;
    pg->connected = true;
    buf_reset(&pg->underway);
    pg->quiet_until_us = 0;
    pg->relations_sent = 0;
    pg->position = 0;
    pg->cursor = 0;
    while (pg->cursor < pg->work.record_count && pg->work.records[pg->cursor].lsn < pg->start_lsn)
        pg->cursor++;
    /* A server that went back sends a little more than it was asked for; we must drop it. */
    while (pg->cursor > 0 && pg->confirmed_lsn < start_lsn && random_once_in(pg->random, 6) &&
           pg->work.records[pg->cursor - 1].lsn >= pg->confirmed_lsn)
        pg->cursor--;
}

void model_pg_disconnect(struct model_pg *pg)
{
    pg->connected = false;
}

void model_pg_crash(struct model_pg *pg)
{
    pg->connected = false;
    pg->confirmed_lsn = pg->durable_lsn;
}

void model_pg_confirm(struct model_pg *pg, uint64_t flush_lsn)
{
    if (flush_lsn > pg->confirmed_lsn)
        pg->confirmed_lsn = flush_lsn;
    if (random_once_in(pg->random, 4))
        pg->durable_lsn = pg->confirmed_lsn;
}

/* ---- The walsender ---- */

static uint64_t sent_lsn(const struct model_pg *pg)
{
    return pg->cursor < pg->work.record_count ? pg->work.records[pg->cursor].lsn : pg->work.wal_lsn;
}

static void add_relation(struct buf *message, uint32_t oid)
{
    struct column outbox[] = {{.name = SPAN_LITERAL("id"), .type_oid = TYPE_TEXT},
                              {.name = SPAN_LITERAL("aggregatetype"), .type_oid = TYPE_TEXT},
                              {.name = SPAN_LITERAL("aggregateid"), .type_oid = TYPE_TEXT},
                              {.name = SPAN_LITERAL("type"), .type_oid = TYPE_TEXT},
                              {.name = SPAN_LITERAL("payload"), .type_oid = TYPE_TEXT}};
    struct relation relation = {.oid = oid,
                                .schema = SPAN_LITERAL("public"),
                                .name = oid == OUTBOX_OID ? SPAN_LITERAL("outbox")
                                                          : SPAN_LITERAL("other"),
                                .identity = 'd',
                                .column_count = 5,
                                .columns = outbox};
    write_relation(message, &relation);
}

/* Any number of 0 to 2^32, always the same for the same place. */
static uint32_t mix(uint64_t place)
{
    struct random random = random_seeded(place + 1);
    random_u64(&random);
    return (uint32_t)(random_u64(&random) >> 32);
}

/* One row in eight is large. */
static size_t payload_bytes(const struct model_pg *pg, uint32_t event)
{
    uint32_t max = pg->pace.row_bytes_max;
    if (max == 0)
        return 0;
    uint32_t any = mix(event);
    return any % 8 == 0 ? max / 2 + any / 8 % (max / 2) : any / 8 % (max / 16);
}

static void add_command(const struct pg_change_spec *change, struct buf *message)
{
    char body[40];
    snprintf(body, sizeof body, "{\"v\":1,\"id\":%u}", change->command);
    write_message(message, true, 1, "walferry:sim", span_of(body));
}

/* The payload begins with the event's number. */
static void add_insert(const struct model_pg *pg, const struct pg_change_spec *change,
                       struct buf *message)
{
    char id[16], key[16];
    struct buf payload = BUF_EMPTY;
    snprintf(id, sizeof id, "%u", change->event);
    snprintf(key, sizeof key, "k%u", change->key);
    if (pg->large && change->event != 0 && wrong_of(change->event) == WRONG_SIZE)
        large_payload(change->event, &payload);
    else
        buf_add(&payload, span_of(id));
    for (size_t left = payload_bytes(pg, change->event); left > 0; left--)
        buf_add_char(&payload, ' ');
    struct cell cells[] = {cell_text(id), cell_text("thing"), cell_text(key), cell_text("t"),
                           cell_text(buf_text(&payload))};
    if (pg->wrong && wrong_of(change->event) == WRONG_ROW)
        cells[1] = (struct cell){.kind = CELL_NULL};
    struct row row = {.count = 5, .cells = cells};
    write_insert(message, change->event != 0 ? OUTBOX_OID : OTHER_OID, &row);
    buf_fini(&payload);
}

static void txn_message(struct model_pg *pg, const struct pg_record *record, struct buf *message)
{
    int64_t time_us = INT64_C(1700000000000000) + record->xid * 1000;
    if (pg->position == 0)
        write_begin(message, record->lsn, time_us, record->xid);
    else if (pg->position <= record->change_count && record->changes[pg->position - 1].command != 0)
        add_command(&record->changes[pg->position - 1], message);
    else if (pg->position <= record->change_count)
        add_insert(pg, &record->changes[pg->position - 1], message);
    else
        write_commit(message, record->lsn, record->end_lsn, time_us);
    if (pg->position++ > record->change_count) {
        pg->position = 0;
        pg->cursor++;
    }
}

static bool send_relation(struct model_pg *pg, struct buf *message)
{
    if (pg->relations_sent == 2 || pg->position != 1)
        return false;
    add_relation(message, pg->relations_sent++ == 0 ? OUTBOX_OID : OTHER_OID);
    return true;
}

/* Outside a transaction. A server that asks again and again is in a shutdown (source_standby), so
 * one with a pace keeps it. */
static bool keepalive_due(struct model_pg *pg, bool dry)
{
    if (pg->pace.keepalive_us == 0)
        return dry ? random_once_in(pg->random, 3) : random_once_in(pg->random, 10);
    if (pg->now_us < pg->keepalive_at_us)
        return false;
    pg->keepalive_at_us = pg->now_us + pg->pace.keepalive_us;
    return true;
}

static bool next_message(struct model_pg *pg, struct buf *out)
{
    bool inside = pg->position > 0;
    bool dry = pg->cursor == pg->work.record_count;
    bool keepalive = !inside && keepalive_due(pg, dry);
    if (dry && !keepalive)
        return false;
    if (keepalive) {
        write_keepalive(out, sent_lsn(pg), pg->now_us, random_once_in(pg->random, 4));
        return true;
    }
    struct buf message = BUF_EMPTY;
    const struct pg_record *record = &pg->work.records[pg->cursor];
    if (record->kind == RECORD_MESSAGE) {
        write_message(&message, false, record->lsn, "noise", SPAN_LITERAL("x"));
        pg->cursor++;
    } else if (!send_relation(pg, &message)) {
        txn_message(pg, record, &message);
    }
    write_xlogdata(out, record->lsn, record->lsn, pg->now_us, buf_span(&message));
    buf_fini(&message);
    return true;
}

/* ---- A slow one ---- */

/* What is decoded at this place is not published, and takes long. 1: silent, 0: not, or no more; a
 * keepalive is in *out where one is due. */
static bool is_quiet(struct model_pg *pg, struct buf *out)
{
    if (pg->pace.quiet_us == 0 || pg->position < 2)
        return false; /* a transaction's first change always comes */
    const struct pg_record *record = &pg->work.records[pg->cursor];
    if (record->xid % 3 != 0 || pg->position != 2 + mix(record->xid) % record->change_count)
        return false;
    if (pg->quiet_until_us == 0) {
        pg->quiet_until_us = pg->now_us + pg->pace.quiet_us;
        pg->keepalive_at_us = pg->now_us + pg->pace.keepalive_us;
    }
    if (pg->now_us >= pg->quiet_until_us)
        return false;
    if (pg->now_us >= pg->keepalive_at_us) {
        pg->keepalive_at_us += pg->pace.keepalive_us;
        write_keepalive(out, record->lsn, pg->now_us, random_once_in(pg->random, 4));
    }
    return true;
}

/* True where the message that is under way has arrived, or none is. */
static bool has_arrived(struct model_pg *pg, struct buf *out)
{
    if (pg->pace.bytes_per_s == 0 || pg->underway.len == 0)
        return true;
    if (pg->now_us < pg->arrives_us)
        return false;
    buf_add(out, buf_span(&pg->underway));
    buf_reset(&pg->underway);
    return true;
}

bool model_pg_arriving(const struct model_pg *pg)
{
    return pg->connected && pg->underway.len > 0;
}

bool model_pg_send(struct model_pg *pg, struct buf *out)
{
    if (!pg->connected || !has_arrived(pg, out))
        return false;
    if (out->len > 0)
        return true;
    if (is_quiet(pg, out))
        return out->len > 0;
    pg->quiet_until_us = 0;
    if (pg->pace.bytes_per_s == 0)
        return next_message(pg, out);
    if (!next_message(pg, &pg->underway))
        return false;
    pg->arrives_us = pg->now_us + (int64_t)pg->underway.len * 1000000 / pg->pace.bytes_per_s;
    return false;
}
