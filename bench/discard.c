/* discard: the ceiling. Reads a slot's stream as fast as it comes and throws it away.
 *
 *   discard CONNINFO SLOT PUBLICATION STOP_LSN NAP_US
 *
 * Sleeps NAP_US before each read while there is a backlog (0: reads as soon as anything is there).
 * Ends when it has seen STOP_LSN and prints rows, seconds since START_REPLICATION and its own CPU.
 * It confirms nothing, so the same backlog can be read again. */
#include <libpq-fe.h>

#include <endian.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void fail(PGconn *connection, const char *what)
{
    fprintf(stderr, "discard: %s: %s", what, PQerrorMessage(connection));
    exit(1);
}

static uint64_t u64_at(const char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return be64toh(value);
}

/* Takes what libpq has buffered; counts rows and notes the newest LSN. */
static size_t take_all(PGconn *connection, uint64_t *rows, uint64_t *lsn)
{
    size_t bytes = 0;
    char *data;
    int length;
    while ((length = PQgetCopyData(connection, &data, 1)) > 0) {
        bytes += (size_t)length;
        if (data[0] == 'w' && length > 25) {
            *rows += data[25] == 'I' ? 1 : 0;
            if (data[25] == 'C' && length >= 43)
                *lsn = u64_at(data + 35);
        } else if (data[0] == 'k' && u64_at(data + 1) > *lsn) {
            *lsn = u64_at(data + 1);
        }
        PQfreemem(data);
    }
    if (length < 0)
        fail(connection, "the stream ended");
    return bytes;
}

static void read_until(PGconn *connection, uint64_t stop_lsn, long nap_us, uint64_t *rows)
{
    uint64_t lsn = 0;
    struct timespec nap = {.tv_nsec = nap_us * 1000};
    while (lsn < stop_lsn) {
        struct pollfd fd = {.fd = PQsocket(connection), .events = POLLIN};
        poll(&fd, 1, 10000);
        if (nap_us > 0)
            nanosleep(&nap, NULL);
        if (PQconsumeInput(connection) == 0)
            fail(connection, "reading");
        take_all(connection, rows, &lsn);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: discard CONNINFO SLOT PUBLICATION STOP_LSN NAP_US\n");
        return 2;
    }
    unsigned high = 0;
    unsigned low = 0;
    if (sscanf(argv[4], "%X/%X", &high, &low) != 2) {
        fprintf(stderr, "discard: %s is not an LSN\n", argv[4]);
        return 2;
    }
    char conninfo[1024];
    snprintf(conninfo, sizeof conninfo, "%s replication=database", argv[1]);
    PGconn *connection = PQconnectdb(conninfo);
    if (PQstatus(connection) != CONNECTION_OK)
        fail(connection, "connecting");
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    char command[512];
    snprintf(command, sizeof command,
             "START_REPLICATION SLOT %s LOGICAL 0/0 (proto_version '1', publication_names '%s', "
             "messages 'true')",
             argv[2], argv[3]);
    double started = now_s();
    PGresult *result = PQexec(connection, command);
    if (PQresultStatus(result) != PGRES_COPY_BOTH)
        fail(connection, "START_REPLICATION");
    PQclear(result);
    uint64_t rows = 0;
    read_until(connection, (uint64_t)high << 32 | low, strtol(argv[5], NULL, 10), &rows);
    double seconds = now_s() - started;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"rows\": %llu, \"seconds\": %.3f, \"cpu\": %.3f}\n", (unsigned long long)rows,
           seconds, cpu);
    PQfinish(connection);
    return 0;
}
