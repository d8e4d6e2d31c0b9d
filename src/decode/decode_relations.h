/* decode_relations: the relations that one connection has described, by oid.
 *
 * The server describes a relation before its first row, and again after every invalidation, ANALYZE
 * included, so the cache must not grow by descriptions that say nothing new: the bytes of the last
 * description are kept and compared. What changes is updated in place with version + 1. The types
 * of the columns are looked up here, once for a version. */
#ifndef WALFERRY_DECODE_DECODE_RELATIONS_H
#define WALFERRY_DECODE_DECODE_RELATIONS_H

#include "base/arena.h"
#include "base/table.h"
#include "decode/decode_reader.h"
#include "decode/decode_texts.h"
#include "types/types.h"

struct relations {
    struct arena *epoch;
    struct type_registry *types;
    const struct texts *texts;
    struct table by_oid;
    const struct relation *last; /* the last one looked up; most rows come in runs of one table */
    uint32_t columns_max;        /* of any relation so far */
};

/* All must outlive the relations. */
void relations_init(struct relations *relations, struct type_registry *types,
                    const struct texts *texts, struct arena *epoch);

/* Reads the Relation message behind its type byte. On failure (in r) the cache is as before. */
void relations_read(struct relations *relations, struct reader *r);

/* See decoder_learn_relation(). */
struct relation_facts;
void relations_learn(struct relations *relations, uint32_t oid, const struct relation_facts *facts);

const struct relation *relations_search(struct relations *relations, uint32_t oid);

/* NULL where the oid was never described. */
static inline const struct relation *relations_find(struct relations *relations, uint32_t oid)
{
    if (relations->last != NULL && relations->last->oid == oid)
        return relations->last;
    return relations_search(relations, oid);
}

#endif
