/* relay/txn_metadata: see txn_metadata.h. Each record bears the id of the change that it stands
 * beside, so that no cut comes between the two, and names the transaction itself in its header: its
 * ordinal is 0. Tables come in the order in which they were met. */
#include "relay/txn_metadata.h"

#include "json/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define ARENA_BYTES (4 * (size_t)1024)
/* Debezium has a name of its own for each message, and a different one after each start. */
#define MESSAGES SPAN_LITERAL("message")

struct txn_collection {
    struct span name;
    uint64_t count;
    struct txn_collection *next;
};

void txn_metadata_init(struct txn_metadata *m, const struct txn_metadata_options *options)
{
    *m = (struct txn_metadata){.out = BUF_EMPTY};
    if (options != NULL)
        m->o = *options;
    assert(m->o.topic == NULL || (m->o.id_header != NULL && m->o.verdicts != NULL));
    arena_init(&m->arena, ARENA_BYTES, ARENA_BYTES);
    table_init(&m->collections, &m->arena);
}

void txn_metadata_fini(struct txn_metadata *m)
{
    arena_fini(&m->arena);
    buf_fini(&m->out);
}

void txn_metadata_begin(struct txn_metadata *m, const struct change *begin)
{
    assert(begin->op == CHANGE_BEGIN);
    if (m->o.topic == NULL)
        return;
    m->begin_lsn = begin->lsn;
    if (m->total == 0)
        return;
    arena_reset(&m->arena);
    table_init(&m->collections, &m->arena);
    m->first = m->last = NULL;
    m->total = 0;
}

/* ---- Counting ---- */

static struct txn_collection *add_collection(struct txn_metadata *m, struct span name)
{
    struct txn_collection *made = arena_alloc_zero(&m->arena, sizeof *made);
    made->name = arena_copy(&m->arena, name);
    if (m->last != NULL)
        m->last->next = made;
    else
        m->first = made;
    m->last = made;
    table_put(&m->collections, made->name, made);
    return made;
}

/* A relation whose version changes in mid-transaction may bear another name. */
static struct txn_collection *collection_of(struct txn_metadata *m, const struct relation *relation)
{
    struct span name = MESSAGES;
    if (relation != NULL) {
        buf_reset(&m->out);
        buf_add_format(&m->out, "%.*s.%.*s", SPAN_ARG(relation->schema), SPAN_ARG(relation->name));
        name = buf_span(&m->out);
    }
    struct txn_collection *found = table_get(&m->collections, name);
    return found != NULL ? found : add_collection(m, name);
}

/* ---- Records ---- */

static void write_id(struct json_writer *w, const struct change *change, uint64_t lsn)
{
    char text[48];
    snprintf(text, sizeof text, "%" PRIu32 ":%" PRIu64, change->xid, lsn);
    json_write_member_text(w, "id", text);
}

static void write_collections(const struct txn_metadata *m, struct json_writer *w)
{
    json_write_name(w, "data_collections");
    json_write_begin_array(w);
    for (const struct txn_collection *c = m->first; c != NULL; c = c->next) {
        json_write_begin_object(w);
        json_write_member_string(w, "data_collection", c->name);
        json_write_member_u64(w, "event_count", c->count);
        json_write_end_object(w);
    }
    json_write_end_array(w);
}

static void write_value(struct txn_metadata *m, const struct change *change, uint64_t lsn, bool end)
{
    struct json_writer w = json_writer(&m->out);
    w.escapes = JSON_ESCAPES_JACKSON;
    buf_reset(&m->out);
    json_write_begin_object(&w);
    json_write_member_text(&w, "status", end ? "END" : "BEGIN");
    write_id(&w, change, lsn);
    if (end) {
        json_write_member_u64(&w, "event_count", m->total);
        write_collections(m, &w);
    } else {
        json_write_member_null(&w, "event_count");
        json_write_member_null(&w, "data_collections");
    }
    json_write_member_i64(&w, "ts_ms", change->commit_time_us / 1000);
    json_write_end_object(&w);
}

static struct span write_key(struct txn_metadata *m, const struct change *change, uint64_t lsn,
                             struct arena *arena)
{
    struct json_writer w = json_writer(&m->out);
    buf_reset(&m->out);
    json_write_begin_object(&w);
    write_id(&w, change, lsn);
    json_write_end_object(&w);
    return arena_copy(arena, buf_span(&m->out));
}

static void add_id(const struct txn_metadata *m, uint64_t final_lsn, bool end, struct arena *arena,
                   struct message *message)
{
    if (m->o.id_header[0] == '\0')
        return;
    char text[CHANGE_ID_TEXT_MAX];
    size_t len = change_id_format_event(m->o.verdicts->system_identifier,
                                        change_id_wal(final_lsn, 0), end ? 2 : 1, text);
    struct header *header = arena_alloc(arena, sizeof *header);
    *header = (struct header){arena_copy(arena, span_of(m->o.id_header)),
                              arena_copy(arena, (struct span){text, len})};
    message->headers = header;
    message->header_count = 1;
}

/* change: says which transaction; id and position: of the change beside it. */
static void add_record(struct txn_metadata *m, const struct change *change, uint64_t lsn, bool end,
                       struct batch *batch)
{
    struct arena *arena = &batch->arena;
    if (!verdict_marks(m->o.verdicts, m->last_id))
        return;
    batch_widen(batch, 1);
    struct message *message = batch_next(batch);
    struct span topic = span_of(m->o.topic);
    message->topic = (struct span){arena_text(arena, topic), topic.len};
    message->key = write_key(m, change, lsn, arena);
    write_value(m, change, lsn, end);
    message->value = arena_copy(arena, buf_span(&m->out));
    message->partition = -1;
    message->route = MESSAGE_MARK;
    message->timestamp_ms = change->commit_time_us / 1000;
    message->id = m->last_id;
    message->position = m->last_position;
    add_id(m, change->id.final_lsn, end, arena, message);
    batch_add(batch);
}

void txn_metadata_event(struct txn_metadata *m, struct event *event, struct batch *batch)
{
    const struct change *change = event->change;
    assert(batch != NULL || change->repeated);
    if (m->o.topic == NULL || event->value.kind != CONTENT_CHANGE || change->xid == 0)
        return;
    struct content_change *content = &event->value.change;
    m->last_id = change->id;
    m->last_position = change->position;
    if (m->total == 0 && !change->repeated)
        add_record(m, change, m->begin_lsn, false, batch);
    struct txn_collection *collection = collection_of(m, content->relation);
    content->total_order = ++m->total;
    content->collection_order = ++collection->count;
}

void txn_metadata_end(struct txn_metadata *m, const struct change *commit, struct position done,
                      struct batch *batch)
{
    assert(commit->op == CHANGE_COMMIT);
    if (m->o.topic == NULL || m->total == 0)
        return;
    if (done.seq > 0) {
        m->last_position = done;
        m->last_id = change_id_wal(commit->id.final_lsn, done.seq);
    }
    add_record(m, commit, commit->position.lsn, true, batch);
}
