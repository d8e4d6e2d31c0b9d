/* progress/progress_decode: JSON becomes the record, or a refusal.
 *
 * Everything is checked, because going on from a record that was misread would lose or repeat data:
 * each member must be there, of its type and in its range. Members that this version does not know
 * are passed over; a greater `v` is refused as a whole. Members in the order of progress_encode.c.
 */
#include "progress/progress_internal.h"

#include "base/time.h"
#include "json/json_read.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define UNREADABLE_MEND "rebase --to slot --accept-repeat"

struct decoding {
    const struct json_tree *root;
    struct progress *progress;
    const char *wrong; /* the member that is wrong; NULL: none yet */
};

/* ---- Members ---- */

/* Notes the first member that is wrong. */
static bool member(struct decoding *d, const char *name, bool right)
{
    if (!right && d->wrong == NULL)
        d->wrong = name;
    return right;
}

static bool is_one_of(char c, const char *allowed)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(allowed, c) != NULL);
}

/* A name of lower-case letters, digits and `more`, as long as the field takes. */
static void read_name(struct decoding *d, const char *name, const char *more, size_t least,
                      char *field, size_t field_size)
{
    struct span text;
    bool right =
        json_tree_member_string(d->root, name, &text) && text.len >= least && text.len < field_size;
    for (size_t i = 0; right && i < text.len; i++)
        right = is_one_of(text.ptr[i], more);
    if (!member(d, name, right))
        return;
    memcpy(field, text.ptr, text.len);
    field[text.len] = '\0';
}

static void read_u64(struct decoding *d, const char *name, uint64_t most, uint64_t *value)
{
    const struct json_tree *node = json_tree_member(d->root, name);
    member(d, name,
           json_tree_kind(node) == JSON_TREE_INTEGER && json_tree_u64(node, value) &&
               *value <= most);
}

static void read_u32(struct decoding *d, const char *name, uint32_t *value)
{
    uint64_t wide = 0;
    read_u64(d, name, UINT32_MAX, &wide);
    *value = (uint32_t)wide;
}

static bool lsn_member(const struct json_tree *object, const char *name, uint64_t *lsn)
{
    struct span text;
    return json_tree_member_string(object, name, &text) && lsn_parse(text, lsn);
}

static void read_system_identifier(struct decoding *d)
{
    const struct json_tree *node = json_tree_member(d->root, "system_identifier");
    member(d, "system_identifier",
           json_tree_kind(node) == JSON_TREE_STRING &&
               json_tree_u64(node, &d->progress->system_identifier));
}

static void read_mode(struct decoding *d)
{
    struct span text;
    member(d, "mode",
           json_tree_member_string(d->root, "mode", &text) &&
               progress_mode_parse(text, &d->progress->mode));
}

/* `part` came after the first records: absent is 0. */
static bool partial_of(const struct json_tree *node, struct partial *partial)
{
    uint64_t part = 0;
    if (json_tree_member(node, "part") != NULL &&
        (!json_tree_member_u64(node, "part", &part) || part > UINT32_MAX))
        return false;
    partial->part = (uint32_t)part;
    return lsn_member(node, "final_lsn", &partial->final_lsn) && partial->final_lsn != 0 &&
           json_tree_member_u64(node, "done", &partial->done) && partial->done > 0;
}

static void read_partial(struct decoding *d)
{
    const struct json_tree *node = json_tree_member(d->root, "partial");
    struct progress *p = d->progress;
    if (json_tree_is_null(node))
        return;
    bool right = json_tree_kind(node) == JSON_TREE_OBJECT && partial_of(node, &p->partial);
    /* A transaction that is done in part ends behind the position before it. */
    right = right && p->partial.final_lsn >= p->position.lsn;
    if (member(d, "partial", right))
        p->position.seq = p->partial.done;
}

static void read_resume(struct decoding *d, struct arena *arena)
{
    const struct json_tree *node = json_tree_member(d->root, "resume");
    if (json_tree_is_null(node) || !member(d, "resume", json_tree_kind(node) == JSON_TREE_OBJECT))
        return;
    struct buf text = BUF_EMPTY;
    json_tree_write(node, &text);
    d->progress->resume = arena_copy(arena, buf_span(&text));
    buf_fini(&text);
}

static void read_rebased(struct decoding *d)
{
    const struct json_tree *node = json_tree_member(d->root, "rebased");
    struct progress *p = d->progress;
    struct span why;
    if (json_tree_is_null(node))
        return;
    bool right = json_tree_kind(node) == JSON_TREE_OBJECT &&
                 lsn_member(node, "from", &p->rebased.from) &&
                 lsn_member(node, "to", &p->rebased.to) &&
                 json_tree_member_string(node, "why", &why) && why.len < sizeof p->rebased.why;
    if (!member(d, "rebased", right))
        return;
    memcpy(p->rebased.why, why.ptr, why.len);
    p->rebased.why[why.len] = '\0';
    p->rebased.present = true;
}

/* A text that the field takes, copied. */
static bool copy_text(struct span text, char *field, size_t field_size)
{
    if (text.len >= field_size)
        return false;
    memcpy(field, text.ptr, text.len);
    field[text.len] = '\0';
    return true;
}

/* Version 1 had the id alone. */
static bool skip_of(const struct json_tree *node, uint64_t system_identifier, struct skip *skip)
{
    struct span id, route;
    uint64_t system;
    if (json_tree_kind(node) == JSON_TREE_OBJECT) {
        const struct json_tree *name = json_tree_member(node, "route");
        if (!json_tree_is_null(name) && !(json_tree_string(name, &route) && route.len > 0 &&
                                          copy_text(route, skip->route, sizeof skip->route)))
            return false;
        node = json_tree_member(node, "id");
    }
    return json_tree_string(node, &id) && change_id_parse(id.ptr, &system, &skip->id, NULL) &&
           system == system_identifier;
}

/* Records from before the first skip may do without it. */
static void read_skips(struct decoding *d)
{
    const struct json_tree *node = json_tree_member(d->root, "skip");
    struct progress *p = d->progress;
    if (node == NULL)
        return;
    size_t count = json_tree_count(node);
    if (!member(d, "skip", json_tree_kind(node) == JSON_TREE_ARRAY && count <= PROGRESS_SKIPS_MAX))
        return;
    for (size_t i = 0; i < count; i++)
        if (!member(d, "skip", skip_of(json_tree_at(node, i), p->system_identifier, &p->skips[i])))
            return;
    p->skip_count = (uint32_t)count;
}

/* ---- What version 2 added ---- */

static bool time_or_null(const struct json_tree *node, int64_t *at_us)
{
    struct span text;
    if (json_tree_is_null(node))
        return true;
    return json_tree_string(node, &text) && time_parse(text, at_us);
}

static bool lsn_or_null(const struct json_tree *object, const char *name, uint64_t *lsn)
{
    if (json_tree_is_null(json_tree_member(object, name)))
        return true;
    return lsn_member(object, name, lsn) && *lsn != 0;
}

/* Came after the first records of version 2, as lsn did. */
static bool xid8_or_null(const struct json_tree *object, uint64_t xid, uint64_t *xid8)
{
    const struct json_tree *node = json_tree_member(object, "xid8");
    if (node == NULL || json_tree_is_null(node))
        return true;
    return json_tree_member_u64(object, "xid8", xid8) && *xid8 != 0 && (uint32_t)*xid8 == xid;
}

static void read_last(struct decoding *d)
{
    const struct json_tree *node = json_tree_member(d->root, "last");
    struct progress *p = d->progress;
    uint64_t xid = 0;
    bool right =
        json_tree_member_u64(node, "xid", &xid) && xid <= UINT32_MAX &&
        xid8_or_null(node, xid, &p->last.xid8) &&
        (json_tree_member(node, "lsn") == NULL || lsn_or_null(node, "lsn", &p->last.lsn)) &&
        p->last.lsn <= p->position.lsn &&
        time_or_null(json_tree_member(node, "commit_at"), &p->last.commit_at_us) &&
        lsn_or_null(node, "witness", &p->last.witness);
    if (member(d, "last", right))
        p->last.xid = (uint32_t)xid;
}

static void read_publications(struct decoding *d)
{
    const struct json_tree *list = json_tree_member(d->root, "publications");
    struct progress *p = d->progress;
    size_t count = json_tree_count(list);
    bool right = json_tree_kind(list) == JSON_TREE_ARRAY && count <= PROGRESS_PUBLICATIONS_MAX;
    for (size_t i = 0; right && i < count; i++) {
        const struct json_tree *node = json_tree_at(list, i);
        struct progress_publication *publication = &p->publications[i];
        struct span name;
        right = json_tree_member_string(node, "name", &name) && name.len > 0 &&
                copy_text(name, publication->name, sizeof publication->name) &&
                lsn_member(node, "from", &publication->from);
    }
    if (member(d, "publications", right))
        p->publication_count = (uint32_t)count;
}

/* xid came after the first records of version 2. */
static void read_fingerprint(struct decoding *d)
{
    const struct json_tree *node = json_tree_member(d->root, "fingerprint");
    struct progress_fingerprint *f = &d->progress->fingerprint;
    struct span hash;
    if (json_tree_is_null(node))
        return;
    member(d, "fingerprint",
           json_tree_member_string(node, "hash", &hash) && hash.len == sizeof f->hash - 1 &&
               copy_text(hash, f->hash, sizeof f->hash) && lsn_member(node, "lsn", &f->lsn) &&
               (json_tree_member(node, "xid") == NULL ||
                (json_tree_member_u64(node, "xid", &f->xid) && f->xid != 0)));
}

static void read_command(struct decoding *d)
{
    const struct json_tree *node = json_tree_member(d->root, "command");
    struct progress *p = d->progress;
    if (json_tree_is_null(node))
        return;
    p->command.present = member(d, "command",
                                json_tree_member_u64(node, "id", &p->command.id) &&
                                    json_tree_member_u64(node, "done", &p->command.done));
}

/* Came later, and stands there only where it says something. */
static void read_slot_from(struct decoding *d)
{
    uint64_t *from = &d->progress->slot_from;
    if (json_tree_member(d->root, "slot_from") != NULL)
        member(d, "slot_from", lsn_member(d->root, "slot_from", from) && *from != 0);
}

static void read_version_2(struct decoding *d)
{
    read_last(d);
    read_publications(d);
    read_fingerprint(d);
    member(d, "guard", lsn_or_null(d->root, "guard", &d->progress->guard));
    read_command(d);
    read_slot_from(d);
}

/* Only on the way back: see progress_encode_as(). */
static void read_version_before(struct decoding *d)
{
    if (json_tree_member(d->root, "version_before") != NULL)
        read_u32(d, "version_before", &d->progress->version_before);
}

static void read_at(struct decoding *d)
{
    struct span text;
    member(d, "at",
           json_tree_member_string(d->root, "at", &text) && time_parse(text, &d->progress->at_us));
}

/* ---- The record ---- */

static void read_members(struct decoding *d, struct arena *arena)
{
    struct progress *p = d->progress;
    read_name(d, "relay", "_", 1, p->relay, sizeof p->relay);
    read_u32(d, "shard", &p->shard);
    read_u64(d, "generation", INT64_MAX, &p->generation);
    read_name(d, "instance", "_-ABCDEFGHIJKLMNOPQRSTUVWXYZ", 0, p->instance, sizeof p->instance);
    read_system_identifier(d);
    read_u32(d, "timeline", &p->timeline);
    read_name(d, "slot", "_", 1, p->slot, sizeof p->slot);
    read_mode(d);
    member(d, "position", lsn_member(d->root, "position", &p->position.lsn));
    read_u32(d, "xid", &p->xid);
    read_partial(d);
    read_resume(d, arena);
    read_rebased(d);
    read_skips(d);
    if (p->version >= 2)
        read_version_2(d);
    read_version_before(d);
    read_name(d, "config_hash", "", 0, p->config_hash, sizeof p->config_hash);
    read_at(d);
}

static int unreadable(struct error *err, const char *what)
{
    error_stop(err, REASON_PROGRESS_UNREADABLE, "the progress record is unreadable: %s", what);
    return error_mend(err, UNREADABLE_MEND);
}

static int check_version(const struct json_tree *root, uint32_t *known, struct error *err)
{
    int64_t version;
    if (json_tree_kind(root) != JSON_TREE_OBJECT)
        return unreadable(err, "it is not a JSON object");
    if (!json_tree_member_i64(root, "v", &version) || version < 1)
        return unreadable(err, "member v is missing or wrong");
    if (version <= PROGRESS_VERSION) {
        *known = (uint32_t)version;
        return 0;
    }
    error_stop(err, REASON_PROGRESS_NEWER,
               "the progress record has version %" PRId64 ", this program knows up to %d", version,
               PROGRESS_VERSION);
    error_hint(err, "run the newer walferry that wrote it, or publish again");
    return error_mend(err, UNREADABLE_MEND);
}

int progress_decode(struct span json, struct arena *arena, struct progress *progress,
                    struct error *err)
{
    assert(arena != NULL);
    assert(progress != NULL);
    struct json_tree *root = NULL;
    *progress = (struct progress){0};
    if (json_tree_parse(json, &root, err) < 0) {
        char what[256];
        snprintf(what, sizeof what, "%.240s", err->text);
        return unreadable(err, what);
    }
    struct decoding d = {.root = root, .progress = progress};
    int result = check_version(root, &progress->version, err);
    if (result == 0)
        read_members(&d, arena);
    json_tree_free(root);
    if (result < 0 || d.wrong == NULL)
        return result;
    char what[96];
    snprintf(what, sizeof what, "member %s is missing or wrong", d.wrong);
    return unreadable(err, what);
}
