/* source_standby: see the header. It does not know what was received or handed on: that a confirmed
 * LSN is one that Kafka has committed is the promise of whoever calls standby_confirm(). */
#include "source/source_standby.h"

#include "base/clock.h"
#include "base/time.h"
#include "model/position.h"

#include <assert.h>
#include <inttypes.h>

#define STATUS_INTERVAL_MAX_US (10 * US_PER_S)
#define STATUS_SPACING_US (100 * US_PER_MS)
/* Where wal_sender_timeout is off. A connection whose other end is gone would never be noticed. */
#define TIMEOUT_OURS_US (60 * US_PER_S)
#define INSISTENT_REQUESTS 3
#define INSISTENT_WINDOW_US (1 * US_PER_S)
#define INSISTENT_PATIENCE_US (5 * US_PER_S)

void standby_init(struct standby *s, const struct standby_options *options)
{
    assert(s != NULL && options != NULL);
    assert(options->server_timeout_us >= 0);
    bool none = options->server_timeout_us == 0;
    int64_t timeout_us = none ? TIMEOUT_OURS_US : options->server_timeout_us;
    int64_t interval_us = timeout_us / 4;
    *s = (struct standby){
        .confirmed_lsn = options->start_lsn,
        .server_has_none = none,
        .silence_us = timeout_us * (options->patience > 0 ? options->patience : 1),
        .request_us = timeout_us / 3,
        .interval_us = interval_us < STATUS_INTERVAL_MAX_US ? interval_us : STATUS_INTERVAL_MAX_US,
        .status_us = options->now_us - STATUS_SPACING_US,
        .heard_us = options->now_us,
        .requested_us = options->now_us - 1,
    };
}

void standby_heard(struct standby *s, int64_t now_us)
{
    if (s->heard_us < now_us)
        s->heard_us = now_us;
}

void standby_confirm(struct standby *s, uint64_t lsn)
{
    if (s->confirmed_lsn < lsn)
        s->confirmed_lsn = lsn;
}

/* A server in fast shutdown asks as fast as it is answered until its last LSN is confirmed. */
void standby_asked(struct standby *s, uint64_t wal_end, int64_t now_us)
{
    s->asked = true;
    bool goes_on =
        s->insistent_lsn == wal_end && now_us - s->insistent_last_us <= INSISTENT_WINDOW_US;
    s->insistent_last_us = now_us;
    if (!goes_on) {
        s->insistent = false;
        s->insistent_lsn = wal_end;
        s->insistent_since_us = now_us;
    }
    if (!goes_on || now_us - s->insistent_window_us > INSISTENT_WINDOW_US) {
        s->insistent_window_us = now_us;
        s->insistent_count = 0;
    }
    s->insistent_count++;
    if (s->insistent_count > INSISTENT_REQUESTS)
        s->insistent = true;
}

int64_t standby_due_us(const struct standby *s)
{
    assert(s->confirmed_lsn >= s->sent_lsn); /* I1: what was told stays told */
    bool news = s->confirmed_lsn != s->sent_lsn;
    if (s->asked && (news || !s->insistent))
        return s->status_us;
    if (s->asked || news)
        return s->status_us + STATUS_SPACING_US;
    int64_t due_us = s->status_us + s->interval_us;
    bool requested = s->requested_us >= s->heard_us;
    if (!requested && s->heard_us + s->request_us < due_us)
        due_us = s->heard_us + s->request_us;
    return due_us;
}

/* Byte 'r' | Int64 write | Int64 flush | Int64 apply | Int64 clock | Int8 reply wanted */
void standby_write(struct standby *s, int64_t now_us, int64_t wall_us, struct buf *out)
{
    assert(out != NULL);
    assert(s->confirmed_lsn >= s->sent_lsn);
    buf_add_char(out, 'r');
    for (int i = 0; i < 3; i++)
        buf_add_u64(out, s->confirmed_lsn);
    buf_add_u64(out, (uint64_t)(wall_us - POSTGRES_EPOCH_US));
    bool request = now_us - s->heard_us >= s->request_us;
    buf_add_u8(out, request ? 1 : 0);
    if (request)
        s->requested_us = now_us;
    s->sent_lsn = s->confirmed_lsn;
    s->status_us = now_us;
    s->asked = false;
}

static bool shutdown_unconfirmed(const struct standby *s)
{
    return s->insistent && s->confirmed_lsn < s->insistent_lsn;
}

int standby_check(const struct standby *s, int64_t now_us, struct error *err)
{
    if (now_us - s->heard_us >= s->silence_us)
        return error_retry(err, REASON_SERVER_SILENT,
                           "nothing came from the server for %" PRId64 " ms, %s",
                           (now_us - s->heard_us) / US_PER_MS,
                           s->server_has_none ? "and its wal_sender_timeout is off"
                                              : "its whole wal_sender_timeout");
    if (shutdown_unconfirmed(s) && now_us - s->insistent_since_us >= INSISTENT_PATIENCE_US) {
        char wanted[LSN_TEXT_MAX], confirmed[LSN_TEXT_MAX];
        return error_retry(err, REASON_SHUTDOWN_UNCONFIRMED,
                           "the server waits for %s to be confirmed, as in a shutdown, and only %s "
                           "could be within %" PRId64 " ms",
                           lsn_format(s->insistent_lsn, wanted),
                           lsn_format(s->confirmed_lsn, confirmed),
                           (now_us - s->insistent_since_us) / US_PER_MS);
    }
    return 0;
}

int64_t standby_check_us(const struct standby *s)
{
    int64_t first = s->heard_us + s->silence_us;
    if (shutdown_unconfirmed(s) && s->insistent_since_us + INSISTENT_PATIENCE_US < first)
        first = s->insistent_since_us + INSISTENT_PATIENCE_US;
    return first;
}
