/* pg/pg_options: how a session is opened. Includers take it from pg.h. */
#ifndef WALFERRY_PG_PG_OPTIONS_H
#define WALFERRY_PG_PG_OPTIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct waits;

struct pg_options {
    const char *connection; /* libpq conninfo or URI */
    const char *given_by; /* key or option that it comes from, for hints; NULL: source.connection */
    /* A program and its arguments, NULL behind the last (base/program.h): what it prints is the
     * password, asked for anew by each connection; ERROR_RETRY, password_command, where it fails.
     * NULL: the password is libpq's business. */
    const char *const *password_command;
    const char *database; /* where that names none and no service; NULL: libpq's own default */
    const char *application_name; /* "walferry:<relay>" (the stream), "walferry:<relay>:watch" … */
    int64_t timeout_ms;           /* of connecting and of each query; 0: 10 s */
    const atomic_bool *stop;      /* may be NULL; ends waits early with ERROR_RETRY "stopping" */
    struct waits *waits;          /* may be NULL; is told of the server that is asked */
    bool shared;                  /* as in pg/pg_asker.h: a pooler may stand between */
};

#endif
