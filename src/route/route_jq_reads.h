/* route/route_jq_reads: does a jq program look at a member of its input? Internal to the module.
 *
 * Told from its tokens, not from its text: what stands in comments, strings and the names of other
 * members says nothing. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_READS_H
#define WALFERRY_ROUTE_ROUTE_JQ_READS_H

#include "route/route_jq_text.h"

enum jq_reads {
    JQ_READS_NOT,   /* it only goes by the names of other members */
    JQ_READS_MAYBE, /* it calls functions, or takes its input as a whole: only running it tells */
    JQ_READS_NAMED  /* it names the member, or computes the name of one */
};

enum jq_reads jq_reads(const struct jq_text *text, const char *member);

#endif
