/* relay/guard: see guard.h. It reads two members of a body, and decides nothing about the rest. */
#include "relay/guard.h"

#include "json/json_read.h"

#include <assert.h>

static bool is_guard(struct span body)
{
    struct json_tree *root = NULL;
    struct error unreadable = ERROR_INIT;
    if (json_tree_parse(body, &root, &unreadable) < 0)
        return false;
    bool guard = json_tree_member(root, "guard") != NULL;
    json_tree_free(root);
    return guard;
}

enum guard_kind guard_of(const char *relay, const struct change *change)
{
    assert(relay != NULL && change != NULL);
    const struct span own = SPAN_LITERAL("walferry");
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
    return is_guard(change->message.content) ? GUARD_STOP : GUARD_IGNORED;
}
