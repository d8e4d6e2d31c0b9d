/* relay/errand: what an epoch reads of the relay's own topics before it goes on: the keys that are
 * held, and the dead letters that a command works on which the epoch before has met. Both behind
 * the claim, which has settled all transactions of this relay. */
#include "relay/relay_internal.h"

#include <assert.h>
#include <string.h>

/* As many as a batch's limit allows, of which there is one for each letter, and a mark. */
#define LETTERS_MAX 10000
#define WINDOW_MAX 100000

/* ---- Held keys ---- */

/* Who holds none reads the topic all the same where keys may be held from before: by another
 * process, or under the file before. */
static bool may_be_held(const struct epoch *e)
{
    const struct config_relay *before = e->relay->opened_config;
    return e->quarantine.on || before == NULL || relay_holds_keys(before);
}

static int read_held(struct epoch *e, struct error *err)
{
    struct quarantine *q = &e->quarantine;
    struct kafka_letters *records = NULL;
    struct kafka_letter record;
    int got = q->on ? kafka_letters_open_through(&e->kafka, q->topic, &records, err)
                    : kafka_letters_open_old(&e->kafka, q->topic, &records, err);
    if (got < 0)
        return -1;
    while ((got = kafka_letters_next(records, &record, err)) == 1)
        if (quarantine_load(q, record.key, record.value, err) < 0) {
            got = -1;
            break;
        }
    kafka_letters_close(records);
    return got < 0 ? -1 : quarantine_check(q, &e->config->routes, err);
}

static int read_quarantine(struct epoch *e, struct error *err)
{
    struct quarantine *q = &e->quarantine;
    q->system_identifier = e->opening.found.system.system_identifier;
    metrics_set(q->metrics, METRIC_KEYS_HELD, 0);
    if (!may_be_held(e) || read_held(e, err) == 0)
        return 0;
    if (q->on || err->reason != REASON_ACL_DENIED)
        return -1;
    *err = ERROR_INIT; /* who never held keys needs no rights to that topic */
    return 0;
}

/* ---- Letters ---- */

struct letter_topic {
    struct epoch *epoch;
    struct kafka_letters *letters;
};

static int begin(void *of, const struct kafka_letter_range *ranges, uint32_t count,
                 struct error *err)
{
    struct letter_topic *topic = of;
    const struct epoch *e = topic->epoch;
    if (topic->letters == NULL &&
        kafka_letters_open_through(&e->kafka, e->config->dead_letter.topic.text, &topic->letters,
                                   err) < 0)
        return -1;
    kafka_letters_begin(topic->letters, ranges, count);
    return 0;
}

static int next(void *of, struct kafka_letter *letter, struct error *err)
{
    struct letter_topic *topic = of;
    return kafka_letters_next(topic->letters, letter, err);
}

static int read_letters(struct epoch *e, struct error *err)
{
    struct relay *relay = e->relay;
    struct letter_topic topic = {.epoch = e};
    const struct letter_source source = {.of = &topic, .begin = begin, .next = next};
    const struct config_delivery *delivery = &e->config->delivery;
    const struct replay_limits limits = {.letters_max = LETTERS_MAX,
                                         .bytes_max =
                                             (size_t)(delivery->memory_limit / CIRCUIT_BATCHES / 2),
                                         .window_max = WINDOW_MAX};
    e->replay.system_identifier = e->opening.found.system.system_identifier;
    if (relay->errand.command == 0)
        return 0;
    if (relay->errand.index.topic != e->config)
        letter_index_forget(&relay->errand.index); /* another topic, maybe */
    int result = replay_load(&e->replay, relay->errand.command, buf_span(&relay->errand.text),
                             &e->quarantine, &limits, &source, &relay->errand.index, err);
    relay->errand.index.topic = e->config;
    kafka_letters_close(topic.letters);
    return result;
}

int errand_read(struct epoch *e, struct error *err)
{
    assert(e->opening.publisher != NULL);
    return read_quarantine(e, err) < 0 || read_letters(e, err) < 0 ? -1 : 0;
}

void errand_note(struct epoch *e)
{
    struct relay *relay = e->relay;
    const struct commander *commander = &e->reader.commander;
    relay->errand.command = e->made ? commander->wanted : 0;
    buf_reset(&relay->errand.text);
    if (relay->errand.command != 0)
        buf_add(&relay->errand.text, buf_span(&commander->wanted_text));
}
