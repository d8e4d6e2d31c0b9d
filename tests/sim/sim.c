/* sim: the reader and the writer, with the real stream source, decoder, router, encoder and
 * progress, between a model PostgreSQL and a model Kafka, in model time, on one thread, driven by a
 * seed.
 *
 *   sim [--seeds N] [--first S] [--seed S] [--failures N] [--dump FILE | --digest FILE]
 *       [--slow broker | link | server | any]
 *
 * runs N seeds from S on, or one, ends after so many failures, and writes what Kafka committed
 * (dump.h): all of it, or a line for each seed. With --slow nothing fails, but something is slow
 * (slow.h).
 *
 * At every step anything may happen: a step of either loop, work in the database, a status update,
 * a server or relay crash, a time-out, an unknown commit outcome. Work in the database follows from
 * the seed alone (workload.h), so that --dump of two programs can be compared (dump.h). Checked all
 * the way: I1 on the status bytes, I2 and I5 in the model Kafka, I3 over the progress records, I4
 * and the order by the oracle at the end, I6 by construction. A seed that fails prints itself;
 * --seed replays it. */
#include "world.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS 3000
/* So few are remembered that transactions have to be cut for them. */
#define REFUSED_MAX 2
#define DRAIN_STEPS 200000

struct how {
    uint64_t first;
    uint64_t seeds;
    uint64_t failures_max;
    bool verbose;
    const char *slow; /* NULL: nothing is slow, everything fails */
};

static struct config_text text_of(const char *text)
{
    return (struct config_text){.text = text, .file = "sim", .line = 1};
}

static void make_route(struct world *w)
{
    w->route = (struct config_route){.name = text_of("outbox"),
                                     .from = text_of("public.outbox"),
                                     .columns = {.id = text_of("id"),
                                                 .aggregate_type = text_of("aggregatetype"),
                                                 .aggregate_id = text_of("aggregateid"),
                                                 .type = text_of("type"),
                                                 .payload = text_of("payload")},
                                     .topic = text_of("outbox.event.{aggregatetype}"),
                                     .key = text_of("{aggregateid}")};
    w->routes = (struct config_routes){.count = 1, .items = &w->route};
}

static struct world *world_new(uint64_t seed, const char *slow)
{
    struct world *w = calloc(1, sizeof *w);
    w->random = random_seeded(seed);
    w->now_us = 1000000;
    w->lessons = LESSONS_INIT;
    w->log = (struct log){.level = LOG_ERROR, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    w->metrics = metrics_open("orders", 0, NULL);
    make_route(w);
    refusals_init(&w->refused, REFUSED_MAX);
    refusals_init(&w->learnt, REFUSED_MAX);
    model_pg_init(&w->pg, &w->random, seed);
    model_kafka_init(&w->kafka, &w->random);
    claims_init(&w->claims, &w->random, &w->faults);
    if (slow != NULL) {
        slow_choose(&w->slow, slow, seed);
        w->kafka.pace = w->slow.broker;
        w->pg.pace = w->slow.server;
    }
    return w;
}

static void world_free(struct world *w)
{
    close(w->log.fd);
    model_pg_fini(&w->pg);
    model_kafka_fini(&w->kafka);
    metrics_close(w->metrics);
    refusals_fini(&w->refused);
    refusals_fini(&w->learnt);
    letter_index_forget(&w->letter_index);
    claims_fini(&w->claims);
    free(w);
}

/* Anything may happen, while the database works. */
static void run_faults(struct world *w)
{
    w->faults = true;
    w->kafka.faults = true;
    for (int i = 0; i < STEPS && w->failure[0] == '\0'; i++)
        world_step(w);
    w->faults = false;
    w->kafka.faults = false;
}

/* Nothing fails, but something is slow; there is a backlog from the start. */
static void run_slow(struct world *w)
{
    while (w->pg.work.record_count < w->slow.transactions)
        workload_tick(&w->pg.work);
    w->patience.since_us = w->now_us;
}

/* In every second seed, and in every sixteenth one keys are held, too; but where two programs are
 * compared, of which one may know no dead letters. In some, what is too large is not a letter but
 * what its route's policy says (large.h). */
static void choose_wrong(struct world *w, uint64_t seed, const struct how *how,
                         const struct dump *dump)
{
    if (how->slow != NULL || dump->file != NULL || seed % 2 != 0)
        return;
    w->route.on_error = ON_ERROR_DEAD_LETTER;
    w->pg.wrong = w->kafka.wrong = true;
    w->holds = seed % 16 == 4; /* they cost three times as much */
    static const enum oversize policies[16] = {
        [6] = OVERSIZE_TRUNCATE, [10] = OVERSIZE_CLAIM_CHECK, [14] = OVERSIZE_SKIP};
    w->route.oversize.policy = policies[seed % 16];
    if (w->route.oversize.policy == OVERSIZE_ON_ERROR)
        return;
    w->route.oversize.field = text_of("t");
    w->route.oversize.keep = text_of("30d");
    w->pg.large = true;
    w->kafka.claims = &w->claims;
}

static bool run(uint64_t seed, const struct how *how, struct dump *dump)
{
    struct world *w = world_new(seed, how->slow);
    choose_wrong(w, seed, how, dump);
    if (how->slow == NULL)
        run_faults(w);
    else
        run_slow(w);
    int steps = 0;
    while (w->failure[0] == '\0' && !oracle_drained(w) && steps < DRAIN_STEPS) {
        world_step(w);
        steps++;
    }
    if (steps == DRAIN_STEPS)
        world_fail(w, "it does not drain once the faults have ended");
    if (w->open)
        sim_epoch_close(w, 1, 1000);
    if (w->kafka.violation[0] != '\0')
        world_fail(w, w->kafka.violation);
    if (w->failure[0] == '\0')
        oracle_check(w);
    oracle_dump(w, dump, seed);
    char slow[SLOW_TEXT_MAX];
    bool ok = w->failure[0] == '\0';
    if (!ok || how->verbose)
        printf("seed %" PRIu64
               ": %s%s (%u transactions, %u events, %u sent again, %u opens, %u Kafka "
               "transactions, %" PRId64 " s)\n",
               seed, ok ? "ok " : w->failure, ok ? slow_text(&w->slow, slow) : "",
               w->pg.work.record_count, w->kafka.log_count, w->sent_again, w->opens, w->kafka.txn,
               w->now_us / 1000000);
    world_free(w);
    return ok;
}

/* An assertion ends the program where it stands; the seed is said all the same. */
static uint64_t running;

static void say_seed(int signal_number)
{
    char text[64];
    int len = snprintf(text, sizeof text, "seed %" PRIu64 " ends here\n", running);
    if (write(STDERR_FILENO, text, (size_t)len) != len)
        _exit(1);
    signal(signal_number, SIG_DFL);
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

static bool open_dump(struct dump *dump, const char *path, bool whole)
{
    dump->whole = whole;
    dump->file = fopen(path, "w");
    if (dump->file == NULL)
        perror(path);
    return dump->file != NULL;
}

/* One option and its value; false where it is none. */
static bool take_option(struct how *how, struct dump *dump, const char *name, const char *value)
{
    struct slow slow;
    if (strcmp(name, "--seeds") == 0)
        how->seeds = number(value);
    else if (strcmp(name, "--first") == 0)
        how->first = number(value);
    else if (strcmp(name, "--seed") == 0)
        *how = (struct how){number(value), 1, UINT64_MAX, true, how->slow};
    else if (strcmp(name, "--failures") == 0)
        how->failures_max = number(value);
    else if (strcmp(name, "--slow") == 0 && slow_choose(&slow, value, 0))
        how->slow = value;
    else if (strcmp(name, "--dump") == 0)
        return open_dump(dump, value, true);
    else if (strcmp(name, "--digest") == 0)
        return open_dump(dump, value, false);
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct how how = {.first = 1, .seeds = 2000, .failures_max = UINT64_MAX};
    struct dump dump = {.file = NULL};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && take_option(&how, &dump, argv[i], argv[i + 1]))
            continue;
        fprintf(stderr, "sim: %s: no such option, or not with that value\n", argv[i]);
        return 2;
    }
    signal(SIGABRT, say_seed);
    uint64_t failed = 0;
    uint64_t passed = 0;
    for (uint64_t i = 0; i < how.seeds && failed < how.failures_max; i++) {
        running = how.first + i;
        bool ok = run(running, &how, &dump);
        passed += ok ? 1 : 0;
        failed += ok ? 0 : 1;
    }
    if (dump.file != NULL && fclose(dump.file) != 0) {
        perror("dump");
        return 2;
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
