/* config_same: see config_same.h. */
#include "config/config_same.h"

#include <assert.h>
#include <stdio.h>

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

bool config_same_texts(const struct config_texts *a, const struct config_texts *b)
{
    assert(a != NULL && b != NULL);
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i].text, b->items[i].text) != 0)
            return false;
    return true;
}

bool config_same_value(const struct config_key *key, const void *a, const void *b)
{
    const void *left = (const char *)a + key->offset, *right = (const char *)b + key->offset;
    switch (key->kind) {
    case KEY_KIND_CHOICE:
        return memcmp(left, right, sizeof(unsigned)) == 0;
    case KEY_KIND_BOOL:
        return *(const bool *)left == *(const bool *)right;
    case KEY_KIND_NUMBER:
        return *(const int64_t *)left == *(const int64_t *)right;
    case KEY_KIND_TEXTS:
        return config_same_texts(left, right);
    default:
        break;
    }
    assert(key->kind == KEY_KIND_TEXT);
    const char *one = ((const struct config_text *)left)->text;
    const char *two = ((const struct config_text *)right)->text;
    if ((key->flags & RESTART_DATABASE) != 0)
        return config_same_database(one, two);
    return one == NULL || two == NULL ? one == two : strcmp(one, two) == 0;
}
