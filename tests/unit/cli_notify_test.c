/* cli/: what a supervisor is told, read from the socket that it listens on. */
#include "cli/cli_notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)

struct supervisor {
    int fd;
    char dir[32];
    struct sockaddr_un address;
};

/* abstract: no file, but a name that the kernel gives. */
static void listen_at(struct supervisor *s, bool abstract)
{
    *s = (struct supervisor){.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0),
                             .dir = "/tmp/walferry-notify.XXXXXX",
                             .address = {.sun_family = AF_UNIX}};
    assert_non_null(mkdtemp(s->dir));
    char name[64];
    snprintf(name, sizeof name, "%s%s/socket", abstract ? "@" : "", s->dir);
    memcpy(s->address.sun_path, name, strlen(name));
    if (abstract)
        s->address.sun_path[0] = '\0';
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(0, bind(s->fd, (struct sockaddr *)&s->address, length));
    setenv("NOTIFY_SOCKET", name, 1);
}

static void hang_up(struct supervisor *s)
{
    close(s->fd);
    if (s->address.sun_path[0] != '\0')
        unlink(s->address.sun_path);
    rmdir(s->dir);
}

/* The next datagram, "" where there is none. */
static const char *heard(const struct supervisor *s, char text[512])
{
    ssize_t got = recv(s->fd, text, 511, 0);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

static void hears(const struct supervisor *s, const char *expected)
{
    char text[512];
    assert_string_equal(expected, heard(s, text));
}

static void knows_the_journal(void **state)
{
    (void)state;
    int fds[2];
    struct stat is;
    char text[64];
    assert_int_equal(0, pipe(fds));
    unsetenv("JOURNAL_STREAM");
    assert_false(notify_is_journal(fds[1]));
    assert_int_equal(0, fstat(fds[1], &is));
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)is.st_dev,
             (unsigned long long)is.st_ino);
    setenv("JOURNAL_STREAM", text, 1);
    assert_true(notify_is_journal(fds[1]));
    assert_false(notify_is_journal(STDIN_FILENO));
    setenv("JOURNAL_STREAM", "8", 1);
    assert_false(notify_is_journal(fds[1]));
    unsetenv("JOURNAL_STREAM");
    close(fds[0]);
    close(fds[1]);
}

static void says_ready_once_it_streams(void **state)
{
    (void)state;
    struct supervisor s;
    struct notify n;
    struct status status = {.state = STATE_STARTING};
    listen_at(&s, false);
    notify_open(&n, 0);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_int_equal(NOTIFY_TICK_MS, notify_wait_ms(&n));
    notify_look(&n, &status, 1, SECOND);
    hears(&s, "STATUS=starting");
    hears(&s, "EXTEND_TIMEOUT_USEC=120000000");
    status.state = STATE_BACKOFF;
    snprintf(status.last_error, sizeof status.last_error, "no broker\nanswers");
    notify_look(&n, &status, 2, 2 * SECOND);
    hears(&s, "STATUS=backoff: no broker answers");
    hears(&s, ""); /* asked a second ago */
    notify_look(&n, &status, 3, 11 * SECOND);
    hears(&s, "EXTEND_TIMEOUT_USEC=120000000");
    status.state = STATE_STREAMING;
    notify_look(&n, &status, 4, 12 * SECOND);
    hears(&s, "STATUS=streaming");
    hears(&s, "READY=1");
    status.state = STATE_BACKOFF;
    notify_look(&n, &status, 5, 40 * SECOND);
    hears(&s, "STATUS=backoff: no broker answers");
    status.state = STATE_STREAMING;
    notify_look(&n, &status, 6, 41 * SECOND);
    hears(&s, "STATUS=streaming");
    hears(&s, ""); /* no second READY, and no more time */
    notify_stopping(&n);
    hears(&s, "STOPPING=1\nSTATUS=stopping");
    notify_close(&n);
    hang_up(&s);
}

static void a_start_that_hangs_asks_for_no_more_time(void **state)
{
    (void)state;
    struct supervisor s;
    struct notify n;
    const struct status status = {.state = STATE_STARTING};
    listen_at(&s, true);
    notify_open(&n, 0);
    notify_look(&n, &status, 1, SECOND);
    hears(&s, "STATUS=starting");
    hears(&s, "EXTEND_TIMEOUT_USEC=120000000");
    notify_look(&n, &status, 1, 60 * SECOND);
    hears(&s, "EXTEND_TIMEOUT_USEC=120000000");
    notify_look(&n, &status, 1, 62 * SECOND);
    hears(&s, "");
    notify_close(&n);
    hang_up(&s);
}

static void the_watchdog_is_fed_while_the_status_moves(void **state)
{
    (void)state;
    struct supervisor s;
    struct notify n;
    const struct status status = {.state = STATE_STREAMING};
    char pid[24];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    listen_at(&s, false);
    setenv("WATCHDOG_USEC", "40000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    notify_open(&n, 0);
    assert_null(getenv("WATCHDOG_USEC"));
    notify_look(&n, &status, 1, SECOND);
    hears(&s, "STATUS=streaming");
    hears(&s, "READY=1");
    hears(&s, "WATCHDOG=1");
    notify_look(&n, &status, 2, 10 * SECOND);
    hears(&s, ""); /* a quarter of it is soon enough */
    notify_look(&n, &status, 3, 11 * SECOND);
    hears(&s, "WATCHDOG=1");
    notify_look(&n, &status, 3, 31 * SECOND);
    hears(&s, "WATCHDOG=1");
    notify_look(&n, &status, 3, 42 * SECOND);
    hears(&s, ""); /* its threads have been silent for more than half of it */
    notify_look(&n, &status, 4, 43 * SECOND);
    hears(&s, "WATCHDOG=1");
    notify_close(&n);
    hang_up(&s);
}

static void a_watchdog_of_another_process_is_not_ours(void **state)
{
    (void)state;
    struct supervisor s;
    struct notify n;
    listen_at(&s, false);
    setenv("WATCHDOG_USEC", "40000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    notify_open(&n, 0);
    assert_int_equal(0, n.watchdog_us);
    notify_close(&n);
    hang_up(&s);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct notify n;
    const struct status status = {.state = STATE_STREAMING};
    static const char *const names[] = {NULL, "", "relative", "@", "/nonexistent/socket"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i] != NULL)
            setenv("NOTIFY_SOCKET", names[i], 1);
        notify_open(&n, 0);
        notify_look(&n, &status, 1, SECOND);
        assert_false(n.ready);
        if (i < 4)
            assert_int_equal(-1, notify_wait_ms(&n));
        notify_stopping(&n);
        notify_close(&n);
    }
}

/* A queue that is full costs no time, and what was due is said later. */
static void a_full_queue_is_not_waited_for(void **state)
{
    (void)state;
    struct supervisor s;
    struct notify n;
    char text[512];
    struct status status = {.state = STATE_BACKOFF};
    listen_at(&s, false);
    notify_open(&n, 0);
    for (int i = 0; i < 4096; i++) {
        snprintf(status.last_error, sizeof status.last_error, "error %d", i);
        notify_look(&n, &status, 1, SECOND);
    }
    status.state = STATE_STREAMING;
    notify_look(&n, &status, 1, SECOND);
    assert_false(n.ready);
    while (heard(&s, text)[0] != '\0') {
    }
    notify_look(&n, &status, 1, SECOND);
    hears(&s, "STATUS=streaming");
    hears(&s, "READY=1");
    notify_close(&n);
    hang_up(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_journal),
        cmocka_unit_test(says_ready_once_it_streams),
        cmocka_unit_test(a_start_that_hangs_asks_for_no_more_time),
        cmocka_unit_test(the_watchdog_is_fed_while_the_status_moves),
        cmocka_unit_test(a_watchdog_of_another_process_is_not_ours),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_full_queue_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
