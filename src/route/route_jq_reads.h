/* route/route_jq_reads: what a jq program looks at of the row that it is given: which members, and
 * which columns of the old and of the new row. Internal to the module.
 *
 * What is not provably a fixed set of names is everything: a program that walks all members (.[],
 * .., to_entries, paths, tojson, …), computes a name, puts the row or one of its rows as a whole
 * into what it makes, or is too involved to be followed. So what is said not to be read may be left
 * out, and no answer is another one for that. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_READS_H
#define WALFERRY_ROUTE_ROUTE_JQ_READS_H

#include "route/route_jq_parts.h"

/* Adds what the program looks at, which libjq has compiled; the columns lie in the arena, their
 * names in the text. */
void jq_reads_add(struct jq_reads *reads, const struct jq_text *text, struct arena *arena);
/* Does it look at that column of JQ_BEFORE or JQ_AFTER? */
bool jq_reads_column(const struct jq_reads *reads, enum jq_member member, struct span name);

#endif
