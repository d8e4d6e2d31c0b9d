/* relay/configs: a file that is handed over while the life takes the one before. */
#include "relay/relay_internal.h"
#include "relay/wake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILES 500

struct fixture {
    struct config *first;
    struct log log;
    struct relay relay;
    atomic_bool over;
    int differed; /* the life's */
};

static struct config *parse(void)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    const char *yaml = "relay: r\nsource: {connection: dbname=d}\nkafka: {bootstrap.servers: k}\n"
                       "routes: [{name: a, from: b.c}]\nlog: {level: error}\n";
    if (config_parse(span_of(yaml), "w.yaml", &config, &err) < 0)
        fail_msg("%s", err.text);
    return config;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->first = parse();
    f->log = (struct log){.level = LOG_ERROR, .fd = STDERR_FILENO};
    struct relay *r = &f->relay;
    r->config = config_only_relay(f->first);
    r->o = (struct relay_options){
        .config = r->config, .metrics = metrics_open("r", 0, NULL), .log = &f->log};
    r->memory = kafka_memory_open();
    refusals_init(&r->refused, REFUSALS_MAX);
    refusals_init(&r->learnt, REFUSALS_MAX);
    pthread_mutex_init(&r->mutex, NULL);
    r->reload_fd = wake_open();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct relay *r = &f->relay;
    close(r->reload_fd);
    pthread_mutex_destroy(&r->mutex);
    refusals_fini(&r->refused);
    refusals_fini(&r->learnt);
    kafka_memory_close(r->memory);
    configs_close(r);
    metrics_close(r->o.metrics);
    config_close(f->first);
    free(f);
    return 0;
}

/* *differs: whether the descriptor says something else. */
static bool is_next(struct relay *r, bool *differs)
{
    struct pollfd one = {.fd = r->reload_fd, .events = POLLIN};
    pthread_mutex_lock(&r->mutex);
    bool is = r->next_config != NULL;
    *differs = (poll(&one, 1, 0) == 1) != is;
    pthread_mutex_unlock(&r->mutex);
    return is;
}

/* As the life does: an epoch ends where a file is to be next, and between two epochs it is taken.
 */
static void *live(void *of)
{
    struct fixture *f = of;
    while (!atomic_load(&f->over)) {
        bool differs, is = is_next(&f->relay, &differs);
        f->differed += differs ? 1 : 0;
        if (is)
            configs_take_next(&f->relay);
    }
    return NULL;
}

/* One that were raised behind the taking would stay so: the reader would wake up without end, and a
 * relay that is held would start again. */
static void the_descriptor_says_what_is_next(void **state)
{
    struct fixture *f = *state;
    struct relay *r = &f->relay;
    pthread_t life;
    uint64_t number = 0;
    bool differs;
    assert_int_equal(pthread_create(&life, NULL, live, f), 0);
    for (int i = 0; i < FILES; i++) {
        struct config *next = parse();
        relay_reload(r, next, (uint64_t)i);
        assert_ptr_equal(relay_settings(r, &number), next);
    }
    while (is_next(r, &differs))
        sched_yield();
    atomic_store(&f->over, true);
    pthread_join(life, NULL);
    assert_int_equal(number, FILES);
    assert_int_equal(f->differed, 0);
    assert_false(is_next(r, &differs));
    assert_false(differs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_descriptor_says_what_is_next, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
