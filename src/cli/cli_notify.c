/* cli/cli_notify: see cli_notify.h. It never waits: what the socket does not take now is said at
 * the next look, and what it never takes is lost without harm to the relay. */
#include "cli/cli_notify.h"

#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The environment ---- */

/* A path, or with @ in front a name of the abstract namespace. */
static bool take_address(struct notify *notify, const char *name)
{
    size_t length = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || length < 2 ||
        length >= sizeof notify->address.sun_path)
        return false;
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, name, length + 1);
    notify->address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (name[0] == '@')
        notify->address.sun_path[0] = '\0';
    else
        notify->address_length++;
    return true;
}

/* Asked of this process, not of a parent that forked us. */
static int64_t take_watchdog_us(void)
{
    const char *text = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    if (text == NULL || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid()))
        return 0;
    errno = 0;
    long long us = strtoll(text, NULL, 10);
    return errno == 0 && us > 0 ? (int64_t)us : 0;
}

void notify_open(struct notify *notify, int64_t now_us)
{
    assert(notify != NULL);
    *notify = (struct notify){.fd = -1, .written_us = now_us};
    const char *name = getenv("NOTIFY_SOCKET");
    if (name != NULL && take_address(notify, name)) {
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        notify->watchdog_us = take_watchdog_us();
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

bool notify_is_journal(int fd)
{
    const char *text = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat is;
    return text != NULL && sscanf(text, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &is) == 0 &&
           is.st_dev == device && is.st_ino == inode;
}

void notify_close(struct notify *notify)
{
    assert(notify != NULL);
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

int notify_wait_ms(const struct notify *notify)
{
    assert(notify != NULL);
    return notify->fd >= 0 ? NOTIFY_TICK_MS : -1;
}

/* ---- What is said ---- */

static bool say(const struct notify *notify, const char *text)
{
    size_t length = strlen(text);
    assert(notify->fd >= 0);
    return sendto(notify->fd, text, length, MSG_NOSIGNAL, (const struct sockaddr *)&notify->address,
                  notify->address_length) == (ssize_t)length;
}

/* What it does now, in a line for `systemctl status`; why it waits, where it does. */
static void describe(const struct status *status, char *text, size_t size)
{
    bool waits = status->state == STATE_BACKOFF || status->state == STATE_HELD ||
                 status->state == STATE_STARTING;
    bool why = waits && status->last_error[0] != '\0';
    snprintf(text, size, "STATUS=%s%s%.240s", relay_state_name(status->state), why ? ": " : "",
             why ? status->last_error : "");
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n')
            *c = ' ';
}

static void say_status(struct notify *notify, const struct status *status)
{
    char text[sizeof notify->said];
    describe(status, text, sizeof text);
    if (strcmp(text, notify->said) != 0 && say(notify, text))
        memcpy(notify->said, text, sizeof text);
}

/* Half of what the supervisor allows: a status that is silent for longer is taken for one that will
 * stay so. */
static bool alive(const struct notify *notify, int64_t now_us)
{
    int64_t allowed_us = notify->watchdog_us != 0 ? notify->watchdog_us : NOTIFY_EXTEND_US;
    return now_us - notify->written_us <= allowed_us / 2;
}

static void say_more_time(struct notify *notify, int64_t now_us)
{
    char text[64];
    snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=%lld", (long long)NOTIFY_EXTEND_US);
    if (now_us >= notify->extend_due && say(notify, text))
        notify->extend_due = now_us + NOTIFY_EXTEND_EVERY_US;
}

void notify_look(struct notify *notify, const struct status *status, uint64_t written,
                 int64_t now_us)
{
    assert(notify != NULL && status != NULL);
    if (notify->fd < 0)
        return;
    if (written != notify->written) {
        notify->written = written;
        notify->written_us = now_us;
    }
    say_status(notify, status);
    if (!notify->ready && status->state == STATE_STREAMING)
        notify->ready = say(notify, "READY=1");
    if (!alive(notify, now_us))
        return;
    if (!notify->ready)
        say_more_time(notify, now_us);
    if (notify->watchdog_us != 0 && now_us >= notify->watchdog_due && say(notify, "WATCHDOG=1"))
        notify->watchdog_due = now_us + notify->watchdog_us / 4;
}

void notify_stopping(struct notify *notify)
{
    assert(notify != NULL);
    if (notify->fd >= 0)
        (void)say(notify, "STOPPING=1\nSTATUS=stopping");
}
