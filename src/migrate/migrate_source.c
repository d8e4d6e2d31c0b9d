/* migrate_source: the section source: how the database is reached, and the slot. */
#include "migrate/migrate_internal.h"

#include <assert.h>
#include <string.h>

/* libpq, "Keyword/Value Connection Strings": quotes where something else than these stands there. A
 * reference alone needs none, as walferry escapes what it puts in. */
static void add_word(struct buf *out, const char *value)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./:,@+-${}";
    if (value[0] != '\0' && value[strspn(value, PLAIN)] == '\0') {
        buf_add_text(out, value);
        return;
    }
    buf_add_char(out, '\'');
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *c);
    }
    buf_add_char(out, '\'');
}

static bool is_reference(const char *value)
{
    return strncmp(value, "${", 2) == 0 && strchr(value, '}') == value + strlen(value) - 1;
}

static void add_password(struct migrate *m, struct buf *out, const char *key, const char *word)
{
    const char *value = migrate_value(m, key);
    if (value == NULL)
        return;
    buf_add_format(out, " %s=", word);
    add_word(out, value);
    if (is_reference(value))
        migrate_say(m, key, WEIGHT_TAKEN, "source.connection, %s", word);
    else
        migrate_say(
            m, key, WEIGHT_LOOK,
            "source.connection, %s, as it stands: put it into a file or the environment and "
            "write ${file:PATH} or ${env:NAME}",
            word);
}

static void add_connection(struct migrate *m, struct buf *out)
{
    static const struct {
        const char *key, *word, *otherwise;
    } WORDS[] = {
        {"database.hostname", "host", NULL},           {"database.port", "port", "5432"},
        {"database.dbname", "dbname", NULL},           {"database.user", "user", NULL},
        {"database.sslmode", "sslmode", NULL},         {"database.sslcert", "sslcert", NULL},
        {"database.sslrootcert", "sslrootcert", NULL}, {"database.sslkey", "sslkey", NULL}};
    struct buf line = BUF_EMPTY;
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        const char *value = migrate_value(m, WORDS[i].key);
        bool needed = i < 4 && WORDS[i].otherwise == NULL;
        if (value == NULL && needed)
            migrate_note(m, WEIGHT_LOOK, "no %s: libpq's default is taken", WORDS[i].key);
        if (value == NULL)
            value = WORDS[i].otherwise;
        if (value == NULL)
            continue;
        buf_add_format(&line, "%s%s=", line.len > 0 ? " " : "", WORDS[i].word);
        add_word(&line, value);
        migrate_say(m, WORDS[i].key, WEIGHT_TAKEN, "source.connection, %s%s", WORDS[i].word,
                    strcmp(WORDS[i].word, "sslkey") == 0
                        ? "; libpq wants a key in PEM, not in PKCS-8 DER"
                        : "");
    }
    add_password(m, &line, "database.password", "password");
    add_password(m, &line, "database.sslpassword", "sslpassword");
    migrate_add(out, 2, "connection", buf_text(&line));
    buf_fini(&line);
}

void migrate_source(struct migrate *m, struct buf *out)
{
    assert(m->relay != NULL);
    const char *slot = migrate_value(m, "slot.name");
    buf_add_text(out, "source:\n");
    add_connection(m, out);
    if (!migrate_is(m, "plugin.name", "pgoutput", "decoderbufs")) {
        if (migrate_find(m, "plugin.name") == NULL)
            migrate_note(
                m, WEIGHT_LOOK,
                "no plugin.name, so the slot is of decoderbufs and cannot be gone on with: "
                "it needs one of pgoutput");
        migrate_say(m, "slot.name", WEIGHT_MOOT,
                    "a slot of another plugin; the relay makes its own");
        return;
    }
    migrate_add(out, 2, "slot", slot != NULL ? slot : "debezium");
    migrate_say(m, "slot.name", WEIGHT_TAKEN, "source.slot: the relay goes on with this slot");
}
