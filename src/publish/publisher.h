/* publish/publisher: what every publisher is. Part of the public header, publish.h, which says what
 * they have in common. */
#ifndef WALFERRY_PUBLISH_PUBLISHER_H
#define WALFERRY_PUBLISH_PUBLISHER_H

#include "base/buf.h"
#include "base/error.h"
#include "base/step.h"
#include "model/batch.h"

struct publisher;
/* Errors: ERROR_RETRY (close the epoch; "fenced": by the broker's word), ERROR_DATA (of a message,
 * see publisher_verdict), ERROR_STOP. After any but a DATA error of put, only close is legal. */
struct publisher_ops {
    const char *name;
    /* The newest committed record under our key, appended to *record; nothing appended where there
     * is none. Once, before the first put. Blocks until known or failed; heeds the stop flag. */
    int (*recover)(struct publisher *p, struct buf *record, struct error *err);
    /* Hands one message of `batch` over and raises what it counts of them. STEP_WAIT: queue full, a
     * question took time, or a claim is due. A message that can be seen to be unpublishable (topic
     * illegal or missing, too large) is ERROR_DATA; the transaction and the publisher go on. So is
     * one that was sent alone and that the broker refused; that costs the transaction: `refusals`
     * is raised, what is put from then on only shows what else is refused, and commit() fails. */
    enum step (*put)(struct publisher *p, struct batch *batch, const struct message *message,
                     struct error *err);
    /* Would put() take it, as far as can be seen? As put(), but nothing is handed over and no
     * transaction begins. May be left out: it cannot tell. */
    enum step (*check)(struct publisher *p, const struct batch *batch,
                       const struct message *message, struct error *err);
    /* Serves reports: lowers what is outstanding. Waits at most wait_ms (0: not at all) for one. */
    int (*poll)(struct publisher *p, int wait_ms, struct error *err);
    /* Ends the transaction with the record as its last message. STEP_WAIT after a slice of at
     * most 1 s: call again with the same record. STEP_DONE: all is committed and reported. */
    enum step (*commit)(struct publisher *p, struct span record, struct error *err);
    /* Aborts an open transaction as far as that can be had within abort_ms (0: not at all), frees.
     * When it has returned, no batch is referred to any more, whatever its count says. */
    void (*close)(struct publisher *p, int abort_ms);
};

struct publisher {
    const struct publisher_ops *ops;
    /* What was opened, or made anew between two transactions, is ours only once a claim went
     * through it: until then put() must not be called, and what commit() gets is the claim. */
    bool claim_due;
    size_t excess;     /* of what was refused last for its size: bytes too many; 0: not known */
    uint32_t refusals; /* of records that were sent alone */
};

static inline int publisher_recover(struct publisher *p, struct buf *record, struct error *err)
{
    return p->ops->recover(p, record, err);
}
static inline enum step publisher_put(struct publisher *p, struct batch *batch,
                                      const struct message *message, struct error *err)
{
    return p->ops->put(p, batch, message, err);
}
static inline enum step publisher_check(struct publisher *p, const struct batch *batch,
                                        const struct message *message, struct error *err)
{
    return p->ops->check != NULL ? p->ops->check(p, batch, message, err) : STEP_DONE;
}
static inline int publisher_poll(struct publisher *p, int wait_ms, struct error *err)
{
    return p->ops->poll(p, wait_ms, err);
}
static inline enum step publisher_commit(struct publisher *p, struct span record, struct error *err)
{
    return p->ops->commit(p, record, err);
}
static inline void publisher_close(struct publisher *p, int abort_ms)
{
    if (p != NULL)
        p->ops->close(p, abort_ms);
}

#endif
