/* config_change: what a changed file means for a relay that runs or has a position. Which keys need
 * a restart is said in the table; which of them decide about events is said here, in config_hash.
 */
#include "config/config_check.h"

#include "base/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Lengths are hashed too, so that no two lists of texts run together to the same bytes. */
static void hash_text(uint64_t *hash, const char *text)
{
    uint32_t len = text != NULL ? (uint32_t)strlen(text) : UINT32_MAX;
    unsigned char prefix[4] = {(unsigned char)len, (unsigned char)(len >> 8),
                               (unsigned char)(len >> 16), (unsigned char)(len >> 24)};
    *hash = hash_add(*hash, prefix, sizeof prefix);
    if (text != NULL)
        *hash = hash_add(*hash, text, len);
}

static void hash_number(uint64_t *hash, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    hash_text(hash, text);
}

/* The name of a route and its on_error are left out: they change no event. */
static void hash_route(uint64_t *hash, const struct config_route *route)
{
    const struct config_columns *c = &route->columns;
    const struct config_text *texts[] = {
        &route->from, &c->id,        &c->aggregate_type, &c->aggregate_id, &c->type,   &c->payload,
        &c->headers,  &c->timestamp, &c->partition,      &route->topic,    &route->key};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        hash_text(hash, texts[i]->text);
    hash_number(hash, route->as);
    hash_number(hash, route->format);
    if (route->value_encoding != VALUE_UTF8)
        hash_text(hash, "value_encoding: bytes"); /* the default has the hash of older versions */
    hash_number(hash, route->continue_matching);
    hash_number(hash, route->has_headers);
    hash_number(hash, route->headers.count);
    for (uint32_t i = 0; i < route->headers.count; i++) {
        hash_text(hash, route->headers.items[i].name.text);
        hash_text(hash, route->headers.items[i].value.text);
    }
}

void config_hash(struct config_relay *relay)
{
    uint64_t hash = HASH_INIT;
    assert(relay->source.slot.text != NULL);
    assert(relay->routes.count > 0);
    hash_text(&hash, "events of a change, version 1");
    hash_text(&hash, "pgoutput proto_version 1, messages, no streaming");
    hash_text(&hash, relay->source.slot.text);
    hash_text(&hash, relay->source.publication.text);
    hash_text(&hash, relay->delivery.id_header.text);
    hash_number(&hash, relay->routes.count);
    for (uint32_t i = 0; i < relay->routes.count; i++)
        hash_route(&hash, &relay->routes.items[i]);
    snprintf(relay->hash, sizeof relay->hash, "%016" PRIx64, hash);
}

/* What a connection string says of the database; texts that do not fit are cut alike. */
struct database {
    char dbname[256], user[256], service[256];
};

static void put(struct database *db, struct span name, const char *value)
{
    char *to = span_equal_text(name, "dbname")    ? db->dbname
               : span_equal_text(name, "user")    ? db->user
               : span_equal_text(name, "service") ? db->service
                                                  : NULL;
    if (to != NULL)
        snprintf(to, sizeof db->dbname, "%s", value);
}

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n\f\v");
}

/* keyword = value, with '…' around values that hold spaces and \ before any character (PostgreSQL
 * documentation, 34.1.1.1). */
static void read_pairs(const char *p, struct database *db)
{
    for (p = skip_space(p); *p != '\0'; p = skip_space(p)) {
        struct span name = {p, strcspn(p, "= \t\r\n\f\v")};
        char value[256];
        size_t len = 0;
        p = skip_space(p + name.len);
        if (*p != '=')
            return; /* libpq will say what is wrong with it */
        p = skip_space(p + 1);
        bool quoted = *p == '\'';
        for (p += quoted; *p != '\0'; p++) {
            if (quoted ? *p == '\'' : strchr(" \t\r\n\f\v", *p) != NULL)
                break;
            if (*p == '\\' && p[1] != '\0')
                p++;
            if (len + 1 < sizeof value)
                value[len++] = *p;
        }
        p += quoted && *p == '\'';
        value[len] = '\0';
        put(db, name, value);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_encoded(struct database *db, struct span name, struct span encoded)
{
    char value[256];
    size_t len = 0;
    for (size_t i = 0; i < encoded.len && len + 1 < sizeof value; i++) {
        char c = encoded.ptr[i];
        if (c == '%' && i + 2 < encoded.len && hex_digit(encoded.ptr[i + 1]) >= 0 &&
            hex_digit(encoded.ptr[i + 2]) >= 0) {
            c = (char)(hex_digit(encoded.ptr[i + 1]) * 16 + hex_digit(encoded.ptr[i + 2]));
            i += 2;
        }
        value[len++] = c;
    }
    value[len] = '\0';
    put(db, name, value);
}

/* scheme://[user[:password]@][host][:port][,…][/dbname][?name=value[&…]] (34.1.1.2). */
static void read_uri(const char *p, struct database *db)
{
    size_t authority = strcspn(p, "/?");
    const char *at = memchr(p, '@', authority);
    if (at != NULL)
        put_encoded(db, SPAN_LITERAL("user"), (struct span){p, strcspn(p, ":@")});
    p += authority;
    if (*p == '/') {
        size_t len = strcspn(p + 1, "?");
        if (len > 0)
            put_encoded(db, SPAN_LITERAL("dbname"), (struct span){p + 1, len});
        p += 1 + len;
    }
    while (*p == '?' || *p == '&') {
        struct span name = {p + 1, strcspn(p + 1, "=&")};
        p += 1 + name.len;
        size_t len = *p == '=' ? strcspn(p + 1, "&") : 0;
        put_encoded(db, name, (struct span){p + (*p == '='), len});
        p += *p == '=' ? 1 + len : 0;
    }
}

/* The name of the database as far as the string alone tells: dbname, else what the service file
 * says, else the user's name, as libpq does. The environment is the same for both strings. */
static const char *database_of(const char *connection, struct database *db)
{
    *db = (struct database){.dbname = "", .user = "", .service = ""};
    if (strncmp(connection, "postgresql://", 13) == 0)
        read_uri(connection + 13, db);
    else if (strncmp(connection, "postgres://", 11) == 0)
        read_uri(connection + 11, db);
    else
        read_pairs(connection, db);
    return db->dbname[0] != '\0' ? db->dbname : db->service[0] != '\0' ? db->service : db->user;
}

bool config_same_database(const char *a, const char *b)
{
    struct database left, right;
    assert(a != NULL);
    assert(b != NULL);
    return strcmp(database_of(a, &left), database_of(b, &right)) == 0;
}

static bool same_value(const struct config_key *key, const void *a, const void *b)
{
    const void *left = (const char *)a + key->offset, *right = (const char *)b + key->offset;
    if (key->kind == KEY_KIND_CHOICE)
        return memcmp(left, right, sizeof(unsigned)) == 0;
    assert(key->kind == KEY_KIND_TEXT);
    const char *one = ((const struct config_text *)left)->text;
    const char *two = ((const struct config_text *)right)->text;
    if ((key->flags & RESTART_DATABASE) != 0)
        return config_same_database(one, two);
    return strcmp(one, two) == 0;
}

/* The first key of the scope that differs and may not. */
static const char *restart_key(enum config_scope scope, const void *running, const void *next)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        if ((keys[i].flags & (RESTART | RESTART_DATABASE)) != 0 && keys[i].scope == scope &&
            !same_value(&keys[i], running, next))
            return keys[i].path;
    return NULL;
}

const char *config_needs_restart(const struct config *running, const struct config *next)
{
    assert(running != NULL);
    assert(next != NULL);
    for (uint32_t i = 0; i < running->relays.count; i++) {
        const struct config_relay *relay = &running->relays.items[i];
        const struct config_relay *after = config_relay_find(next, relay->name.text);
        if (after == NULL)
            return "relay";
        const char *key = restart_key(SCOPE_config_relay, relay, after);
        if (key != NULL)
            return key;
    }
    return restart_key(SCOPE_config, running, next);
}
