/* scripted_source: see the header. The script is written before it is read and never wraps. */
#include "scripted_source.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define COMMIT_TIME_US INT64_C(1700000000000000)

static struct column outbox_columns[SCRIPT_COLUMNS] = {
    {{"id", 2}, TYPE_INT8, -1, true, NULL},
    {{"aggregatetype", 13}, TYPE_TEXT, -1, false, NULL},
    {{"aggregateid", 11}, TYPE_TEXT, -1, false, NULL},
    {{"type", 4}, TYPE_TEXT, -1, false, NULL},
    {{"payload", 7}, TYPE_JSONB, -1, false, NULL},
};
static struct relation outbox = {
    1, {"public", 6}, {"outbox", 6}, 'd', SCRIPT_COLUMNS, outbox_columns, 1, false, {.count = 0}};
static struct relation other = {2, {"public", 6}, {"other", 5}, 'd', SCRIPT_COLUMNS, outbox_columns,
                                1, false,         {.count = 0}};

/* ---- The source ---- */

static enum step next(struct source *base, int64_t now_us, struct change *change, struct error *err)
{
    struct scripted_source *s = (struct scripted_source *)base;
    (void)now_us;
    s->nexts++;
    if (s->next < s->count) {
        *change = s->items[s->next++].change;
        return 1;
    }
    if (s->failure.kind == ERROR_NONE)
        return 0;
    *err = s->failure;
    return -1;
}

static void wait_for(struct source *base, int *fd, int64_t *deadline_us)
{
    struct scripted_source *s = (struct scripted_source *)base;
    *fd = s->fd;
    *deadline_us = s->deadline_us;
}

static int tick(struct source *base, int64_t now_us, struct error *err)
{
    struct scripted_source *s = (struct scripted_source *)base;
    (void)now_us;
    s->ticks++;
    if (s->tick_failure.kind == ERROR_NONE)
        return 0;
    *err = s->tick_failure;
    return -1;
}

static void confirm(struct source *base, struct position committed, struct span resume)
{
    struct scripted_source *s = (struct scripted_source *)base;
    assert(position_compare(s->confirmed, committed) <= 0);
    s->confirmed = committed;
    snprintf(s->resume, sizeof s->resume, "%.*s", SPAN_ARG(resume));
    s->confirms++;
}

static void report(const struct source *base, struct source_status *status)
{
    const struct scripted_source *s = (const struct scripted_source *)base;
    status->received_lsn = s->lsn;
    status->confirmed = s->confirmed;
}

static void close_source(struct source *base, int64_t deadline_us)
{
    (void)base;
    (void)deadline_us;
}

static const struct source_ops ops = {.name = "script",
                                      .next = next,
                                      .wait = wait_for,
                                      .tick = tick,
                                      .confirm = confirm,
                                      .report = report,
                                      .close = close_source};

void script_init(struct scripted_source *s, uint64_t start_lsn)
{
    *s = (struct scripted_source){.base.ops = &ops,
                                  .lsn = start_lsn,
                                  .fd = -1,
                                  .deadline_us = INT64_MAX,
                                  .xid = 700,
                                  .commit_time_us = COMMIT_TIME_US};
    s->items = calloc(SCRIPT_ITEMS_MAX, sizeof *s->items);
    if (s->items == NULL)
        abort();
}

void script_fini(struct scripted_source *s)
{
    free(s->items);
}

/* ---- The script ---- */

static struct script_item *add(struct scripted_source *s, enum change_op op)
{
    assert(s->count < SCRIPT_ITEMS_MAX);
    struct script_item *item = &s->items[s->count++];
    *item = (struct script_item){.change = {.op = op, .position = {s->lsn, 0}}};
    item->change.sent_time_us = s->sent_time_us;
    if (s->final_lsn != 0) {
        item->change.id = change_id_wal(s->final_lsn, 0);
        item->change.xid = s->xid;
        item->change.commit_time_us = s->commit_time_us;
    }
    return item;
}

static void count_change(struct scripted_source *s, struct change *change)
{
    assert(s->final_lsn != 0);
    change->id.ordinal = change->position.seq = ++s->ordinal;
}

void script_begin(struct scripted_source *s, uint64_t final_lsn)
{
    assert(s->final_lsn == 0 && final_lsn >= s->lsn);
    s->final_lsn = final_lsn;
    s->ordinal = 0;
    s->xid++;
    add(s, CHANGE_BEGIN);
}

static void add_row(struct scripted_source *s, enum change_op op, struct relation *relation,
                    const char *topic, const char *payload)
{
    struct script_item *item = add(s, op);
    count_change(s, &item->change);
    snprintf(item->payload, sizeof item->payload, "%s", payload);
    const char *texts[SCRIPT_COLUMNS] = {"7", topic, "k1", "Made", item->payload};
    for (int i = 0; i < SCRIPT_COLUMNS; i++)
        item->cells[i] = (struct cell){texts[i] != NULL ? CELL_TEXT : CELL_NULL, span_of(texts[i])};
    item->change.relation = relation;
    struct row row = {.count = SCRIPT_COLUMNS, .cells = item->cells};
    if (op == CHANGE_DELETE)
        item->change.before = row;
    else
        item->change.after = row;
}

void script_row(struct scripted_source *s, enum change_op op, const char *topic,
                const char *payload)
{
    add_row(s, op, &outbox, topic, payload);
}

void script_insert(struct scripted_source *s, const char *payload)
{
    add_row(s, CHANGE_INSERT, &outbox, "shop", payload);
}

void script_other(struct scripted_source *s)
{
    add_row(s, CHANGE_INSERT, &other, "shop", "{}");
}

void script_message(struct scripted_source *s, const char *prefix, const char *content,
                    bool transactional)
{
    struct script_item *item = add(s, CHANGE_MESSAGE);
    item->change.message.prefix = span_of(prefix);
    item->change.message.content = span_of(content);
    item->change.message.transactional = transactional;
    if (transactional)
        count_change(s, &item->change);
}

void script_command(struct scripted_source *s, const struct sent_command *command)
{
    script_message(s, "walferry:orders", "{\"v\":1,\"id\":7}", true);
    s->items[s->count - 1].change.message.command = command;
}

void script_commit(struct scripted_source *s)
{
    assert(s->final_lsn != 0);
    struct script_item *item = add(s, CHANGE_COMMIT);
    s->lsn = s->final_lsn + 0x10;
    s->final_lsn = 0;
    item->change.position = (struct position){s->lsn, 0};
}

void script_mark(struct scripted_source *s, uint64_t lsn, bool urgent)
{
    assert(s->final_lsn == 0 && lsn >= s->lsn);
    struct script_item *item = add(s, CHANGE_MARK);
    s->lsn = lsn;
    item->change.position = (struct position){lsn, 0};
    item->change.urgent = urgent;
}

void script_transaction(struct scripted_source *s, uint64_t final_lsn, uint32_t rows)
{
    script_begin(s, final_lsn);
    for (uint32_t i = 1; i <= rows; i++) {
        char payload[32];
        snprintf(payload, sizeof payload, "%u", i);
        script_insert(s, payload);
    }
    script_commit(s);
}

/* ---- The route ---- */

struct config_text script_text(const char *text)
{
    return (struct config_text){.text = text, .file = "test.yaml", .line = 1};
}

struct config_route script_route(void)
{
    return (struct config_route){.name = script_text("outbox"),
                                 .from = script_text("public.outbox"),
                                 .columns = {.id = script_text("id"),
                                             .aggregate_type = script_text("aggregatetype"),
                                             .aggregate_id = script_text("aggregateid"),
                                             .type = script_text("type"),
                                             .payload = script_text("payload")},
                                 .topic = script_text("outbox.event.{aggregatetype}"),
                                 .key = script_text("{aggregateid}"),
                                 .on_error = ON_ERROR_STOP};
}
