/* cli/cli_notify: what a supervisor of the kind of systemd is told, by datagrams to the socket that
 * NOTIFY_SOCKET names (sd_notify(3), systemd.service(5), Type=notify). Internal to the module.
 *
 * READY=1 is said when the relay streams for the first time. Until then a start that waits, for a
 * server, a lock or a person (run --hold-on-refusal), asks for more time again and again
 * (EXTEND_TIMEOUT_USEC), so that TimeoutStartSec ends a start that hangs and no other. WATCHDOG=1
 * is said for as long as the relay's own threads write their status, not because this thread
 * lives. Without NOTIFY_SOCKET nothing is said and nothing is woken. */
#ifndef WALFERRY_CLI_CLI_NOTIFY_H
#define WALFERRY_CLI_CLI_NOTIFY_H

#include "model/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* How often the status is looked at. */
#define NOTIFY_TICK_MS 500
/* How much more time a start asks for, and how often. */
#define NOTIFY_EXTEND_US (INT64_C(120) * 1000000)
#define NOTIFY_EXTEND_EVERY_US (INT64_C(10) * 1000000)

struct notify {
    int fd; /* -1: nobody asked */
    struct sockaddr_un address;
    socklen_t address_length;
    int64_t watchdog_us;  /* WATCHDOG_USEC; 0: none */
    uint64_t written;     /* of the status, when it was seen to move last */
    int64_t written_us;   /* monotonic; when that was */
    int64_t watchdog_due; /* monotonic */
    int64_t extend_due;   /* monotonic; not while ready */
    bool ready;           /* has been said */
    char said[320];       /* the last STATUS= that got through */
};

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child
 * finds them. A socket that cannot be had counts as none: the supervisor will say what it misses.
 */
void notify_open(struct notify *notify, int64_t now_us);
/* Whether fd is the stream to the journal that JOURNAL_STREAM names (systemd.exec(5)): a child that
 * inherits the variable may write elsewhere. */
bool notify_is_journal(int fd);
/* How long to sleep at most before the next look; -1: for ever. */
int notify_wait_ms(const struct notify *notify);
/* written: a number that moves whenever a thread of the relay has written its status. */
void notify_look(struct notify *notify, const struct status *status, uint64_t written,
                 int64_t now_us);
/* An orderly end has begun. */
void notify_stopping(struct notify *notify);
void notify_close(struct notify *notify);

#endif
