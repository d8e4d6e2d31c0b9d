/* writer: single-row transactions at a steady rate, each with the clock in its row.
 *
 *   writer CONNINFO RATE SECONDS SESSIONS
 *
 * Row n is due at n/RATE s, and session n mod SESSIONS writes it: INSERT into public.outbox,
 * committed by itself, a payload of 256 bytes with "at", the CLOCK_REALTIME ns right before the
 * INSERT is sent, and "n". A row that is sent more than LATE_MS after it was due is counted: where
 * there are any, the writer was late and not what it measures. Prints one line of JSON: rows, late,
 * the latest one in ms, p50 and p99 of INSERT and commit in ms, CPU seconds. Ends with 1 and a
 * sentence at the first error. */
#include "bench/sample.h"

#include <libpq-fe.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE_MS 5.0
#define SESSIONS_MAX 64
#define PAD 205

struct session {
    pthread_t thread;
    PGconn *connection;
    const struct plan *plan;
    uint64_t first;
    struct samples took_ms;
    uint64_t late;
    double latest_ms;
};

struct plan {
    uint64_t start_ns; /* CLOCK_MONOTONIC, of row 0 */
    uint64_t rows;
    double rate;
    uint64_t sessions;
};

static void fail(PGconn *connection, const char *what)
{
    fprintf(stderr, "writer: %s: %s", what, PQerrorMessage(connection));
    exit(1);
}

static void insert(PGconn *connection, uint64_t n)
{
    char key[24], payload[512], pad[PAD + 1];
    memset(pad, 'x', PAD);
    pad[PAD] = '\0';
    snprintf(key, sizeof key, "%" PRIu64, n % 1000);
    snprintf(payload, sizeof payload, "{\"at\": %" PRIu64 ", \"n\": %" PRIu64 ", \"pad\": \"%s\"}",
             clock_ns(CLOCK_REALTIME), n, pad);
    PGresult *result =
        PQexecPrepared(connection, "one", 2, (const char *[]){key, payload}, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail(connection, "cannot insert");
    PQclear(result);
}

static void *write_rows(void *argument)
{
    struct session *session = argument;
    const struct plan *plan = session->plan;
    for (uint64_t n = session->first; n < plan->rows; n += plan->sessions) {
        uint64_t due = plan->start_ns + (uint64_t)((double)n / plan->rate * 1e9);
        sleep_until_ns(due);
        uint64_t begin = clock_ns(CLOCK_MONOTONIC);
        double late_ms = (double)(begin - due) / 1e6;
        session->late += late_ms > LATE_MS;
        if (late_ms > session->latest_ms)
            session->latest_ms = late_ms;
        insert(session->connection, n);
        samples_add(&session->took_ms, (double)(clock_ns(CLOCK_MONOTONIC) - begin) / 1e6);
    }
    return NULL;
}

static void open_session(struct session *session, const char *conninfo)
{
    session->connection = PQconnectdb(conninfo);
    if (PQstatus(session->connection) != CONNECTION_OK)
        fail(session->connection, "cannot connect");
    PGresult *result =
        PQprepare(session->connection, "one",
                  "INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
                  " VALUES ('order', $1, 'OrderPlaced', $2)",
                  2, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail(session->connection, "cannot prepare");
    PQclear(result);
}

int main(int argc, char **argv)
{
    static struct session sessions[SESSIONS_MAX];
    struct plan plan = {0};
    plan.rate = argc == 5 ? atof(argv[2]) : 0;
    plan.sessions = argc == 5 ? strtoull(argv[4], NULL, 10) : 0;
    if (plan.rate <= 0 || plan.sessions < 1 || plan.sessions > SESSIONS_MAX) {
        fputs("usage: writer CONNINFO RATE SECONDS SESSIONS (1 to 64)\n", stderr);
        return 2;
    }
    plan.rows = (uint64_t)(plan.rate * atof(argv[3]));
    for (uint64_t i = 0; i < plan.sessions; i++)
        open_session(&sessions[i], argv[1]);
    plan.start_ns = clock_ns(CLOCK_MONOTONIC) + 50 * 1000 * 1000;
    for (uint64_t i = 0; i < plan.sessions; i++) {
        sessions[i].plan = &plan;
        sessions[i].first = i;
        if (pthread_create(&sessions[i].thread, NULL, write_rows, &sessions[i]) != 0)
            return 1;
    }
    struct samples took_ms = {0};
    uint64_t late = 0;
    double latest_ms = 0;
    for (uint64_t i = 0; i < plan.sessions; i++) {
        pthread_join(sessions[i].thread, NULL);
        PQfinish(sessions[i].connection);
        samples_move(&took_ms, &sessions[i].took_ms);
        late += sessions[i].late;
        latest_ms = sessions[i].latest_ms > latest_ms ? sessions[i].latest_ms : latest_ms;
    }
    printf("{\"rows\": %" PRIu64 ", \"late\": %" PRIu64 ", \"latest_ms\": %.1f, \"p50\": %.3f, "
           "\"p99\": %.3f, \"cpu\": %.3f}\n",
           plan.rows, late, latest_ms, samples_percentile(&took_ms, 50),
           samples_percentile(&took_ms, 99), cpu_s());
    samples_free(&took_ms);
    return 0;
}
