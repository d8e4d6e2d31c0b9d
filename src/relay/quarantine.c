/* relay/quarantine: see quarantine.h. Entries stay where they are until the epoch ends, so that
 * pointers to them are good; there are never many more than keys_max, because whoever lets go of
 * keys begins a new epoch. */
#include "relay/quarantine.h"

#include "json/json_read.h"
#include "json/json_write.h"
#include "types/types.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ARENA_BYTES (16 * 1024)
#define KEY_BYTES 1024
#define RECORD_VERSION 1

void quarantine_init(struct quarantine *q, bool on, const char *relay, uint32_t keys_max,
                     struct metrics *metrics)
{
    assert(relay != NULL && metrics != NULL);
    *q = (struct quarantine){.on = on, .keys_max = keys_max, .metrics = metrics};
    topic_name_quarantine(relay, q->topic);
    arena_init(&q->arena, ARENA_BYTES, ARENA_BYTES);
    table_init(&q->keys, &q->arena);
}

void quarantine_fini(struct quarantine *q)
{
    arena_fini(&q->arena);
    buf_fini(&q->scratch);
    buf_fini(&q->value);
}

/* ---- Which are held ---- */

static struct span name_of(struct quarantine *q, struct span route, struct span key)
{
    buf_reset(&q->scratch);
    buf_add(&q->scratch, route);
    buf_add_char(&q->scratch, '\0');
    buf_add(&q->scratch, key);
    return buf_span(&q->scratch);
}

static struct held_key *known(struct quarantine *q, struct span route, struct span key)
{
    struct held_key *entry = table_get(&q->keys, name_of(q, route, key));
    if (entry != NULL)
        return entry;
    entry = arena_alloc_zero(&q->arena, sizeof *entry);
    struct span name = arena_copy(&q->arena, buf_span(&q->scratch));
    *entry = (struct held_key){
        .route = {name.ptr, route.len}, .key = {name.ptr + route.len + 1, key.len}, .group = entry};
    table_put(&q->keys, name, entry);
    return entry;
}

static void set_held(struct quarantine *q, struct held_key *entry, bool held)
{
    size_t bytes = entry->key.len + entry->route.len;
    if (entry->held == held)
        return;
    entry->held = held;
    q->held += held ? 1 : UINT32_MAX;
    q->bytes += held ? bytes : -bytes;
    metrics_set(q->metrics, METRIC_KEYS_HELD, q->held);
}

struct held_key *quarantine_find(struct quarantine *q, struct span route, struct span key)
{
    if (!q->on || q->held == 0 || key.ptr == NULL)
        return NULL;
    struct held_key *entry = table_get(&q->keys, name_of(q, route, key));
    return entry != NULL && entry->held ? entry : NULL;
}

bool quarantine_holds(struct quarantine *q, const char *route, struct span key)
{
    return q != NULL && quarantine_find(q, span_of(route), key) != NULL;
}

/* ---- Records ---- */

static struct span record_key(struct quarantine *q, const struct held_key *entry,
                              struct arena *arena)
{
    buf_reset(&q->value);
    struct json_writer w = json_writer(&q->value);
    json_write_begin_array(&w);
    json_write_string(&w, entry->route);
    types_write_bytes(&w, entry->key, arena);
    json_write_end_array(&w);
    return arena_copy(arena, buf_span(&q->value));
}

static struct span record_value(struct quarantine *q, const struct held_key *entry,
                                struct arena *arena)
{
    if (!entry->held)
        return span_null();
    buf_reset(&q->value);
    struct json_writer w = json_writer(&q->value);
    json_write_begin_object(&w);
    json_write_member_u64(&w, "v", RECORD_VERSION);
    json_write_member_string(&w, "since", entry->since);
    if (q->letters != NULL)
        json_write_member_text(&w, "letters", q->letters);
    if (entry->group != entry) {
        json_write_name(&w, "with");
        types_write_bytes(&w, entry->group->key, arena);
    }
    json_write_end_object(&w);
    return arena_copy(arena, buf_span(&q->value));
}

static void add_record(struct quarantine *q, const struct held_key *entry,
                       const struct change *change, struct batch *batch)
{
    batch_widen(batch, 1);
    struct message *message = batch_next(batch);
    message->own_state = true;
    message->topic = span_of(arena_text(&batch->arena, span_of(q->topic)));
    message->key = record_key(q, entry, &batch->arena);
    message->value = record_value(q, entry, &batch->arena);
    message->route = MESSAGE_NO_ROUTE;
    message->timestamp_ms = change->commit_time_us / 1000;
    message->id = change->id;
    message->position = change->position;
    batch_add(batch);
}

/* ---- Holding and letting go ---- */

/* What two groups have in common makes them one. */
static void join(struct quarantine *q, struct held_key *from, struct held_key *into,
                 const struct change *change, struct batch *batch)
{
    size_t cursor = 0;
    struct span name;
    void *value;
    into->blocked |= from->blocked;
    while (table_next(&q->keys, &cursor, &name, &value)) {
        struct held_key *entry = value;
        if (entry->group != from)
            continue;
        entry->group = into;
        if (entry->held)
            add_record(q, entry, change, batch);
    }
}

static int check_full(const struct quarantine *q, struct span key, struct error *err)
{
    if (q->held < q->keys_max && q->bytes + key.len <= (size_t)q->keys_max * KEY_BYTES)
        return 0;
    error_stop(err, REASON_QUARANTINE_FULL,
               "%" PRIu32 " keys of %zu bytes are held, and one more would be; "
               "dead_letter.keys_max allows %" PRIu32,
               q->held, q->bytes, q->keys_max);
    return error_hint(err, "raise dead_letter.keys_max and start again; then mend what made dead "
                           "letters of so many, and run walferry dead-letter retry --all");
}

int quarantine_hold(struct quarantine *q, struct held_key **group, const char *route,
                    struct span key, const struct change *change, struct batch *batch,
                    struct error *err)
{
    assert(q->on && group != NULL);
    if (key.ptr == NULL)
        return 0;
    struct held_key *entry = quarantine_find(q, span_of(route), key);
    if (entry != NULL) {
        if (*group == NULL)
            *group = entry->group;
        else if (*group != entry->group)
            join(q, entry->group, *group, change, batch);
        (*group)->fresh = true;
        return 0;
    }
    if (check_full(q, key, err) < 0)
        return -1;
    char id[CHANGE_ID_TEXT_MAX];
    entry = known(q, span_of(route), key);
    entry->group = *group != NULL ? *group : entry;
    entry->since = span_of(
        arena_text(&q->arena, span_of(change_id_format(q->system_identifier, change->id, id))));
    *group = entry->group;
    entry->group->fresh = true;
    set_held(q, entry, true);
    add_record(q, entry, change, batch);
    return 0;
}

uint32_t quarantine_lift(struct quarantine *q, struct held_key *group, const struct change *change,
                         struct batch *batch)
{
    size_t cursor = 0;
    struct span name;
    void *value;
    uint32_t lifted = 0;
    assert(group != NULL);
    while (table_next(&q->keys, &cursor, &name, &value)) {
        struct held_key *entry = value;
        if (!entry->held || entry->group != group)
            continue;
        set_held(q, entry, false);
        add_record(q, entry, change, batch);
        lifted++;
    }
    return lifted;
}

/* ---- Reading them back ---- */

static int unreadable(const struct quarantine *q, struct span key, struct error *err)
{
    error_stop(err, REASON_QUARANTINE_TOPIC,
               "topic %s has a record that no relay wrote, of key %.100s", q->topic,
               key.ptr != NULL ? key.ptr : "null");
    return error_hint(err, "write a record with that key and a null value there, and keep others "
                           "from writing to the topic");
}

static bool read_bytes(struct quarantine *q, const struct json_tree *node, struct span *bytes)
{
    struct span text;
    if (json_tree_string(node, bytes))
        return true;
    return json_tree_member_string(node, "base64", &text) &&
           types_from_base64(text, &q->arena, bytes);
}

static int load(struct quarantine *q, const struct json_tree *name, const struct json_tree *record,
                struct span value)
{
    struct span route, key, with, since, letters;
    uint64_t version;
    if (json_tree_count(name) != 2 || !json_tree_string(json_tree_at(name, 0), &route) ||
        !read_bytes(q, json_tree_at(name, 1), &key))
        return -1;
    struct held_key *entry = known(q, route, key);
    entry->group = entry;
    set_held(q, entry, false);
    if (value.ptr == NULL)
        return 0;
    if (!json_tree_member_u64(record, "v", &version) || version != RECORD_VERSION ||
        !json_tree_member_string(record, "since", &since))
        return -1;
    entry->since = arena_copy(&q->arena, since);
    entry->letters = span_null(); /* a record of an older version does not say where */
    if (q->letters != NULL && json_tree_member_string(record, "letters", &letters) &&
        !span_equal_text(letters, q->letters))
        entry->letters = arena_copy(&q->arena, letters);
    if (read_bytes(q, json_tree_member(record, "with"), &with))
        entry->group = known(q, route, with);
    set_held(q, entry, true);
    return 0;
}

static int refuse_letters(const struct quarantine *q, struct span letters, struct error *err)
{
    error_stop(err, REASON_LETTERS_ELSEWHERE,
               "keys are held for dead letters in topic %.*s, and dead_letter.topic is %s: a retry "
               "would let go of them without their letters",
               SPAN_ARG(letters), q->letters);
    return error_hint(err, "put dead_letter.topic back, run walferry dead-letter retry --all or "
                           "drop --all, then change it");
}

static uint32_t count_of(const struct quarantine *q, struct span route)
{
    size_t cursor = 0;
    struct span name;
    void *value;
    uint32_t count = 0;
    while (table_next(&q->keys, &cursor, &name, &value)) {
        const struct held_key *entry = value;
        count += entry->held && span_equal(entry->route, route) ? 1 : 0;
    }
    return count;
}

static bool has_route(const struct config_routes *routes, struct span name)
{
    for (uint32_t i = 0; i < routes->count; i++)
        if (span_equal_text(name, routes->items[i].name.text))
            return true;
    return false;
}

/* The name may be one of another route by now, so no mend is printed to be run as it stands. */
static int refuse_route(const struct quarantine *q, struct span route, struct error *err)
{
    uint32_t count = count_of(q, route);
    error_stop(err, REASON_KEYS_STILL_HELD,
               "%" PRIu32 " key%s of route %.*s %s held for dead letters, and %s: later events "
               "would come before these letters",
               count, count == 1 ? "" : "s", SPAN_ARG(route), count == 1 ? "is" : "are",
               q->on ? "the file has no such route" : "with this file no key is held");
    return error_hint(
        err,
        "put %s back; once the relay runs with that, walferry dead-letter retry --all --route "
        "%.*s sends them and lets go, or drop --all --route %.*s leaves them out; then change it",
        q->on ? "the route" : "dead_letter.quarantine: key and a route with on_error: dead_letter",
        SPAN_ARG(route), SPAN_ARG(route));
}

/* Not before the last record: one that lets go of the key may come behind that which holds it. */
int quarantine_check(const struct quarantine *q, const struct config_routes *routes,
                     struct error *err)
{
    size_t cursor = 0;
    struct span name;
    void *value;
    assert(routes != NULL);
    while (table_next(&q->keys, &cursor, &name, &value)) {
        const struct held_key *entry = value;
        if (!entry->held)
            continue;
        if (!q->on || !has_route(routes, entry->route))
            return refuse_route(q, entry->route, err);
        if (entry->letters.ptr != NULL)
            return refuse_letters(q, entry->letters, err);
    }
    return 0;
}

int quarantine_load(struct quarantine *q, struct span key, struct span value, struct error *err)
{
    struct json_tree *name = NULL, *record = NULL;
    struct error bad = ERROR_INIT;
    int result = key.ptr == NULL || json_tree_parse(key, &name, &bad) < 0 ? -1 : 0;
    if (result == 0 && value.ptr != NULL)
        result = json_tree_parse(value, &record, &bad);
    if (result == 0)
        result = load(q, name, record, value);
    json_tree_free(name);
    json_tree_free(record);
    if (result == 0)
        return 0;
    char text[101];
    snprintf(text, sizeof text, "%.*s", key.len < 100 ? (int)key.len : 100,
             key.ptr != NULL ? key.ptr : "");
    return unreadable(q, span_of(text), err);
}
