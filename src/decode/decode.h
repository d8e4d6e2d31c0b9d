/* decode/: pgoutput bytes become changes. Pure: no I/O, no clock, no log; every length is checked.
 *
 * Protocol version 1 without in-progress streaming (PostgreSQL 15 documentation, 55.5 and 55.9).
 * The decoder keeps the relations of one connection and the state of the transaction at hand, and
 * refuses what cannot come (a row outside BEGIN to COMMIT, an unknown relation or message type). It
 * does not know positions: those are the source's. */
#ifndef WALFERRY_DECODE_DECODE_H
#define WALFERRY_DECODE_DECODE_H

#include "base/arena.h"
#include "base/error.h"
#include "model/change.h"

struct decoder;
struct text_encoding;
struct type_registry;

/* Relations and types live in epoch, which must outlive the decoder, as must the encoding: that of
 * the database, and of the session, too, where it can be read here. NULL: all is UTF-8. Names and
 * cells then come out as UTF-8, or CELL_BYTES. */
struct decoder *decoder_open(struct arena *epoch, const struct text_encoding *encoding);
void decoder_close(struct decoder *decoder); /* NULL is legal */

/* One pgoutput message. 1: *change is filled but for position and ordinal; its cells point into
 * `message`, or to what was converted, and live with its arrays until the next call. COMMIT:
 * change->position.lsn is end_lsn; non-transactional MESSAGE: change->position.lsn is the message's
 * LSN. 0: nothing for others (Relation, Type, Origin). -1: ERROR_STOP, EXIT_REFUSED, reason
 * "undecodable", with type byte and offset in the text: a server that sends what we do not know
 * must not be read on. */
int decoder_next(struct decoder *decoder, struct span message, struct change *change,
                 struct error *err);
/* What the catalogue says of a relation that this decoder gave, now, which may be long after its
 * rows: all columns that it has or had, in the order of their numbers. A relation that is known
 * otherwise has a new version from then on. */
struct relation_fact {
    struct span name;
    bool dropped;
    bool unsent; /* generated, or in no column list: the stream may not have it */
    bool not_null;
    struct span def;    /* the expression of its default, as SQL; absent: it has none */
    uint32_t key_place; /* from 1, in the order of the index; 0: no part of the key */
};
struct relation_facts {
    uint32_t count; /* 0: there is no such table any more; 1,600 at most */
    const struct relation_fact *columns;
};
void decoder_learn_relation(struct decoder *decoder, const struct relation *relation,
                            const struct relation_facts *facts);
/* The types of the columns, to be looked up where the catalogue can be asked. */
struct type_registry *decoder_types(struct decoder *decoder);
bool decoder_in_transaction(const struct decoder *decoder);

#endif
