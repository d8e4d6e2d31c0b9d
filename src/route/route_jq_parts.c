/* route/route_jq_parts: see route_jq_parts.h. It adds to what is read, and takes nothing away. */
#include "route/route_jq_parts.h"

#include <assert.h>

void walk_read(struct walk *w, jq_parts parts)
{
    assert(w->reads != NULL);
    uint32_t members = (parts | parts >> PART_MEMBER_SHIFT) & JQ_ALL;
    w->reads->members |= members;
    w->reads->whole |= members;
}

static void read_column(struct walk *w, uint32_t member, struct span name)
{
    struct jq_reads *reads = w->reads;
    for (uint32_t i = 0; i < reads->count; i++) {
        if (span_equal(reads->columns[i].name, name)) {
            reads->columns[i].members |= member;
            return;
        }
    }
    reads->columns =
        arena_grow(w->columns, reads->columns, reads->count, &reads->size, sizeof *reads->columns);
    reads->columns[reads->count++] = (struct jq_column){member, name};
}

static uint32_t member_named(struct span name)
{
    return span_equal_text(name, "op")       ? JQ_OP
           : span_equal_text(name, "before") ? JQ_BEFORE
           : span_equal_text(name, "after")  ? JQ_AFTER
           : span_equal_text(name, "source") ? JQ_SOURCE
                                             : 0;
}

jq_parts walk_member(struct walk *w, jq_parts parts, struct span name)
{
    assert(name.ptr != NULL && w->reads != NULL);
    uint32_t member = member_named(name) & parts;
    w->reads->members |= member;
    for (uint32_t of = JQ_OP; of <= JQ_SOURCE; of <<= 1) {
        if ((parts & of << PART_MEMBER_SHIFT) == 0)
            continue;
        if (of == JQ_BEFORE || of == JQ_AFTER)
            read_column(w, of, name);
        else
            walk_read(w, of);
    }
    return member << PART_MEMBER_SHIFT;
}
