/* relay/guard: see guard.h. It reads two members of a body, and decides nothing about the rest.
 * What it does not understand is for a look to find harmless. */
#include "relay/guard.h"

#include "json/json_read.h"

#include <assert.h>

/* A line of walferry.published(): "table <oid> …", "publication …"; rows that belong to a
 * publication stand in the fingerprint with their versions. False: it is none. */
static bool take_line(struct span line, struct fingerprint_suspects *suspects)
{
    const struct span table = SPAN_LITERAL("table ");
    uint64_t oid = 0;
    if (span_starts_with(line, SPAN_LITERAL("publication "))) {
        suspects->publication = true;
        return true;
    }
    if (!span_starts_with(line, table))
        return span_starts_with(line, SPAN_LITERAL("member ")) ||
               span_starts_with(line, SPAN_LITERAL("schema "));
    size_t i = table.len;
    for (; i < line.len && line.ptr[i] >= '0' && line.ptr[i] <= '9' && oid <= UINT32_MAX; i++)
        oid = oid * 10 + (uint64_t)(line.ptr[i] - '0');
    if (i == table.len || i == line.len || line.ptr[i] != ' ' || oid == 0 || oid > UINT32_MAX)
        return false;
    assert(suspects->count < FINGERPRINT_SUSPECTS_MAX);
    suspects->oids[suspects->count++] = (uint32_t)oid;
    return true;
}

/* The guard names so many lines and no more, so as many may not be all. What can be read of them is
 * taken all the same. */
static bool take_gone(const struct json_tree *gone, struct fingerprint_suspects *suspects)
{
    size_t count = json_tree_count(gone);
    if (json_tree_kind(gone) != JSON_TREE_ARRAY || count == 0)
        return false;
    bool all_read = count < FINGERPRINT_SUSPECTS_MAX;
    for (size_t i = 0; i < count && i < FINGERPRINT_SUSPECTS_MAX; i++) {
        struct span line;
        if (!json_tree_string(json_tree_at(gone, i), &line) || !take_line(line, suspects))
            all_read = false;
    }
    return all_read;
}

static bool is_guard(struct span body, struct fingerprint_suspects *suspects)
{
    struct json_tree *root = NULL;
    struct error unreadable = ERROR_INIT;
    suspects->all = true;
    if (json_tree_parse(body, &root, &unreadable) < 0)
        return true;
    bool guard = json_tree_member(root, "guard") != NULL;
    if (guard)
        suspects->all = !take_gone(json_tree_member(root, "gone"), suspects);
    json_tree_free(root);
    return guard;
}

enum guard_kind guard_of(const char *relay, const struct change *change,
                         struct fingerprint_suspects *suspects)
{
    assert(relay != NULL && change != NULL);
    const struct span own = SPAN_LITERAL("walferry");
    *suspects = (struct fingerprint_suspects){.count = 0};
    if (change->op != CHANGE_MESSAGE || !span_starts_with(change->message.prefix, own))
        return GUARD_NOT_OURS;
    struct span prefix = change->message.prefix;
    if (prefix.len == own.len)
        return GUARD_IGNORED;
    if (prefix.ptr[own.len] != ':')
        return GUARD_NOT_OURS;
    struct span whom = {prefix.ptr + own.len + 1, prefix.len - own.len - 1};
    if (!span_equal_text(whom, relay) && !span_equal_text(whom, "*"))
        return GUARD_IGNORED;
    return is_guard(change->message.content, suspects) ? GUARD_STOP : GUARD_IGNORED;
}
