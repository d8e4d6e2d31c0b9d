/* relay/retry: see retry.h. It decides about one letter after the other, in the order of their
 * changes; what is let go of is decided behind the last. Marks come behind all events: where these
 * are in no transaction, a mark that was seen without its event would be the loss of that. */
#include "relay/retry.h"

#include "json/json_write.h"
#include "model/header_name.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

struct retrying {
    struct retry *r;
    const struct change *command;
    struct batch *batch;
    struct retry_outcome *outcome;
    struct replay_letter *letter; /* at hand */
};

/* ---- Marks ---- */

static void add_mark(struct retrying *t, bool first)
{
    struct batch *batch = t->batch;
    const char *what = t->r->replay->wish.drop ? "dropped" : "retried";
    struct buf json = BUF_EMPTY;
    char id[CHANGE_ID_TEXT_MAX];
    change_id_format(t->r->replay->system_identifier, t->letter->id, id);
    struct json_writer w = json_writer(&json);
    json_write_begin_object(&w);
    json_write_member_u64(&w, "v", 1);
    json_write_member_text(&w, "id", id);
    json_write_member_string(&w, "route", t->letter->route);
    json_write_member_text(&w, "letter", what);
    json_write_member_u64(&w, "command", t->command->message.command->id);
    json_write_end_object(&w);
    batch_widen(batch, 1);
    struct message *mark = batch_next(batch);
    struct header *headers = arena_alloc(&batch->arena, 3 * sizeof *headers);
    headers[0] =
        (struct header){SPAN_LITERAL(HEADER_ID), span_of(arena_text(&batch->arena, span_of(id)))};
    headers[1] = (struct header){SPAN_LITERAL(HEADER_ERROR_ROUTE),
                                 arena_copy(&batch->arena, t->letter->route)};
    headers[2] = (struct header){SPAN_LITERAL(HEADER_LETTER), span_of(what)};
    *mark = (struct message){
        .own_state = true,
        .behind_all = first,
        .topic = span_of(arena_text(&batch->arena, span_of(t->r->letter_topic))),
        .key = t->letter->key.ptr != NULL ? arena_copy(&batch->arena, t->letter->key) : span_null(),
        .value = arena_copy(&batch->arena, buf_span(&json)),
        .partition = -1,
        .route = MESSAGE_NO_ROUTE,
        .timestamp_ms = t->command->commit_time_us / 1000,
        .header_count = 3,
        .headers = headers,
        .id = t->command->id,
        .position = t->command->position};
    batch_add(batch);
    buf_fini(&json);
}

static void add_marks(struct retrying *t)
{
    struct replay *p = t->r->replay;
    bool first = true;
    for (uint32_t i = 0; i < p->count; i++) {
        t->letter = &p->letters[i];
        if (!t->letter->settled)
            continue;
        add_mark(t, first);
        first = false;
    }
}

/* ---- One letter ---- */

static int32_t route_of(const struct retrying *t)
{
    const struct config_routes *routes = t->r->filler->o.verdicts->routes;
    for (uint32_t i = 0; i < routes->count; i++)
        if (span_equal_text(t->letter->route, routes->items[i].name.text))
            return (int32_t)i;
    return -1;
}

static struct held_key *group_of(const struct retrying *t)
{
    struct held_key *entry = quarantine_find(t->r->quarantine, t->letter->route, t->letter->key);
    return entry != NULL ? entry->group : NULL;
}

static void leave(struct retrying *t, const char *why)
{
    struct retry_outcome *o = t->outcome;
    struct held_key *group = group_of(t);
    char id[CHANGE_ID_TEXT_MAX];
    if (o->why[0] == '\0')
        snprintf(o->why, sizeof o->why, "%s: %s",
                 change_id_format(t->r->replay->system_identifier, t->letter->id, id), why);
    o->left++;
    if (group != NULL)
        group->blocked = true;
}

/* 0: sent. 1: it stays. -1: the epoch must end. */
static int send_again(struct retrying *t, struct error *err)
{
    struct error why = ERROR_INIT;
    struct change change;
    uint32_t made;
    int32_t route = route_of(t);
    if (t->letter->foreign)
        return leave(t, "it is of another database: drop it"), 1;
    if (route < 0)
        return leave(t, "its route is no longer in the file"), 1;
    if (t->letter->value.ptr == NULL)
        return leave(t, "its value was left out (walferry-error-truncated): drop it"), 1;
    if (letter_reader_read(t->r->letters, t->letter->value, &change, &why) < 0)
        return leave(t, why.text), 1;
    if (filler_replay(t->r->filler, &change, (uint32_t)route, t->command, t->batch, &made, &why) ==
        0)
        return 0;
    if (why.kind != ERROR_DATA) {
        *err = why;
        return -1;
    }
    return leave(t, why.text), 1;
}

static int take_letter(struct retrying *t, struct error *err)
{
    struct retry_outcome *o = t->outcome;
    struct held_key *group = group_of(t);
    if (t->r->replay->wish.drop) {
        t->letter->settled = true;
        o->dropped++;
        return 0;
    }
    if (group != NULL && group->blocked) {
        leave(t, "an earlier letter of its key stays");
        return 0;
    }
    int result = send_again(t, err);
    if (result == 0) {
        t->letter->settled = true;
        o->sent++;
    }
    return result < 0 ? -1 : 0;
}

/* ---- What is let go of ---- */

static bool is_wanted(const struct retrying *t, const struct held_key *entry)
{
    const struct replay *p = t->r->replay;
    const struct held_key *held;
    if (p->wish.route.ptr != NULL && !span_equal(p->wish.route, entry->route))
        return false;
    if (p->wish.all)
        return true;
    struct span key = p->wish.keyed ? p->wish.key : p->count > 0 ? p->letters[0].key : span_null();
    held = quarantine_find(t->r->quarantine, entry->route, key);
    return held != NULL && held->group == entry->group;
}

/* A letter that this epoch has made, in the command's own transaction, was not read. */
static void lift(struct retrying *t)
{
    struct quarantine *q = t->r->quarantine;
    size_t cursor = 0;
    struct span name;
    void *value;
    while (table_next(&q->keys, &cursor, &name, &value)) {
        struct held_key *entry = value;
        if (entry->held && !entry->group->blocked && !entry->group->fresh && is_wanted(t, entry))
            t->outcome->lifted += quarantine_lift(q, entry->group, t->command, t->batch);
    }
}

/* ---- All of them ---- */

/* A record of an earlier try was refused: nothing says which letter it was of. */
static const char *refused(const struct retrying *t, const char **route)
{
    const struct verdict_facts *facts = t->r->filler->o.verdicts;
    for (uint32_t i = 0; i < facts->routes->count; i++) {
        const struct verdict_unit unit = {t->command->id, i};
        const char *text = verdict_refused(facts, unit);
        *route = facts->routes->items[i].name.text;
        if (text != NULL && !verdict_measures(facts, unit)) /* else it is cut this time */
            return text;
    }
    return NULL;
}

static enum retried work(struct retrying *t, struct error *err)
{
    struct replay *p = t->r->replay;
    const char *route, *why = refused(t, &route);
    if (why != NULL) {
        snprintf(t->outcome->why, sizeof t->outcome->why,
                 "route %s, nothing was sent: %s; send fewer of them, by key or id", route, why);
        return RETRY_REFUSED;
    }
    if (p->count == 0 && !change_id_is_none(p->wish.id)) {
        snprintf(t->outcome->why, sizeof t->outcome->why,
                 "there is no such dead letter, or it was sent again or dropped before");
        return RETRY_REFUSED;
    }
    if (p->count == 0 && t->command->id.kind != CHANGE_ID_WAL) {
        snprintf(t->outcome->why, sizeof t->outcome->why,
                 "dead letters of a relay that polls cannot be sent again, nor dropped");
        return RETRY_REFUSED;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        t->letter = &p->letters[i];
        t->outcome->last = t->letter->id;
        if (take_letter(t, err) < 0)
            return RETRY_FAILED;
    }
    add_marks(t);
    t->outcome->more = p->more;
    if (!p->more && !p->others)
        lift(t);
    return RETRY_DONE;
}

enum retried retry_carry_out(struct retry *r, const struct change *command, struct batch *batch,
                             struct retry_outcome *outcome, struct error *err)
{
    assert(command->message.command != NULL && outcome != NULL);
    struct arena arena;
    struct replay_wish wish;
    struct error bad = ERROR_INIT;
    *outcome = (struct retry_outcome){.why = ""};
    if (r->replay->command == command->message.command->id) {
        struct retrying t = {.r = r, .command = command, .batch = batch, .outcome = outcome};
        r->replay->command = 0;
        r->done_lsn = command->id.final_lsn;
        return work(&t, err);
    }
    arena_init(&arena, 1024, 1024);
    enum retried result = RETRY_WAITS;
    if (replay_wish_read(command->message.command->text, &arena, &wish, &bad) < 0) {
        snprintf(outcome->why, sizeof outcome->why, "%.250s", bad.text);
        result = RETRY_REFUSED;
    } else if (r->done_lsn == command->id.final_lsn) {
        /* Its epoch would end before the first of them is committed, again and again. */
        snprintf(outcome->why, sizeof outcome->why,
                 "one retry or drop in a transaction; send it by itself");
        result = RETRY_REFUSED;
    }
    arena_fini(&arena);
    return result;
}
