/* route/route_jq_reads: see route_jq_reads.h. The program is run over its tokens with sets instead
 * of values: which parts of the input a value may be. A part that is only asked for a name stays
 * one; anything else that is done with it (a function, an operator, a place in what is made) reads
 * all of it, and what comes of that is nothing new. So operators need no precedence: whatever they
 * bind, their operands are read.
 *
 * Functions of the program are followed at each call; what calls itself, or is not understood, is
 * lost, and then everything is read. */
#include "route/route_jq_reads.h"

#include "route/route_jq_walk.h"

#include <assert.h>

void jq_reads_add(struct jq_reads *reads, const struct jq_text *text, struct arena *arena)
{
    assert(reads != NULL && text != NULL && arena != NULL);
    struct arena scopes;
    arena_init(&scopes, 4096, 4096);
    struct walk w = {.text = text, .reads = reads, .columns = arena, .scopes = &scopes};
    walk_read(&w, walk_pipe(&w, JQ_ALL));
    if (w.lost || w.at != text->count)
        walk_read(&w, JQ_ALL);
    arena_fini(&scopes);
}

bool jq_reads_column(const struct jq_reads *reads, enum jq_member member, struct span name)
{
    assert(member == JQ_BEFORE || member == JQ_AFTER);
    if ((reads->whole & member) != 0)
        return true;
    for (uint32_t i = 0; i < reads->count; i++)
        if ((reads->columns[i].members & member) != 0 && span_equal(reads->columns[i].name, name))
            return true;
    return false;
}
