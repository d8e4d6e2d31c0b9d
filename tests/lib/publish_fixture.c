/* publish_fixture: see publish_fixture.h. */
#include "publish_fixture.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include <cmocka.h>

#define BATCH_MESSAGES 2000

void fixture_property(struct fixture *f, const char *name, const char *value)
{
    uint32_t i = f->kafka.properties.count++;
    assert_true(i < FIXTURE_PROPERTIES_MAX);
    f->properties[i] = (struct config_pair){{.text = name, .file = "test", .line = i + 1},
                                            {.text = value, .file = "test", .line = i + 1}};
    f->kafka.properties.items = f->properties;
}

struct batch *fixture_batch(void)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        abort();
    batch_init(batch, BATCH_MESSAGES, 1);
    return batch;
}

void fixture_batch_free(struct batch *batch)
{
    batch_fini(batch);
    free(batch);
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    unsigned unique;
    if (f == NULL || getrandom(&unique, sizeof unique, 0) != (ssize_t)sizeof unique)
        return -1;
    snprintf(f->relay, sizeof f->relay, "t%08x", unique);
    snprintf(f->progress_topic, sizeof f->progress_topic, "walferry.%s.progress", f->relay);
    snprintf(f->transactional_id, sizeof f->transactional_id, "walferry.%s", f->relay);
    snprintf(f->topic, sizeof f->topic, "%s.events", f->relay);
    fixture_property(f, "bootstrap.servers", peer_bootstrap());
    f->delivery = (struct config_delivery){
        .guarantee = GUARANTEE_EXACTLY_ONCE,
        .commit_interval_ms = 10,
        .transaction_timeout_ms = 30000,
        .strict = true,
        .memory_limit = 64 << 20,
        .batch_events = BATCH_MESSAGES,
        .progress_topic = {.text = f->progress_topic},
        .transactional_id = {.text = f->transactional_id},
        .topics = {.create = true, .partitions = -1, .replication_factor = -1}};
    f->metrics = metrics_open(f->relay, 0, NULL);
    f->options = (struct kafka_options){.kafka = &f->kafka,
                                        .delivery = &f->delivery,
                                        .relay = f->relay,
                                        .instance = "test",
                                        .metrics = f->metrics,
                                        .stop = &f->stop};
    f->next_lsn = 1000;
    f->batch = fixture_batch();
    arena_init(&f->arena, 65536, 65536);
    f->seen = calloc(1, sizeof *f->seen);
    f->seen->arena = &f->arena;
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    publisher_close(f->publisher, 0);
    metrics_close(f->metrics);
    fixture_batch_free(f->batch);
    arena_fini(&f->arena);
    free(f->seen);
    free(f);
    return 0;
}

static void must(struct fixture *f, int result, const char *what)
{
    if (result < 0)
        fail_msg("%s: %s %s: %s", what, error_kind_name(f->err.kind), reason_slug(f->err.reason),
                 f->err.text);
}

const char *fixture_reopen(struct fixture *f)
{
    struct buf record = BUF_EMPTY;
    fixture_close(f, 1000);
    must(f, kafka_publisher_open(&f->options, &f->publisher, &f->err), "open");
    must(f, publisher_recover(f->publisher, &record, &f->err), "recover");
    const char *text = arena_text(&f->arena, buf_span(&record));
    buf_fini(&record);
    f->committed = text[0] != '\0' ? text : "claim";
    return text;
}

void fixture_open(struct fixture *f)
{
    must(f, kafka_prepare_topics(&f->options, NULL, 0, true, NULL, NULL, &f->err), "prepare");
    fixture_reopen(f);
}

void fixture_close(struct fixture *f, int abort_ms)
{
    publisher_close(f->publisher, abort_ms);
    f->publisher = NULL;
    batch_reset(f->batch);
}

struct message *fixture_message(struct fixture *f, const char *topic, const char *key,
                                const char *value)
{
    struct message *m = batch_next(f->batch);
    struct arena *arena = &f->batch->arena;
    m->topic = (struct span){arena_text(arena, span_of(topic)), strlen(topic)};
    m->key = arena_copy(arena, span_of(key));
    m->value = arena_copy(arena, span_of(value));
    m->timestamp_ms = clock_wall_us() / US_PER_MS;
    m->id = change_id_wal(f->next_lsn++, 1);
    batch_add(f->batch);
    return m;
}

int fixture_put(struct fixture *f, const struct message *message)
{
    enum step result;
    do {
        if (f->publisher->claim_due && fixture_commit(f, f->committed) < 0)
            return -1;
        result = publisher_put(f->publisher, f->batch, message, &f->err);
        if (result == STEP_WAIT && publisher_poll(f->publisher, 10, &f->err) < 0)
            return -1;
    } while (result == STEP_WAIT);
    return result == STEP_DONE ? 0 : -1;
}

int fixture_commit(struct fixture *f, const char *record)
{
    enum step result;
    while ((result = publisher_commit(f->publisher, span_of(record), &f->err)) == STEP_WAIT)
        ;
    if (result == STEP_DONE)
        f->committed = arena_text(&f->arena, span_of(record));
    return result == STEP_DONE ? 0 : -1;
}

void fixture_must_put(struct fixture *f, const struct message *message)
{
    must(f, fixture_put(f, message), "put");
}

void fixture_must_commit(struct fixture *f, const char *record)
{
    must(f, fixture_commit(f, record), "commit");
}

const struct peer_records *fixture_read(struct fixture *f, const char *topic, int partitions)
{
    peer_read(topic, partitions, f->seen);
    return f->seen;
}
