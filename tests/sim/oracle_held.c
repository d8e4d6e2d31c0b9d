/* sim/oracle_held: what may be in Kafka where keys are held. Each change is once there in its
 * place, as an event or as a letter: a letter where something is wrong with it or its key is held.
 * A letter is sent again at most once, behind all letters of its key before it, and marked in the
 * same Kafka transaction; a key is let go of when no letter of it is left. */
#include "kept.h"
#include "world.h"
#include "wrong.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct letter {
    struct change_id id;
    uint32_t event;
    uint32_t key;
    uint32_t sent; /* Kafka transaction; 0: it was not sent again */
    bool done;
};

struct holding {
    struct world *w;
    struct letter *letters; /* in commit order */
    uint32_t count;
    bool held[WORKLOAD_KEYS];
    uint32_t record, change; /* of the workload, next */
    const struct kafka_event *before;
};

static void fail(struct holding *h, const char *what, const struct kafka_event *found)
{
    char text[200];
    snprintf(text, sizeof text, "held keys: %s: event %u of key %u, Kafka transaction %u", what,
             found->event, found->key, found->txn);
    world_fail(h->w, text);
}

static struct letter *letter_of(struct holding *h, struct change_id id)
{
    for (uint32_t i = 0; i < h->count; i++)
        if (change_id_equal(h->letters[i].id, id))
            return &h->letters[i];
    return NULL;
}

/* The next change that makes something; false: there is none. */
static bool next_change(struct holding *h, const struct pg_record **record,
                        const struct pg_change_spec **change)
{
    const struct workload *work = &h->w->pg.work;
    for (; h->record < work->record_count; h->record++, h->change = 0)
        while (h->change < work->records[h->record].change_count) {
            *record = &work->records[h->record];
            *change = &(*record)->changes[h->change++];
            if ((*change)->command != 0 ? !(*change)->forged : (*change)->event != 0)
                return true;
        }
    return false;
}

static void check_change(struct holding *h, const struct kafka_event *found)
{
    const struct pg_record *record;
    const struct pg_change_spec *change;
    if (!next_change(h, &record, &change)) {
        fail(h, "more than was committed", found);
        return;
    }
    if (found->final_lsn != record->lsn || found->ordinal != h->change) {
        fail(h, "lost, repeated or out of order", found);
        return;
    }
    if (h->before != NULL && h->before->final_lsn == found->final_lsn &&
        h->before->txn != found->txn && !found->part)
        fail(h, "I4: a transaction is spread over two", found);
    h->before = found;
    if (change->command != 0)
        return;
    bool wrong = wrong_of(change->event) != WRONG_NOTHING;
    if (found->letter != (wrong || h->held[change->key]))
        fail(h, found->letter ? "a letter without a reason" : "an event of a held key", found);
    if (!found->letter)
        return;
    h->held[change->key] = true;
    h->letters[h->count++] = (struct letter){
        .id = change_id_wal(record->lsn, h->change), .event = change->event, .key = change->key};
}

static void check_replayed(struct holding *h, const struct kafka_event *found)
{
    struct letter *letter = letter_of(h, found->replay_of);
    if (letter == NULL || letter->done || letter->sent != 0 || letter->event != found->event) {
        fail(h, "sent again, and there is no such letter", found);
        return;
    }
    letter->sent = found->txn;
    for (const struct letter *l = h->letters; l < letter; l++)
        if (l->key == letter->key && !l->done && l->sent == 0)
            fail(h, "sent again before an earlier letter of its key", found);
}

static void check_mark(struct holding *h, const struct kafka_event *found)
{
    struct letter *letter = letter_of(h, found->kept->id);
    bool dropped = strstr(found->kept->value.ptr, "dropped") != NULL;
    if (letter == NULL || letter->done || dropped != (letter->sent == 0) ||
        (!dropped && letter->sent != found->txn))
        fail(h, "a mark of what was not done", found);
    else
        letter->done = true;
}

static void check_held(struct holding *h, const struct kafka_event *found)
{
    const char *key = strstr(found->kept->key.ptr, "\"k");
    uint32_t number = key != NULL ? (uint32_t)strtoul(key + 2, NULL, 10) : WORKLOAD_KEYS;
    if (number >= WORKLOAD_KEYS) {
        fail(h, "a key that nobody has", found);
        return;
    }
    if (found->kept->value.ptr != NULL) {
        if (!h->held[number])
            fail(h, "a key is held without a letter", found);
        return;
    }
    if (!h->held[number])
        fail(h, "a key is let go of that is not held", found);
    h->held[number] = false;
    for (uint32_t i = 0; i < h->count; i++)
        if (h->letters[i].key == number && !h->letters[i].done)
            fail(h, "a key is let go of, and a letter of it is left", found);
}

void oracle_held_check(struct world *w)
{
    struct holding h = {.w = w, .letters = calloc(w->kafka.log_count + 1, sizeof *h.letters)};
    const struct pg_record *record;
    const struct pg_change_spec *change;
    for (uint32_t i = 0; i < w->kafka.log_count && w->failure[0] == '\0'; i++) {
        const struct kafka_event *found = &w->kafka.log[i];
        if (found->kept != NULL && found->kept->quarantine)
            check_held(&h, found);
        else if (found->kept != NULL && found->kept->mark)
            check_mark(&h, found);
        else if (found->replay_of.kind != CHANGE_ID_NONE)
            check_replayed(&h, found);
        else
            check_change(&h, found);
    }
    for (uint32_t i = 0; i < h.count; i++) {
        w->sent_again += h.letters[i].sent != 0 ? 1 : 0;
        if (h.letters[i].sent != 0 && !h.letters[i].done)
            world_fail(w, "held keys: a letter was sent again and is not marked");
    }
    if (w->failure[0] == '\0' && next_change(&h, &record, &change))
        world_fail(w, "held keys: a change is neither an event nor a letter");
    free(h.letters);
}
