/* migrate_offset: where a connector has stopped, in whatever a person can get hold of: the answer
 * of Kafka Connect's GET /connectors/NAME/offsets, lines of the topic of offsets (key and value,
 * the last one of a key counts), the file of a standalone worker or of Debezium Server (a HashMap
 * of byte arrays as Java serialises it, in which they stand as they are), or one offset alone.
 *
 * All of these hold the same two objects of JSON one behind the other: the partition {"server": …}
 * and the offset {"lsn_commit": …, "lsn": …}; so they are looked for, and what is around them is
 * not. Members of the offset: Debezium 3.6, PostgresOffsetContext. */
#include "migrate/migrate.h"

#include "json/json_read.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SERVERS_MAX 64
/* A partition or an offset is below that, with the names of an incremental snapshot's tables, too;
 * what encloses them is not looked at as a whole. */
#define OBJECT_BYTES_MAX ((size_t)16 * 1024)
#define DEPTH_MAX 8

struct offsets {
    struct migrate_offset items[SERVERS_MAX];
    uint32_t count;
    char server[sizeof((struct migrate_offset *)NULL)->server]; /* that was met last */
};

/* The object that begins there; absent: it has no end within reach. */
static struct span object_at(struct span text)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len && i < OBJECT_BYTES_MAX; i++) {
        char c = text.ptr[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '{') {
            if (++depth > DEPTH_MAX)
                break;
        } else if (!quoted && c == '}' && --depth == 0) {
            return (struct span){text.ptr, i + 1};
        }
    }
    return span_null();
}

static struct migrate_offset *find(struct offsets *all, const char *server)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].server, server) == 0)
            return &all->items[i];
    return NULL;
}

/* One of all tables, or an incremental one, of which this names what is left to be read. */
static bool is_in_snapshot(const struct json_tree *offset)
{
    bool completed = false, running = false;
    struct span left;
    if (json_tree_member_string(offset, "incremental_snapshot_collections", &left) && left.len > 0)
        return true;
    const struct json_tree *snapshot = json_tree_member(offset, "snapshot");
    (void)json_tree_member_bool(offset, "snapshot_completed", &completed);
    struct span word;
    if (json_tree_string(snapshot, &word))
        running = word.len > 0 && !span_equal_text(word, "false");
    else
        (void)json_tree_bool(snapshot, &running);
    return running && !completed;
}

/* Up to where it is sure that a change was sent: `lsn` is of the last message, whichever that was.
 * A BEGIN has that of the change behind it, a COMMIT that of whatever follows, a logical message
 * the end of its record (PostgresStreamingChangeEventSource, PostgresOffsetContext): of these, only
 * a COMMIT says that something was sent, namely what stands before the end of its transaction. */
static uint64_t event_of(const struct json_tree *tree, const struct migrate_offset *offset)
{
    static const char *const CHANGES[] = {"INSERT", "UPDATE", "DELETE", "TRUNCATE"};
    struct span type;
    if (!json_tree_member_string(tree, "messageType", &type))
        return 0;
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++)
        if (span_equal_text(type, CHANGES[i]))
            return offset->event_lsn;
    bool bound = span_equal_text(type, "BEGIN") || span_equal_text(type, "COMMIT");
    return bound && offset->commit_lsn != 0 ? offset->commit_lsn - 1 : 0;
}

static bool take_offset(struct offsets *all, const struct json_tree *tree)
{
    struct migrate_offset offset = {.commit_lsn = 0};
    uint64_t processed = 0;
    bool commit = json_tree_member_u64(tree, "lsn_commit", &offset.commit_lsn);
    bool event = json_tree_member_u64(tree, "lsn", &offset.event_lsn);
    if (!commit && !event && !json_tree_member_u64(tree, "lsn_proc", &processed))
        return false;
    offset.event_lsn = event_of(tree, &offset);
    offset.in_snapshot = is_in_snapshot(tree);
    memcpy(offset.server, all->server, sizeof offset.server);
    struct migrate_offset *known = find(all, offset.server);
    if (known == NULL && all->count < SERVERS_MAX)
        known = &all->items[all->count++];
    if (known != NULL)
        *known = offset;
    return true;
}

/* The key of a record whose value is null: the offset is gone. */
static bool is_gone(struct span behind)
{
    size_t i = 0;
    while (i < behind.len && strchr("] \t|\r", behind.ptr[i]) != NULL && behind.ptr[i] != '\0')
        i++;
    return behind.len - i >= 4 && memcmp(behind.ptr + i, "null", 4) == 0;
}

static bool take_server(struct offsets *all, const struct json_tree *tree, struct span behind)
{
    struct span server;
    if (!json_tree_member_string(tree, "server", &server) || server.len >= sizeof all->server)
        return false;
    memcpy(all->server, server.ptr, server.len);
    all->server[server.len] = '\0';
    struct migrate_offset *known = find(all, all->server);
    if (known != NULL && is_gone(behind))
        *known = all->items[--all->count];
    return true;
}

static void scan(struct span text, struct offsets *all)
{
    for (size_t at = 0; at < text.len; at++) {
        if (text.ptr[at] != '{')
            continue;
        struct span object = object_at((struct span){text.ptr + at, text.len - at});
        struct json_tree *tree = NULL;
        struct error none = ERROR_INIT;
        if (object.ptr == NULL || json_tree_parse(object, &tree, &none) < 0)
            continue;
        struct span behind = {object.ptr + object.len, text.len - at - object.len};
        if (take_offset(all, tree) || take_server(all, tree, behind))
            at += object.len - 1;
        json_tree_free(tree);
    }
}

static int choose(const struct offsets *all, const char *name, const char *server,
                  struct migrate_offset *out, struct error *err)
{
    const struct migrate_offset *only = all->count == 1 ? &all->items[0] : NULL;
    for (uint32_t i = 0; only == NULL && i < all->count; i++)
        if (strcmp(all->items[i].server, server) == 0)
            only = &all->items[i];
    if (all->count == 0) {
        error_stop(err, REASON_CONFIG_VALUE, "%s: no offset of a Debezium connector", name);
        return error_hint(err,
                          "give what GET /connectors/NAME/offsets of Kafka Connect answers, the "
                          "file of offsets, or lsn:X");
    }
    if (only == NULL) {
        error_stop(err, REASON_CONFIG_VALUE,
                   "%s: offsets of %u connectors (%.100s, %.100s%s), none of "
                   "them of topic.prefix %.100s",
                   name, all->count, all->items[0].server, all->items[1].server,
                   all->count > 2 ? ", ..." : "", server);
        return error_hint(err, "leave only that of the connector in the file");
    }
    if (only->in_snapshot) {
        error_stop(err, REASON_CONFIG_VALUE, "%s: the connector is in its snapshot", name);
        return error_hint(err,
                          "let it end: rows that were there before are published by nobody else");
    }
    *out = *only;
    return 0;
}

int migrate_offset(struct span text, const char *name, const char *server,
                   struct migrate_offset *out, struct error *err)
{
    assert(name != NULL && server != NULL && out != NULL);
    struct offsets all = {.count = 0};
    scan(text, &all);
    return choose(&all, name, server, out, err);
}
