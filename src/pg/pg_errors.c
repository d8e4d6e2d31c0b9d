/* pg_errors: what the server or libpq says becomes a kind, a reason and a mend.
 *
 * Sorted by SQLSTATE, because the server's texts are translated (lc_messages); a text is looked at
 * only where one SQLSTATE stands for several things, and then at words that are not translated
 * (names of settings, file names). What is unknown is ERROR_RETRY, unless its class says that
 * asking again cannot help. PostgreSQL documentation, appendix A. */
#include "pg/pg_internal.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define ANY (-1)

struct rule {
    const char *sqlstate; /* a prefix */
    int context;          /* enum pg_context or ANY */
    const char *word;     /* must occur in the text; NULL: no condition */
    enum error_kind kind;
    enum reason reason;
    const char *hint; /* %s: the role, %c: where the connection is given; NULL: the server's own */
    struct {
        enum mend_kind kind;
        const char *line; /* likewise */
    } mend;
};

#define RETRY ERROR_RETRY
#define STOP ERROR_STOP

#define HINT_AUTH                                                                                  \
    "check user and password in %c, the role in PostgreSQL and pg_hba.conf, for "                  \
    "role %s"
#define HINT_REJECTED                                                                              \
    "the first line of pg_hba.conf that fits role %s, its database and this address says reject: " \
    "put one that lets it in in front of that, and check them in %c"
#define HINT_PEER                                                                                  \
    "over a socket the server takes only the system user of the role's name: run the command as "  \
    "that user (sudo -u %s), or give role %s a password and %c a host"
#define HINT_CERTIFICATE                                                                           \
    "the server does not accept the certificate that sslcert in %c names: let ssl_ca_file of the " \
    "server hold the authority that issued it"
#define HINT_REPLICATION                                                                           \
    "as a superuser (Amazon RDS: GRANT rds_replication TO the role)",                              \
    {                                                                                              \
        MEND_SQL, "ALTER ROLE %s REPLICATION"                                                      \
    }
#define HINT_POOLER                                                                                \
    "point %c at PostgreSQL itself, or use PgBouncer from 1.23 on, which carries "                 \
    "replication"
#define HINT_WAL_LEVEL                                                                             \
    "as a superuser, then restart PostgreSQL",                                                     \
    {                                                                                              \
        MEND_SQL, "ALTER SYSTEM SET wal_level = 'logical'"                                         \
    }
#define HINT_PUBLICATION                                                                           \
    "make it with walferry setup; where it was made after its slot, that slot cannot use it: "     \
    "then",                                                                                        \
    {                                                                                              \
        MEND_COMMAND, "rebase --to new-slot --accept-loss"                                         \
    }
#define HINT_SLOT_LOST                                                                             \
    "go on with a new slot",                                                                       \
    {                                                                                              \
        MEND_COMMAND, "rebase --to new-slot --accept-loss"                                         \
    }
#define NONE                                                                                       \
    {                                                                                              \
        MEND_NONE, NULL                                                                            \
    }

/* The first rule that fits wins. */
static const struct rule rules[] = {
    {"", ANY, "unsupported startup parameter", STOP, REASON_POOLER, HINT_POOLER, NONE},
    /* Under sslmode=prefer it is said first, and then that there is no entry without TLS. */
    {"28", ANY, "password authentication failed", STOP, REASON_AUTH_FAILED, HINT_AUTH, NONE},
    {"28000", ANY, "pg_hba.conf rejects", STOP, REASON_AUTH_FAILED, HINT_REJECTED, NONE},
    {"28000", ANY, "no encryption", STOP, REASON_AUTH_FAILED,
     "pg_hba.conf has no entry for role %s without TLS: set sslmode=verify-full in %c, or add one",
     NONE},
    {"28000", ANY, "SSL encryption", STOP, REASON_AUTH_FAILED,
     "pg_hba.conf has no entry for role %s under TLS: add one (hostssl), or check role and "
     "database "
     "in %c",
     NONE},
    {"28000", ANY, "client certificate", STOP, REASON_AUTH_FAILED,
     "name a certificate and its key for role %s with sslcert and sslkey in %c; a file that is not "
     "there is passed over without a word",
     NONE},
    {"28000", ANY, "certificate authentication", STOP, REASON_AUTH_FAILED,
     "let the common name of the certificate that sslcert in %c names be %s, or map it in "
     "pg_ident.conf",
     NONE},
    {"28000", ANY, "Peer", STOP, REASON_AUTH_FAILED, HINT_PEER, NONE},
    {"28", ANY, NULL, STOP, REASON_AUTH_FAILED, HINT_AUTH, NONE},
    {"3D000", ANY, NULL, STOP, REASON_DATABASE_MISSING, "check dbname in %c", NONE},
    {"42501", PG_CREATE_SLOT, NULL, STOP, REASON_NO_REPLICATION_PRIVILEGE, HINT_REPLICATION},
    {"42501", PG_START, NULL, STOP, REASON_NO_REPLICATION_PRIVILEGE, HINT_REPLICATION},
    {"42501", ANY, NULL, STOP, REASON_NO_PRIVILEGE,
     "grant role %s what the message names, or name another one with --admin-connection", NONE},
    {"42704", ANY, "publication", STOP, REASON_PUBLICATION_MISSING, HINT_PUBLICATION},
    {"42704", PG_STREAM, NULL, STOP, REASON_PUBLICATION_MISSING, HINT_PUBLICATION},
    {"42704", PG_START, NULL, STOP, REASON_SLOT_MISSING, HINT_SLOT_LOST},
    {"42710", PG_CREATE_SLOT, NULL, RETRY, REASON_SLOT_EXISTS, "", NONE},
    {"53400", PG_CREATE_SLOT, NULL, STOP, REASON_NO_FREE_SLOT,
     "drop a slot that nobody uses, or raise max_replication_slots and restart PostgreSQL", NONE},
    {"55000", ANY, "wal_level", STOP, REASON_WAL_LEVEL, HINT_WAL_LEVEL},
    {"55000", PG_START, "in this database", STOP, REASON_SLOT_DATABASE,
     "set dbname in %c to the slot's database, or source.slot to another slot", NONE},
    {"55000", PG_START, NULL, STOP, REASON_SLOT_LOST, HINT_SLOT_LOST},
    {"55000", PG_STREAM, NULL, STOP, REASON_SLOT_LOST, HINT_SLOT_LOST},
    {"55P03", ANY, NULL, RETRY, REASON_LOCKED, "", NONE},
    {"55006", PG_START, NULL, RETRY, REASON_SLOT_ACTIVE, "", NONE},
    {"0A000", PG_CREATE_SLOT, NULL, STOP, REASON_IN_RECOVERY,
     "point %c at the primary (target_session_attrs=read-write)", NONE},
    {"57P03", ANY, NULL, RETRY, REASON_STARTING_UP, "", NONE},
    {"57P0", ANY, NULL, RETRY, REASON_SERVER_SHUTDOWN, "", NONE},
    {"57014", ANY, NULL, RETRY, REASON_CANCELED, "", NONE},
    {"53300", ANY, NULL, RETRY, REASON_TOO_MANY_CLIENTS, "", NONE},
    {"40", ANY, NULL, RETRY, REASON_SERIALIZATION, "", NONE},
    {"25006", ANY, NULL, RETRY, REASON_READ_ONLY, "", NONE},
    {"08P01", PG_CONNECT, NULL, STOP, REASON_CONNECTION_REFUSED, NULL, NONE},
    {"08", ANY, NULL, RETRY, REASON_CONNECTION_LOST, "", NONE},
    {"0A", ANY, NULL, STOP, REASON_QUERY_REFUSED, NULL, NONE},
    {"22", ANY, NULL, STOP, REASON_QUERY_REFUSED, NULL, NONE},
    {"42", ANY, NULL, STOP, REASON_QUERY_REFUSED, NULL, NONE},
    {"3F", ANY, NULL, STOP, REASON_QUERY_REFUSED, NULL, NONE},
};

/* libpq's own refusals have no SQLSTATE; it speaks English, since nobody calls setlocale. */
static const struct rule own_rules[] = {
    {"", PG_CONNECT, "no password supplied", STOP, REASON_AUTH_FAILED,
     "give role %s a password in %c, in ~/.pgpass or in PGPASSWORD", NONE},
    {"", PG_CONNECT, "authentication method", STOP, REASON_AUTH_FAILED, HINT_AUTH, NONE},
    {"", PG_CONNECT, "GSSAPI", RETRY, REASON_CONNECT_FAILED,
     "the server asks role %s for a Kerberos ticket (gss in pg_hba.conf), and there is none here: "
     "get one for walferry's user, or let a line of pg_hba.conf take a password or a certificate",
     NONE},
    {"", PG_CONNECT, "channel binding", STOP, REASON_AUTH_FAILED,
     "channel_binding=require in %c wants TLS, and scram-sha-256 for role %s in pg_hba.conf", NONE},
    {"", PG_CONNECT, "server does not support SSL", STOP, REASON_TLS,
     "set ssl = on in PostgreSQL, or choose another sslmode in %c", NONE},
    {"", PG_CONNECT, "certificate verify failed", STOP, REASON_TLS,
     "set sslrootcert in %c to the authority that signed the server's certificate", NONE},
    {"", PG_CONNECT, "does not match host name", STOP, REASON_TLS,
     "set host in %c to a name in the server's certificate", NONE},
    {"", PG_CONNECT, "root certificate file", STOP, REASON_TLS,
     "put the authority's certificate where sslrootcert in %c points", NONE},
    {"", PG_CONNECT, "alert certificate expired", STOP, REASON_TLS,
     "write a new certificate, and its key, where sslcert and sslkey in %c point", NONE},
    {"", PG_CONNECT, "alert unknown ca", STOP, REASON_TLS, HINT_CERTIFICATE, NONE},
    {"", PG_CONNECT, "alert bad certificate", STOP, REASON_TLS, HINT_CERTIFICATE, NONE},
    {"", PG_CONNECT, "alert certificate", STOP, REASON_TLS, HINT_CERTIFICATE, NONE},
    {"", PG_CONNECT, "alert unsupported certificate", STOP, REASON_TLS, HINT_CERTIFICATE, NONE},
    {"", PG_CONNECT, "has group or world access", STOP, REASON_TLS,
     "take the key that sslkey in %c names from others: chmod 600", NONE},
    {"", PG_CONNECT, "private key file", STOP, REASON_TLS,
     "let sslkey in %c name the key of sslcert, readable to walferry's user, and sslpassword open "
     "it "
     "where it is encrypted",
     NONE},
    {"", PG_CONNECT, "certificate file", STOP, REASON_TLS,
     "let sslcert in %c name a certificate in PEM, readable to walferry's user", NONE},
    {"", PG_CONNECT, NULL, RETRY, REASON_CONNECT_FAILED, "", NONE},
    {"", ANY, NULL, RETRY, REASON_CONNECTION_LOST, "", NONE},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct rule *find_rule(const struct rule *set, size_t count, enum pg_context context,
                                    const char *sqlstate, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = &set[i];
        if (strncmp(sqlstate, rule->sqlstate, strlen(rule->sqlstate)) == 0 &&
            (rule->context == ANY || rule->context == (int)context) &&
            (rule->word == NULL || strstr(text, rule->word) != NULL))
            return rule;
    }
    return NULL;
}

/* "requested WAL segment 0000000100000000000000A3 has already been removed", in any language. */
static bool names_wal_segment(const char *text)
{
    size_t digits = 0;
    for (const char *c = text; *c != '\0'; c++) {
        bool hex = isdigit((unsigned char)*c) || (*c >= 'A' && *c <= 'F');
        digits = hex ? digits + 1 : 0;
        if (digits == 24)
            return true;
    }
    return false;
}

static const struct rule slot_lost = {"58P01", ANY, NULL, STOP, REASON_SLOT_LOST, HINT_SLOT_LOST};
static const struct rule no_replication = {
    "42501", PG_CONNECT, NULL, STOP, REASON_NO_REPLICATION_PRIVILEGE, HINT_REPLICATION};
static const struct rule unknown = {"", ANY, NULL, RETRY, REASON_DATABASE, NULL, NONE};

static const struct rule *choose(enum pg_context context, bool replication, const char *sqlstate,
                                 const char *text)
{
    if (sqlstate[0] == '\0') {
        if (strstr(text, "unsupported startup parameter") != NULL)
            return &rules[0];
        return find_rule(own_rules, COUNT(own_rules), context, sqlstate, text);
    }
    bool reading = context == PG_START || context == PG_STREAM;
    if (strcmp(sqlstate, "58P01") == 0 && reading && names_wal_segment(text))
        return &slot_lost;
    /* The right to replicate is asked for before the right to connect to the database. */
    if (strcmp(sqlstate, "42501") == 0 && context == PG_CONNECT && replication &&
        strstr(text, "database \"") == NULL)
        return &no_replication;
    const struct rule *rule = find_rule(rules, COUNT(rules), context, sqlstate, text);
    return rule != NULL ? rule : &unknown;
}

static const char *user_of(const struct pg_connection *session)
{
    const char *user = PQuser(session->conn);
    return user != NULL ? user : "";
}

/* The text with the role in the place of each %s, and the connection's name in that of each %c. */
static void fill_in(const char *text, const struct pg_connection *session, struct buf *out)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (c[0] != '%') {
            buf_add_char(out, *c);
            continue;
        }
        c++;
        assert(*c == 's' || *c == 'c');
        if (*c == 's')
            pg_quote_identifier(out, span_of(user_of(session)));
        else
            buf_add_text(out, session->given_by);
    }
}

static void set_hint(const struct rule *rule, const struct pg_connection *session,
                     const char *server_hint, struct error *err)
{
    struct buf hint = BUF_EMPTY, mend = BUF_EMPTY;
    if (rule->hint != NULL)
        fill_in(rule->hint, session, &hint);
    else
        buf_add_text(&hint, server_hint != NULL ? server_hint : "");
    error_hint(err, "%s", buf_text(&hint));
    if (rule->mend.kind != MEND_NONE)
        fill_in(rule->mend.line, session, &mend);
    if (rule->mend.kind == MEND_COMMAND)
        error_mend(err, "%s", buf_text(&mend));
    else if (rule->mend.kind == MEND_SQL)
        error_mend_sql(err, "%s", buf_text(&mend));
    buf_fini(&hint);
    buf_fini(&mend);
}

/* sqlstate "": none is known. */
static int sort_error(enum pg_context context, const struct pg_connection *session,
                      const char *sqlstate, const char *text, const char *server_hint,
                      struct error *err)
{
    assert(err != NULL && session->given_by != NULL);
    assert(sqlstate != NULL && text != NULL);
    const struct rule *rule = choose(context, session->replication, sqlstate, text);
    const char *where = context == PG_CONNECT ? "cannot connect to PostgreSQL: " : "";
    bool pooler = rule->reason == REASON_POOLER;
    if (pooler)
        where = "a pooler such as PgBouncer answered instead of PostgreSQL: ";
    if (rule->kind == ERROR_STOP)
        error_stop(err, rule->reason, "%s%s", where, text);
    else
        error_retry(err, rule->reason, "%s%s", where, text);
    set_hint(rule, session, server_hint, err);
    return -1;
}

int pg_not_a_walsender(const struct pg_connection *session, const char *what, struct error *err)
{
    assert(session != NULL && what != NULL);
    assert(err != NULL);
    struct buf hint = BUF_EMPTY;
    error_stop(err, REASON_POOLER,
               "a pooler such as PgBouncer seems to answer instead of PostgreSQL: %s", what);
    fill_in(HINT_POOLER, session, &hint);
    error_hint(err, "%s", buf_text(&hint));
    buf_fini(&hint);
    return -1;
}

/* ---- From libpq's structures ---- */

int pg_result_error(const struct pg_connection *session, enum pg_context context,
                    const PGresult *result, struct error *err)
{
    assert(session != NULL && err != NULL);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (primary == NULL)
        return pg_connection_error(session, context, err);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, primary);
    if (detail != NULL)
        buf_add_format(&text, " (%s)", detail);
    sort_error(context, session, sqlstate != NULL ? sqlstate : "", buf_text(&text),
               PQresultErrorField(result, PG_DIAG_MESSAGE_HINT), err);
    buf_fini(&text);
    return -1;
}

bool pg_is_unverified(const struct pg_connection *session)
{
    assert(session != NULL);
    return strstr(PQerrorMessage(session->conn), "certificate verify failed") != NULL;
}

int pg_connection_error(const struct pg_connection *session, enum pg_context context,
                        struct error *err)
{
    assert(session != NULL && err != NULL);
    char sqlstate[6];
    struct buf text = BUF_EMPTY;
    pg_split_connect_message(PQerrorMessage(session->conn), sqlstate, &text);
    if (text.len == 0)
        buf_add_text(&text, "the connection to PostgreSQL is lost");
    sort_error(context, session, sqlstate, buf_text(&text), NULL, err);
    buf_fini(&text);
    return -1;
}

/* Where ":  28P01: " begins in a line, or NULL. */
static const char *find_sqlstate(const char *line, size_t length)
{
    for (size_t i = 0; i + 10 <= length; i++) {
        if (memcmp(line + i, ":  ", 3) != 0 || memcmp(line + i + 8, ": ", 2) != 0)
            continue;
        size_t n = 0;
        while (n < 5 &&
               (isdigit((unsigned char)line[i + 3 + n]) || isupper((unsigned char)line[i + 3 + n])))
            n++;
        if (n == 5)
            return line + i;
    }
    return NULL;
}

static void add_line(const char *line, size_t length, char sqlstate[6], struct buf *text)
{
    if (text->len > 0)
        buf_add_text(text, "; ");
    const char *found = find_sqlstate(line, length);
    if (found == NULL) {
        buf_add(text, (struct span){line, length});
        return;
    }
    memcpy(sqlstate, found + 3, 5);
    /* The severity is the one word in front; the rest of the front names host and port. */
    const char *front = found;
    while (front > line && front[-1] != ' ')
        front--;
    buf_add(text, (struct span){line, (size_t)(front - line)});
    buf_add(text, (struct span){found + 10, length - (size_t)(found + 10 - line)});
}

void pg_split_connect_message(const char *message, char sqlstate[6], struct buf *text)
{
    assert(message != NULL && text != NULL);
    memset(sqlstate, 0, 6);
    while (*message != '\0') {
        size_t length = strcspn(message, "\n");
        bool location = strncmp(message, "LOCATION:", 9) == 0;
        if (length > 0 && !location) {
            size_t indent = strspn(message, "\t ");
            if (indent < length)
                add_line(message + indent, length - indent, sqlstate, text);
        }
        message += length + (message[length] == '\n' ? 1 : 0);
    }
}
