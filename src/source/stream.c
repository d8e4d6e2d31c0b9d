/* stream: the sans-I/O core of the streaming source: CopyData payloads become positioned changes.
 *
 * Invariants: positions handed on never go back, and what a transaction's COMMIT or a MARK says is
 * done is never handed on again after a restart from there. Everything about status updates is in
 * source_standby. It reads no clock and no socket, and it does not know batches or topics.
 *
 *   - start.lsn: recorded progress, the end_lsn of a Commit or the walEnd of a keepalive
 *   - Begin.final_lsn: the start of the commit record; it identifies the transaction and decides
 *     whether to drop it
 *   - current_lsn: the position before the next transaction; start.lsn, then Commit.end_lsn or
 *     walEnd
 *   - witness: the transaction before start.lsn, sent once more so that it can be compared */
#include "source/source.h"

#include "base/bigendian.h"
#include "base/time.h"
#include "decode/decode.h"
#include "source/source_standby.h"
#include "types/types.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* Relations live here; a few hundred of them fit into one chunk. */
#define EPOCH_CHUNK_BYTES (64 * (size_t)1024)
/* 'w' Int64 walStart Int64 walEnd Int64 time; 'k' Int64 walEnd Int64 time Int8 reply wanted. */
#define XLOGDATA_HEADER_BYTES 25
#define KEEPALIVE_BYTES 18

/* From below the start: the witness is to come; nothing but what came may. */
enum witness_state { WITNESS_NONE, WITNESS_AWAITED, WITNESS_ALONE };

/* A transaction that was committed in parts up to `done` changes must come first. */
enum partial_state { PARTIAL_NONE, PARTIAL_AWAITED, PARTIAL_AT_HAND };

struct stream {
    struct arena epoch;
    struct text_encoding *encoding; /* NULL: UTF-8 */
    struct decoder *decoder;
    struct standby standby;
    uint64_t start_lsn;
    uint64_t current_lsn;
    uint64_t received_lsn;
    uint64_t ordinal; /* changes of the transaction at hand */
    bool dropping;    /* the transaction at hand was done before the start */
    enum partial_state partial_state;
    struct partial partial;
    bool repeats; /* what is done of it is handed on, too */
    enum witness_state witness_state;
    struct stream_witness witness;
    uint64_t urgent_lsn; /* of the last urgent MARK */
    bool has_change;     /* `change` was not yet taken */
    struct change change;
};

struct stream *stream_open(const struct stream_options *options)
{
    assert(options != NULL);
    struct stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    arena_init(&s->epoch, EPOCH_CHUNK_BYTES, EPOCH_CHUNK_BYTES);
    s->encoding = options->encoding != NULL ? text_encoding_open(options->encoding) : NULL;
    s->decoder = decoder_open(&s->epoch, s->encoding);
    const struct stream_witness *witness = &options->witness;
    bool asked = witness->from_lsn != 0 && witness->from_lsn < options->start.lsn;
    assert(witness->confirmed_lsn <= witness->from_lsn);
    const struct standby_options standby = {.start_lsn =
                                                asked ? witness->confirmed_lsn : options->start.lsn,
                                            .server_timeout_us = options->server_timeout_us,
                                            .patience = options->patience,
                                            .now_us = options->now_us};
    standby_init(&s->standby, &standby);
    s->start_lsn = options->start.lsn;
    s->current_lsn = options->start.lsn;
    s->received_lsn = options->start.lsn;
    s->partial = options->partial;
    s->repeats = options->repeats;
    s->partial_state = options->partial.final_lsn != 0 ? PARTIAL_AWAITED : PARTIAL_NONE;
    s->witness = *witness;
    if (asked)
        s->witness_state = witness->final_lsn != 0 ? WITNESS_AWAITED : WITNESS_ALONE;
    return s;
}

void stream_close(struct stream *s)
{
    if (s == NULL)
        return;
    decoder_close(s->decoder);
    text_encoding_close(s->encoding);
    arena_fini(&s->epoch);
    free(s);
}

/* ---- Feeding ---- */

static void received(struct stream *s, uint64_t lsn)
{
    if (s->received_lsn < lsn)
        s->received_lsn = lsn;
}

static int partial_mismatch(const struct stream *s, struct error *err, const char *what,
                            uint64_t lsn)
{
    char wanted[LSN_TEXT_MAX], start[LSN_TEXT_MAX], got[LSN_TEXT_MAX];
    lsn_format(s->start_lsn, start);
    error_stop(err, REASON_PARTIAL_MISMATCH,
               "the transaction that commits at %s was published in part (%" PRIu64
               " changes) and must come first from %s, but %s %s",
               lsn_format(s->partial.final_lsn, wanted), s->partial.done, start, what,
               lsn_format(lsn, got));
    error_hint(err, "restore the publication and the configuration under which it was begun, or "
                    "publish the part that is done again");
    return error_mend(err, "rebase --to lsn:%s --accept-repeat", start);
}

static int out_of_order(const struct stream *s, struct error *err, const char *what, uint64_t lsn)
{
    char current[LSN_TEXT_MAX], got[LSN_TEXT_MAX];
    error_stop(err, REASON_OUT_OF_ORDER, "%s %s although the stream is at %s already", what,
               lsn_format(lsn, got), lsn_format(s->current_lsn, current));
    return error_hint(err, "nothing behind this transaction was published or confirmed; check that "
                           "the connection leads to one server only, then start again");
}

static int other_history(const struct stream *s, struct error *err, const char *what, uint64_t lsn)
{
    char wanted[LSN_TEXT_MAX], start[LSN_TEXT_MAX], got[LSN_TEXT_MAX];
    lsn_format(s->start_lsn, start);
    if (s->witness_state == WITNESS_AWAITED)
        error_stop(err, REASON_HISTORY_CHANGED,
                   "transaction %" PRIu32 ", which was published last and commits at %s, does not "
                   "come again: %s %s",
                   s->witness.xid, lsn_format(s->witness.final_lsn, wanted), what,
                   lsn_format(lsn, got));
    else
        error_stop(err, REASON_HISTORY_CHANGED,
                   "nothing more was to come before position %s, but %s %s", start, what,
                   lsn_format(lsn, got));
    error_hint(err,
               "the server was restored to an earlier time, and what it wrote since below "
               "position %s was never published; go on from the slot",
               start);
    return error_mend(err, "rebase --to slot --accept-repeat");
}

/* The server has come to the start, and all before it was as it was recorded. */
static void witnessed(struct stream *s)
{
    s->witness_state = WITNESS_NONE;
    standby_confirm(&s->standby, s->start_lsn);
}

static bool is_witness(const struct stream *s)
{
    return s->change.id.final_lsn == s->witness.final_lsn && s->change.xid == s->witness.xid &&
           s->change.commit_time_us == s->witness.commit_time_us;
}

/* A transaction from below the start. A server may go back further than it was asked to. */
static int feed_witness(struct stream *s, uint64_t final_lsn, struct error *err)
{
    if (s->witness_state == WITNESS_NONE || final_lsn < s->witness.from_lsn)
        return 0;
    if (s->witness_state == WITNESS_ALONE || !is_witness(s))
        return other_history(s, err, "one came that commits at", final_lsn);
    s->witness_state = WITNESS_ALONE;
    return 0;
}

/* Nothing that commits before `lsn` is still to come. */
static int pass_witness(struct stream *s, const char *what, uint64_t lsn, struct error *err)
{
    if (s->witness_state == WITNESS_AWAITED && lsn > s->witness.final_lsn)
        return other_history(s, err, what, lsn);
    if (s->witness_state == WITNESS_ALONE && lsn >= s->start_lsn)
        witnessed(s);
    return 0;
}

/* Equality with the start is kept: commit records are often adjacent, so the next transaction's
 * commit record may begin exactly where the last one ended. It is the server's own rule, too. */
static int feed_begin(struct stream *s, struct error *err)
{
    uint64_t final_lsn = s->change.id.final_lsn;
    s->ordinal = 0;
    s->dropping = final_lsn < s->start_lsn;
    if (s->dropping)
        return feed_witness(s, final_lsn, err);
    if (pass_witness(s, "one came that commits at", final_lsn, err) < 0)
        return -1;
    if (s->partial_state == PARTIAL_AWAITED && final_lsn != s->partial.final_lsn)
        return partial_mismatch(s, err, "one came that commits at", final_lsn);
    if (final_lsn < s->current_lsn)
        return out_of_order(s, err, "a transaction commits at", final_lsn);
    if (s->partial_state == PARTIAL_AWAITED)
        s->partial_state = PARTIAL_AT_HAND;
    s->change.position.lsn = s->current_lsn;
    s->has_change = true;
    return 0;
}

static int feed_commit(struct stream *s, struct error *err)
{
    uint64_t end_lsn = s->change.position.lsn;
    if (s->dropping) {
        s->dropping = false;
        return 0;
    }
    if (s->partial_state == PARTIAL_AT_HAND && s->ordinal < s->partial.done)
        return partial_mismatch(s, err, "it has fewer changes now; it ends at", end_lsn);
    if (end_lsn <= s->current_lsn)
        return out_of_order(s, err, "a transaction ends at", end_lsn);
    s->partial_state = PARTIAL_NONE;
    s->current_lsn = end_lsn;
    s->has_change = true;
    return 0;
}

/* Rows, truncates, transactional messages: counted whether handed on or not, so that the same
 * change has the same ordinal after any restart. */
static void feed_counted(struct stream *s)
{
    if (s->dropping)
        return;
    s->ordinal++;
    s->change.repeated = s->partial_state == PARTIAL_AT_HAND && s->ordinal <= s->partial.done;
    if (s->change.repeated && !s->repeats)
        return;
    s->change.id.ordinal = s->ordinal;
    s->change.position = (struct position){s->current_lsn, s->ordinal};
    s->has_change = true;
}

static int feed_change(struct stream *s, struct error *err)
{
    switch (s->change.op) {
    case CHANGE_BEGIN:
        return feed_begin(s, err);
    case CHANGE_COMMIT:
        return feed_commit(s, err);
    case CHANGE_MESSAGE:
        if (!s->change.message.transactional) {
            s->has_change = s->change.position.lsn >= s->start_lsn;
            return 0;
        }
        feed_counted(s);
        return 0;
    default:
        feed_counted(s);
        return 0;
    }
}

static int feed_xlogdata(struct stream *s, struct span data, struct error *err)
{
    uint64_t wal_start = bigendian_u64(data.ptr + 1);
    received(s, wal_start);
    received(s, bigendian_u64(data.ptr + 9));
    struct span message = {data.ptr + XLOGDATA_HEADER_BYTES, data.len - XLOGDATA_HEADER_BYTES};
    int result = decoder_next(s->decoder, message, &s->change, err);
    if (result > 0) {
        s->change.lsn = wal_start;
        int64_t sent_us = (int64_t)bigendian_u64(data.ptr + 17);
        if (__builtin_add_overflow(sent_us, POSTGRES_EPOCH_US, &s->change.sent_time_us))
            s->change.sent_time_us = 0; /* no clock of this world */
        result = feed_change(s, err);
    }
    if (result == 0)
        return 0;
    char text[LSN_TEXT_MAX];
    return error_wrap(err, "stream at %s", lsn_format(wal_start, text));
}

static void set_mark(struct stream *s, uint64_t lsn, bool urgent)
{
    s->change = (struct change){.op = CHANGE_MARK, .position = {lsn, 0}, .urgent = urgent};
    s->current_lsn = lsn;
    if (urgent)
        s->urgent_lsn = lsn;
    s->has_change = true;
}

/* walEnd of a keepalive is how far the server has decoded: outside a transaction nothing before it
 * is still to come. While a split transaction is awaited a MARK would forget what is done of it. */
static int feed_keepalive(struct stream *s, struct span data, int64_t now_us, struct error *err)
{
    uint64_t wal_end = bigendian_u64(data.ptr + 1);
    bool reply = data.ptr[KEEPALIVE_BYTES - 1] != 0;
    received(s, wal_end);
    if (reply)
        standby_asked(&s->standby, wal_end, now_us);
    if (decoder_in_transaction(s->decoder))
        return 0;
    if (pass_witness(s, "the server is past it, at", wal_end, err) < 0)
        return -1;
    if (s->partial_state == PARTIAL_AWAITED) {
        if (wal_end > s->partial.final_lsn)
            return partial_mismatch(s, err, "the server is past it, at", wal_end);
        return 0;
    }
    bool again = reply && wal_end == s->current_lsn && wal_end != s->urgent_lsn &&
                 wal_end > s->standby.confirmed_lsn;
    if (wal_end > s->current_lsn || again)
        set_mark(s, wal_end, reply);
    return 0;
}

int stream_feed(struct stream *s, struct span data, int64_t now_us, struct error *err)
{
    assert(s != NULL && err != NULL);
    assert(!s->has_change);
    standby_heard(&s->standby, now_us);
    if (data.len >= XLOGDATA_HEADER_BYTES && data.ptr[0] == 'w')
        return feed_xlogdata(s, data, err);
    if (data.len == KEEPALIVE_BYTES && data.ptr[0] == 'k')
        return feed_keepalive(s, data, now_us, err);
    unsigned type = data.len > 0 ? (unsigned char)data.ptr[0] : 0;
    error_stop(err, REASON_UNDECODABLE,
               "replication message 0x%02x of %zu bytes: neither WAL data nor a keepalive", type,
               data.len);
    return error_hint(err,
                      "check that the connection leads to PostgreSQL itself and not to a pooler "
                      "or a proxy that changes the protocol");
}

int stream_next(struct stream *s, struct change *change)
{
    assert(s != NULL && change != NULL);
    if (!s->has_change)
        return 0;
    s->has_change = false;
    *change = s->change;
    return 1;
}

/* ---- Status ---- */

bool stream_status(struct stream *s, int64_t now_us, int64_t wall_us, struct buf *out)
{
    assert(s != NULL && out != NULL);
    if (now_us < standby_due_us(&s->standby))
        return false;
    standby_write(&s->standby, now_us, wall_us, out);
    return true;
}

void stream_status_now(struct stream *s, int64_t now_us, int64_t wall_us, struct buf *out)
{
    assert(s != NULL && out != NULL);
    standby_write(&s->standby, now_us, wall_us, out);
}

void stream_heard(struct stream *s, int64_t now_us)
{
    assert(s != NULL);
    standby_heard(&s->standby, now_us);
}

int stream_tick(struct stream *s, int64_t now_us, struct error *err)
{
    assert(s != NULL && err != NULL);
    return standby_check(&s->standby, now_us, err);
}

int64_t stream_deadline(const struct stream *s)
{
    assert(s != NULL);
    int64_t due_us = standby_due_us(&s->standby);
    int64_t check_us = standby_check_us(&s->standby);
    return due_us < check_us ? due_us : check_us;
}

/* Inside a split transaction (seq > 0) the LSN is still the end of the commit before it, so it
 * alone is what may be confirmed. */
void stream_confirm(struct stream *s, struct position committed)
{
    assert(s != NULL);
    assert(committed.lsn <= s->current_lsn); /* nothing can be done that was not handed on */
    if (s->witness_state != WITNESS_NONE)
        return; /* it is the start, which is confirmed once the server has come there */
    standby_confirm(&s->standby, committed.lsn);
}

uint64_t stream_received_lsn(const struct stream *s)
{
    assert(s != NULL);
    return s->received_lsn;
}

void stream_learn_relation(struct stream *s, const struct relation *relation,
                           const struct relation_facts *facts)
{
    assert(s != NULL);
    decoder_learn_relation(s->decoder, relation, facts);
}

struct type_registry *stream_types(struct stream *s)
{
    assert(s != NULL);
    return decoder_types(s->decoder);
}

bool stream_in_transaction(const struct stream *s)
{
    assert(s != NULL);
    return decoder_in_transaction(s->decoder);
}
