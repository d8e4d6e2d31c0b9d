/* relay/writer: batches → Kafka transactions → batches returned, stamped with what is committed.
 *
 * writer_step() hands the messages of the batches over in order, commits behind a batch that ends
 * on a PostgreSQL COMMIT with the progress record as the last message, and cuts a batch or a
 * transaction that would hold the Kafka transaction open too long. Where the publisher has made its
 * handles anew it claims before it goes on. It hands over no more than the
 * pace allows. It never sleeps beyond the publisher's own slice and never asks for the time. */
#ifndef WALFERRY_RELAY_WRITER_H
#define WALFERRY_RELAY_WRITER_H

#include "progress/progress.h"
#include "publish/publish.h"
#include "relay/circuit.h"
#include "relay/pace.h"
#include "relay/remember.h"
#include "relay/shorten.h"
#include "relay/tracer.h"
#include "relay/verdict.h"
#include "relay/wait.h"

struct writer_options {
    struct publisher *publisher;
    struct circuit *circuit;
    struct pace *pace;                    /* outlives the writer; begun for this epoch */
    const struct verdict_facts *verdicts; /* routes, metrics and log, too */
    const struct progress *claim;         /* the record that the claim wrote; copied */
    struct claim_store *claims;           /* where a route wants one; else NULL */
    struct claim_trouble *trouble;        /* the same; outlives the writer */
    struct refusals *learnt;   /* what the next epoch must not produce; outlives the writer */
    struct remember remember;  /* what has gone out */
    struct trace_ring *traces; /* takes spans; outlives the writer; NULL: nobody does */
    struct span id_header;     /* of events, which names their spans; may be empty */
    int64_t split_us;          /* age of a Kafka transaction at which it is cut, but for trouble */
};

enum writer_phase { WRITER_WAITING, WRITER_PRODUCING, WRITER_CLAIMING, WRITER_COMMITTING };

struct writer {
    struct writer_options o;
    enum writer_phase phase;
    struct batch *held[CIRCUIT_BATCHES]; /* taken and not yet returned, oldest first */
    uint32_t held_count;
    uint32_t next;     /* message of the newest held batch that goes out next */
    bool flagged;      /* that message was looked at already and met a full queue */
    bool rest_refused; /* not that message, but one behind it of the same unit */
    bool reported;     /* all that is being committed was, in the step before */
    bool sent;         /* the publisher has it, and waits for its report before it says so */
    uint32_t cut_at;   /* message of the newest batch before which it was cut; 0: not yet */
    const struct header *plain_headers; /* of a flagged message, as they were before */
    uint32_t plain_header_count;
    struct shortener shortener;
    struct tracer tracer;
    struct verdict_unit produced;    /* of the message produced last; id NONE: none yet */
    struct verdict_unit passed_over; /* decided last */

    struct progress last;     /* the newest committed record */
    atomic_ullong generation; /* its generation, for other threads */
    struct progress record;   /* being committed */
    struct buf record_json;
    int64_t txn_opened_us; /* of the open Kafka transaction; 0: none */
    int64_t commit_began_us;
    struct batch tail; /* copy of the batch produced last: the next record is made from it */
    struct buf tail_resume;
    struct buf last_resume;
    uint64_t txn_transactions; /* PostgreSQL transactions that end in the open Kafka transaction */
    uint32_t cut_transactions; /* of the newest batch, those counted at a cut inside it */
    bool committed_uncounted;  /* metrics of the last commit wait for the time of the next step */
    int64_t wall_us;           /* set by the loop before each step */
    uint64_t published_lsn;    /* the same: behind it is what changes the fingerprint */
    uint64_t untouched_xid; /* the same: of the fingerprint of a record from untouched_lsn on; 0: of
                               none */
    uint64_t untouched_lsn;
    uint64_t next_xid; /* the same: near the server's next transaction id; 0: not known */

    uint64_t txn_events[CONFIG_ROUTES_MAX]; /* of the open Kafka transaction, by route */
    uint64_t txn_bytes[CONFIG_ROUTES_MAX];
    uint64_t txn_letters[CONFIG_ROUTES_MAX];
};

void writer_init(struct writer *writer, const struct writer_options *options);
/* After the last step: counts a commit whose figures waited for another one. */
void writer_settle(struct writer *writer, int64_t now_us);
void writer_fini(struct writer *writer);

/* 0: call again as *wait says. 1: finished: the reader has ended and everything that may be
 * committed is. -1: the epoch must be closed. */
int writer_step(struct writer *writer, int64_t now_us, struct wait *wait, struct error *err);
/* True while a commit or delivery is waited for. */
bool writer_busy(const struct writer *writer);

#endif
