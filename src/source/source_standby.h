/* source_standby: what the server is told of us, and what its silence tells us.
 *
 * Keeps I1 on the wire: write, flush and apply of a status update are the confirmed LSN and nothing
 * else, which only standby_confirm() moves, forwards. Knows times because it is told them; sends
 * nothing itself. PostgreSQL documentation, "Streaming Replication Protocol", Standby status
 * update.
 *
 * A status is due
 *   at once           the server asked, or it asked and there is a new confirmation
 *   100 ms after the  there is a new confirmation; the server asks again and again at one LSN,
 *   last one          as it does in a fast shutdown until that LSN is confirmed
 *   min(10 s, time-out / 4) after the last one, always
 *   time-out / 3 after the last sign of the server, once, and asks for a reply: while it decodes
 *   what it does not send, a server looks for such a wish only every half of its time-out
 *
 * The time-out is the server's wal_sender_timeout, or 60 s where that is off. */
#ifndef WALFERRY_SOURCE_SOURCE_STANDBY_H
#define WALFERRY_SOURCE_SOURCE_STANDBY_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct standby_options {
    uint64_t start_lsn; /* not beyond recorded progress, so it may be confirmed; the first status
                           does */
    int64_t server_timeout_us; /* wal_sender_timeout; 0: the server has none, ours is taken */
    uint32_t patience; /* after so many time-outs without a sign the server is silent; 0 is 1 */
    int64_t now_us;
};

struct standby {
    uint64_t confirmed_lsn;
    uint64_t sent_lsn;    /* the confirmation in the last status; 0: none sent yet */
    bool server_has_none; /* the time-out is ours */
    int64_t silence_us;   /* so long without a sign, and the server is silent */
    int64_t request_us;   /* silence after which a status asks for a reply */
    int64_t interval_us;
    int64_t status_us;    /* of the last status */
    int64_t heard_us;     /* when the server was last heard of */
    int64_t requested_us; /* when it was last asked for a reply */
    bool asked;           /* a reply is owed */
    /* Requests at one LSN in a row, each within 1 s of the one before. */
    uint64_t insistent_lsn;
    int64_t insistent_last_us;
    int64_t insistent_window_us; /* start of the second in which `insistent_count` were counted */
    uint32_t insistent_count;
    bool insistent; /* more than three within a second */
    int64_t insistent_since_us;
};

void standby_init(struct standby *s, const struct standby_options *options);
void standby_heard(struct standby *s, int64_t now_us);
/* A keepalive with this WAL end asked for a reply. */
void standby_asked(struct standby *s, uint64_t wal_end, int64_t now_us);
void standby_confirm(struct standby *s, uint64_t lsn);
int64_t standby_due_us(const struct standby *s);
/* Appends the payload of a status update and counts it as sent. */
void standby_write(struct standby *s, int64_t now_us, int64_t wall_us, struct buf *out);
/* -1 with ERROR_RETRY: server_silent or shutdown_unconfirmed. */
int standby_check(const struct standby *s, int64_t now_us, struct error *err);
/* When standby_check could first fail as things are. */
int64_t standby_check_us(const struct standby *s);

#endif
