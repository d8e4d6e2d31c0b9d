/* pg_connect: a session is opened, pinned and closed.
 *
 * The user's connection string stays as it is; ours is only what the guarantee needs (application
 * name, encoding, replication) and what is missing (keepalives, TCP time-outs). Settings are pinned
 * after the connect and not by startup options: those would replace the user's options, lose
 * against PGDATESTYLE, and be refused by poolers before we can tell which. Does not try again: a
 * failure closes the epoch. Looking a host name up is libpq's and blocks; nothing else here does.
 */
#include "pg/pg_internal.h"

#include "base/clock.h"
#include "base/program.h"
#include "base/waits.h"
#include "tls/tls_certificate.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TIMEOUT_DEFAULT_MS = 10000,
    OLDEST_VERSION = 140000,
    PARAMETERS_MAX = 96, /* libpq 15 knows 41 */
    HOSTS_MAX = 64
};
#define TCP_USER_TIMEOUT_MS "30000"

/* Never wins against the user's own. Found dead after 30 s. */
static const struct {
    const char *name;
    const char *value;
} missing[] = {
    {"keepalives", "1"},
    {"keepalives_idle", "15"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", TCP_USER_TIMEOUT_MS},
};

struct parameters {
    const char *names[PARAMETERS_MAX + 1];
    const char *values[PARAMETERS_MAX + 1];
    size_t count;
};

/* Ours wins: replaces what is there. */
static void set_parameter(struct parameters *p, const char *name, const char *value)
{
    size_t at = 0;
    while (at < p->count && strcmp(p->names[at], name) != 0)
        at++;
    assert(at < PARAMETERS_MAX);
    p->names[at] = name;
    p->values[at] = value;
    if (at == p->count)
        p->count++;
}

static const char *get_parameter(const struct parameters *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->names[i], name) == 0)
            return p->values[i];
    return NULL;
}

const char *pg_given_by(const struct pg_options *options)
{
    assert(options != NULL);
    return options->given_by != NULL ? options->given_by : "source.connection";
}

/* Does the name that a message quotes stand where no password can be: in front of the word, or
 * behind the last @ of a URI? What libpq takes for a name may be the rest of a password that wants
 * quotes. */
static bool quotes_no_secret(const char *connection, const char *message)
{
    const char *from = strchr(message, '"');
    const char *to = from != NULL ? strrchr(from, '"') : NULL;
    if (to == NULL || to == from)
        return true;
    struct span name = {from + 1, (size_t)(to - from - 1)};
    size_t length = strlen(connection);
    const char *found = memmem(connection, length, name.ptr, name.len);
    if (strstr(connection, "://") != NULL) {
        const char *at = strrchr(connection, '@');
        return at != NULL && found != NULL && found > at;
    }
    const char *password = strstr(connection, "password");
    return password == NULL || (found != NULL && found < password);
}

/* libpq quotes the string, and with it perhaps a password, when it cannot parse it. Only messages
 * that quote nothing but the name of an option are passed on. */
static int parse_error(const struct pg_options *options, const char *message, struct error *err)
{
    bool harmless = message != NULL &&
                    (strncmp(message, "invalid connection option", 25) == 0 ||
                     strncmp(message, "invalid URI query parameter", 27) == 0 ||
                     strncmp(message, "unterminated quoted string", 26) == 0) &&
                    quotes_no_secret(options->connection, message);
    error_stop(err, REASON_BAD_CONNECTION, "the connection string cannot be read%s%s",
               harmless ? ": " : "", harmless ? message : "");
    return error_hint(err,
                      "write %s as \"host=… dbname=… user=…\" or as "
                      "postgresql://user@host/dbname; quote values that hold spaces with '…'",
                      pg_given_by(options));
}

/* Where two say what the password is, one of them is not what was meant. */
static int check_one_password(const PQconninfoOption *given, const struct pg_options *options,
                              struct error *err)
{
    for (const PQconninfoOption *o = given; o->keyword != NULL; o++) {
        if (options->password_command == NULL || o->val == NULL ||
            strcmp(o->keyword, "password") != 0)
            continue;
        error_stop(err, REASON_BAD_CONNECTION,
                   "a password stands in the connection string, and " PG_PASSWORD_KEY
                   " gives one, too");
        return error_hint(err, "take one of the two away");
    }
    return 0;
}

static void merge(const PQconninfoOption *given, const struct pg_options *options, bool replication,
                  const char *password, struct parameters *p)
{
    for (const PQconninfoOption *o = given; o->keyword != NULL; o++)
        if (o->val != NULL)
            set_parameter(p, o->keyword, o->val);
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        if (get_parameter(p, missing[i].name) == NULL)
            set_parameter(p, missing[i].name, missing[i].value);
    if (options->database != NULL && get_parameter(p, "dbname") == NULL &&
        get_parameter(p, "service") == NULL && getenv("PGSERVICE") == NULL)
        set_parameter(p, "dbname", options->database);
    /* What says who we are must be exact: a slot is only taken from a session of this name. */
    set_parameter(p, "application_name", options->application_name);
    set_parameter(p, "client_encoding", "UTF8");
    if (password != NULL)
        set_parameter(p, "password", password);
    if (replication)
        set_parameter(p, "replication", "database");
    p->names[p->count] = NULL;
    p->values[p->count] = NULL;
}

static void copy_name(const PQconninfoOption *given, const char *keyword, const char *variable,
                      char name[64])
{
    const char *value = getenv(variable);
    for (const PQconninfoOption *o = given; o->keyword != NULL; o++)
        if (o->val != NULL && strcmp(o->keyword, keyword) == 0)
            value = o->val;
    snprintf(name, 64, "%s", value != NULL ? value : "");
}

int pg_connection_names(const char *connection, struct pg_names *names, struct error *err)
{
    assert(connection != NULL && names != NULL);
    char *message = NULL;
    PQconninfoOption *given = PQconninfoParse(connection, &message);
    if (given == NULL) {
        parse_error(&(struct pg_options){.connection = connection}, message, err);
        PQfreemem(message);
        return -1;
    }
    copy_name(given, "user", "PGUSER", names->user);
    copy_name(given, "dbname", "PGDATABASE", names->database);
    names->password = false;
    for (const PQconninfoOption *o = given; o->keyword != NULL; o++)
        names->password |= o->val != NULL && strcmp(o->keyword, "password") == 0;
    PQconninfoFree(given);
    return 0;
}

static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

/* ---- Connecting ---- */

static int count_hosts(const struct parameters *p)
{
    const char *list = get_parameter(p, "hostaddr");
    if (list == NULL)
        list = get_parameter(p, "host");
    int count = 1;
    for (; list != NULL && *list != '\0' && count < HOSTS_MAX; list++)
        if (*list == ',')
            count++;
    return count;
}

static void limit_silence(int fd, int64_t ms)
{
    unsigned value = (unsigned)ms;
    /* Fails on a Unix socket, where it is not needed. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

/* Drives PQconnectPoll. libpq leaves a host that does not answer only when the socket fails, so
 * with several hosts each connect() gets its share of the time-out from the kernel. */
static int drive(const struct pg_connection *session, int hosts, struct error *err)
{
    int64_t deadline_us = clock_monotonic_us() + session->timeout_us;
    int64_t share_ms = session->timeout_us / US_PER_MS / hosts;
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    while (want != PGRES_POLLING_OK) {
        if (want == PGRES_POLLING_FAILED)
            return pg_connection_error(session, PG_CONNECT, err);
        if (hosts > 1 && PQstatus(session->conn) == CONNECTION_STARTED)
            limit_silence(PQsocket(session->conn), share_ms);
        int ready =
            pg_wait(session, want == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us, err);
        if (ready < 0)
            return -1;
        if (ready == 0) {
            const char *host = PQhost(session->conn);
            const char *port = PQport(session->conn);
            return error_retry(err, REASON_CONNECT_TIMEOUT,
                               "cannot connect to PostgreSQL: host \"%s\", port %s did not answer "
                               "within %lld ms",
                               host != NULL ? host : "", port != NULL ? port : "",
                               (long long)(session->timeout_us / US_PER_MS));
        }
        want = PQconnectPoll(session->conn);
    }
    return 0;
}

static void restore_silence(const struct pg_connection *session, const struct parameters *p)
{
    const char *text = get_parameter(p, "tcp_user_timeout");
    long long ms = text != NULL ? strtoll(text, NULL, 10) : 0;
    limit_silence(PQsocket(session->conn), ms > 0 && ms <= INT32_MAX ? ms : 0);
}

/* Of a file that is there and may not be read, libpq (15, with OpenSSL 3) says what happened to
 * stand in memory that it has not filled. What is not there it handles well, or does without. */
static int check_files(const struct parameters *p, const struct pg_connection *session,
                       struct error *err)
{
    static const char *const files[] = {"sslrootcert", "sslcert", "sslkey", "sslcrl"};
    const char *mode = get_parameter(p, "sslmode");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = get_parameter(p, files[i]);
        if (path == NULL || path[0] == '\0' || (mode != NULL && strcmp(mode, "disable") == 0))
            continue;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        int failed = fd < 0 ? errno : 0;
        if (fd >= 0)
            close(fd);
        if (failed == 0 || failed == ENOENT || failed == ENOTDIR)
            continue;
        error_stop(err, REASON_TLS, "cannot connect to PostgreSQL: cannot read %s=%s: %s", files[i],
                   path, strerror(failed));
        return error_hint(err, "let %s in %s name a file that walferry's user may read", files[i],
                          session->given_by);
    }
    return 0;
}

/* 'invalid integer value "x" for connection option "port"', 'invalid sslmode value: "x"': without
 * the value, which is the beginning of the password where that has a / in a URI. */
static int value_error(const struct pg_connection *session, const char *message, struct error *err)
{
    const char *from = strchr(message, '"');
    const char *to = from != NULL ? strchr(from + 1, '"') : NULL;
    if (to == NULL)
        from = to = message + strcspn(message, "\n");
    int front = (int)(from - message);
    while (front > 0 && strchr(" :", message[front - 1]) != NULL)
        front--;
    to += *to == '"' ? 1 : 0;
    error_stop(err, REASON_BAD_CONNECTION, "%.*s%.*s", front, message, (int)strcspn(to, "\n"), to);
    return error_hint(err, "mend %s", session->given_by);
}

static int start_with(const struct parameters *p, struct pg_connection *session, struct error *err)
{
    if (check_files(p, session, err) < 0)
        return -1;
    session->conn = PQconnectStartParams(p->names, p->values, 0);
    if (session->conn == NULL)
        abort();
    /* Verbose texts are the only way to the SQLSTATE of a refused connection. */
    PQsetErrorVerbosity(session->conn, PQERRORS_VERBOSE);
    PQsetNoticeProcessor(session->conn, ignore_notice, NULL);
    if (PQstatus(session->conn) == CONNECTION_BAD) {
        const char *message = PQerrorMessage(session->conn);
        if (strncmp(message, "invalid ", 8) != 0)
            return pg_connection_error(session, PG_CONNECT, err);
        return value_error(session, message, err);
    }
    return 0;
}

/* ---- A server that is not believed ---- */

static bool see_certificate(const struct pg_connection *session, struct tls_certificate *out)
{
    struct error ignored = ERROR_INIT;
    int64_t deadline_us = clock_monotonic_us() + session->timeout_us;
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    while (!tls_certificate_of_session(PQsslStruct(session->conn, "OpenSSL"), out)) {
        if (want == PGRES_POLLING_FAILED || want == PGRES_POLLING_OK)
            return false;
        if (pg_wait(session, want == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us,
                    &ignored) <= 0)
            return false;
        want = PQconnectPoll(session->conn);
    }
    return true;
}

/* libpq does not tell what is wrong with the certificate. So it is asked for once more, by a
 * session that verifies nothing and goes no further than the handshake: neither name nor password
 * is sent. */
static int explain_certificate(const struct parameters *p, const struct pg_connection *session,
                               struct error *err)
{
    struct parameters loose = *p;
    struct tls_certificate theirs;
    struct error ignored = ERROR_INIT;
    char date[TLS_DATE_TEXT_MAX];
    set_parameter(&loose, "sslmode", "require");
    set_parameter(&loose, "sslrootcert", "/dev/null/none"); /* with a file, it would verify */
    loose.names[loose.count] = loose.values[loose.count] = NULL;
    struct pg_connection look = {
        .timeout_us = session->timeout_us, .given_by = session->given_by, .stop = session->stop};
    bool seen = start_with(&loose, &look, &ignored) == 0 && see_certificate(&look, &theirs);
    const char *dated = seen ? tls_certificate_dated(&theirs, clock_wall_us(), date) : NULL;
    const char *root = get_parameter(p, "sslrootcert");
    if (dated != NULL) {
        error_stop(err, REASON_TLS,
                   "cannot connect to PostgreSQL: the certificate of the server at \"%s\", port %s "
                   "(%s) %s",
                   PQhost(look.conn), PQport(look.conn), theirs.subject, dated);
        error_hint(err, "give the server a new one (ssl_cert_file, ssl_key_file) and reload it; "
                        "where the date is not past, set the clock of this machine");
    } else if (seen) {
        error_stop(err, REASON_TLS,
                   "cannot connect to PostgreSQL: the certificate of the server at \"%s\", port %s "
                   "(%s, issued by %s) is signed by no authority in sslrootcert=%s",
                   PQhost(look.conn), PQport(look.conn), theirs.subject, theirs.issuer,
                   root != NULL ? root : "~/.postgresql/root.crt");
        error_hint(err,
                   "set sslrootcert in %s to the authority that signed the server's "
                   "certificate",
                   session->given_by);
    }
    pg_session_close(&look);
    return -1;
}

static int connect_with(const struct parameters *p, struct pg_connection *session,
                        struct error *err)
{
    waits_on(session->waits, "waits for the address in %s", session->given_by);
    if (start_with(p, session, err) < 0)
        return -1;
    waits_on(session->waits, "waits for PostgreSQL at %s, port %s, to take the connection",
             PQhost(session->conn), PQport(session->conn));
    int hosts = count_hosts(p);
    if (drive(session, hosts, err) < 0)
        return pg_is_unverified(session) ? explain_certificate(p, session, err) : -1;
    if (hosts > 1)
        restore_silence(session, p);
    return 0;
}

/* ---- After the connect ---- */

static int check_version(const struct pg_connection *session, struct error *err)
{
    int version = PQserverVersion(session->conn);
    if (version >= OLDEST_VERSION)
        return 0;
    const char *text = PQparameterStatus(session->conn, "server_version");
    error_stop(err, REASON_SERVER_TOO_OLD,
               "PostgreSQL %s is too old: version 14 is the oldest that will do",
               text != NULL ? text : "of unknown version");
    return error_hint(err, "upgrade the server to PostgreSQL 14 or newer");
}

/* By itself, and first: a statement that lifts the time-out for all that follow has it still. */
const char pg_lift_timeout[] = "SELECT pg_catalog.set_config('statement_timeout', '0', false)";

/* One SELECT, because a walsender of PostgreSQL 14 takes one statement at a time. search_path is
 * the last: it decides how names of types and tables are printed. */
/* How values are written, in UTF-8 but where the server would check and not convert; and what a
 * role or a database may have set for its applications that would end our statements or forbid
 * them. A question to the catalogue is answered in less time than the server takes to compile it.
 */
const char pg_pin_settings[] = "SELECT pg_catalog.set_config('datestyle', 'ISO', false), "
                               "pg_catalog.set_config('timezone', 'UTC', false), "
                               "pg_catalog.set_config('lock_timeout', '0', false), "
                               "pg_catalog.set_config('default_transaction_read_only', 'off', "
                               "false), "
                               "(SELECT pg_catalog.count(pg_catalog.set_config(name, '0', "
                               "false)) FROM pg_catalog.pg_settings WHERE name IN "
                               "('idle_session_timeout', 'idle_in_transaction_session_timeout', "
                               "'transaction_timeout')), " /* the last from 17 on */
                               "pg_catalog.set_config('intervalstyle', 'postgres', false), "
                               "pg_catalog.set_config('extra_float_digits', '3', false), "
                               "pg_catalog.set_config('bytea_output', 'hex', false), "
                               "pg_catalog.set_config('lc_monetary', 'C', false), "
                               "pg_catalog.set_config('jit', 'off', false), "
                               "pg_catalog.set_config('client_encoding', CASE "
                               "pg_catalog.current_setting('server_encoding') "
                               "WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, false), "
                               "pg_catalog.set_config('search_path', 'pg_catalog', false)";

int pg_session_open(const struct pg_options *options, bool replication,
                    struct pg_connection *session, struct error *err)
{
    assert(options != NULL && options->connection != NULL);
    assert(options->application_name != NULL && session != NULL);
    int64_t timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_DEFAULT_MS;
    *session = (struct pg_connection){
        .replication = replication,
        .shared = options->shared,
        .timeout_us = timeout_ms * US_PER_MS,
        .given_by = pg_given_by(options),
        .stop = options->stop,
        .waits = options->waits,
    };
    char *message = NULL;
    PQconninfoOption *given = PQconninfoParse(options->connection, &message);
    if (given == NULL) {
        parse_error(options, message, err);
        PQfreemem(message);
        return -1;
    }
    struct parameters parameters = {.count = 0};
    struct buf password = BUF_EMPTY;
    int result = check_one_password(given, options, err);
    if (result == 0)
        result = pg_password(options, &password, err);
    if (result == 0) {
        merge(given, options, replication, password.len > 0 ? buf_text(&password) : NULL,
              &parameters);
        result = connect_with(&parameters, session, err);
        if (result < 0 && password.len > 0)
            pg_password_refused(session, buf_span(&password), err);
    }
    program_forget(&password);
    PQconninfoFree(given);
    if (result == 0)
        result = check_version(session, err);
    if (result == 0 && PQsetnonblocking(session->conn, 1) != 0)
        result = pg_connection_error(session, PG_CONNECT, err);
    if (result == 0 && !session->shared)
        result = pg_exec(session, pg_lift_timeout, err);
    if (result == 0 && !session->shared)
        result = pg_exec(session, pg_pin_settings, err);
    if (result < 0)
        pg_session_close(session);
    return result;
}

/* Of several servers in a connection string the first that answers may be another one. An address
 * spares the look-up of its name, for which libpq waits; a Unix socket has none. */
static void set_server(struct parameters *p, const PGconn *beside)
{
    static const struct {
        const char *name;
        char *(*get)(const PGconn *conn);
    } facts[] = {{"host", PQhost},
                 {"hostaddr", PQhostaddr},
                 {"port", PQport},
                 {"dbname", PQdb},
                 {"user", PQuser}};
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        const char *value = facts[i].get(beside);
        set_parameter(p, facts[i].name, value != NULL ? value : "");
    }
    p->names[p->count] = NULL;
    p->values[p->count] = NULL;
}

int pg_session_start(const struct pg_options *options, const struct pg_connection *beside,
                     const char *password, struct pg_connection *session, struct error *err)
{
    assert(options != NULL && options->connection != NULL);
    assert(options->application_name != NULL && session != NULL);
    *session = (struct pg_connection){.given_by = pg_given_by(options), .stop = options->stop};
    char *message = NULL;
    PQconninfoOption *given = PQconninfoParse(options->connection, &message);
    if (given == NULL) {
        parse_error(options, message, err);
        PQfreemem(message);
        return -1;
    }
    struct parameters parameters = {.count = 0};
    merge(given, options, false, password, &parameters);
    set_server(&parameters, beside->conn);
    int result = start_with(&parameters, session, err);
    PQconninfoFree(given);
    return result;
}

void pg_session_close(struct pg_connection *session)
{
    assert(session != NULL);
    PQfinish(session->conn); /* NULL is legal */
    session->conn = NULL;
}

int pg_speak_server_encoding(struct pg_connection *connection, struct error *err)
{
    assert(connection != NULL);
    return pg_exec(connection,
                   "SELECT pg_catalog.set_config('client_encoding', "
                   "pg_catalog.current_setting('server_encoding'), false)",
                   err);
}

int pg_open(const struct pg_options *options, struct pg_connection **connection, struct error *err)
{
    assert(connection != NULL && err != NULL);
    struct pg_connection *session = calloc(1, sizeof *session);
    if (session == NULL)
        abort();
    if (pg_session_open(options, false, session, err) < 0) {
        free(session);
        return -1;
    }
    *connection = session;
    return 0;
}

void pg_close(struct pg_connection *connection)
{
    if (connection == NULL)
        return;
    pg_session_close(connection);
    free(connection);
}

const char *pg_library_version(void)
{
    /* Aligned like what is linked behind it: mold (1.10) else protects a page in which nothing is,
     * now and then, and the program does not start. */
    static _Alignas(16) _Thread_local char text[24];
    int version = PQlibVersion();
    snprintf(text, sizeof text, "%d.%d", version / 10000, version % 10000);
    return text;
}
