/* private_postgres: a PostgreSQL server of a test's own, in a new directory on a free loopback
 * port.
 *
 * Runs as user postgres where root starts it, and dies with the test program. Trust authentication
 * unless pg_hba.conf is given; superuser postgres. Durability is off: it is for seconds only. */
#ifndef WALFERRY_TESTS_LIB_PRIVATE_POSTGRES_H
#define WALFERRY_TESTS_LIB_PRIVATE_POSTGRES_H

#include <stdbool.h>
#include <sys/types.h>

struct private_postgres {
    char dir[64];
    char bin[128];
    int port;
    pid_t pid; /* 0: not running */
};

/* conf: more lines for postgresql.conf; hba: the whole of pg_hba.conf, NULL: trust. False, with a
 * line on stderr, where the machine has no server programs; any other failure ends the test
 * program. */
bool private_postgres_start(struct private_postgres *server, const char *conf, const char *hba);
/* signal_number: SIGINT fast, SIGQUIT immediate. */
void private_postgres_halt(struct private_postgres *server, int signal_number);
void private_postgres_resume(struct private_postgres *server);
/* Halts and removes the directory. */
void private_postgres_stop(struct private_postgres *server);
/* A file of the data directory, made anew, readable by the server alone. */
void private_postgres_write(const struct private_postgres *server, const char *name,
                            const char *text);

/* "host=127.0.0.1 port=… user=… dbname=postgres" and `more`; a static buffer for each of 8 calls.
 */
const char *private_postgres_dsn(const struct private_postgres *server, const char *user,
                                 const char *more);
/* One statement as superuser; a failure ends the test program. */
void private_postgres_sql(const struct private_postgres *server, const char *statement);
/* The first cell of the answer, "" for none or NULL; a static buffer. */
const char *private_postgres_ask(const struct private_postgres *server, const char *query);

#endif
