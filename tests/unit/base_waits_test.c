/* base/waits: when a line is due, what is in it, and how it looks on a terminal and elsewhere. */
#include "base/waits.h"

#include "base/clock.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_when(void **state)
{
    (void)state;
    struct waits *w = waits_open();
    int64_t now_us = clock_monotonic_us(), seconds = -1;
    char text[WAITS_TEXT_MAX];
    assert_false(waits_due(w, now_us + 1900 * US_PER_MS, text, &seconds));
    assert_true(waits_due(w, now_us + 2000 * US_PER_MS, text, &seconds));
    assert_string_equal(text, "");
    assert_int_equal(seconds, 2);
    waits_on(w, "waits for %s", "a server");
    assert_false(waits_due(w, now_us + 11900 * US_PER_MS, text, &seconds));
    assert_true(waits_due(w, now_us + 12100 * US_PER_MS, text, &seconds));
    assert_string_equal(text, "waits for a server");
    assert_int_equal(seconds, 12);
    waits_phase(w, "%d of %d", 3, 4);
    assert_true(waits_due(w, now_us + 30 * US_PER_S, text, &seconds));
    assert_string_equal(text, "3 of 4; waits for a server");
    assert_false(waits_held(w));
    waits_hold(w);
    assert_true(waits_held(w));
    assert_false(waits_due(w, now_us + 60 * US_PER_S, text, &seconds));
    waits_go_on(w);
    assert_true(waits_due(w, clock_monotonic_us() + 2 * US_PER_S, text, &seconds));
    /* A text that is too long is cut, and not in the midst of a character. */
    char name[2 * WAITS_PART_MAX];
    memset(name, 'a', sizeof name);
    memcpy(name + WAITS_PART_MAX - 3, "\xE2\x82\xAC", 3);
    name[sizeof name - 1] = '\0';
    waits_phase(w, "%s", name);
    assert_true(waits_due(w, now_us + 120 * US_PER_S, text, &seconds));
    assert_int_equal(strspn(text, "a"), WAITS_PART_MAX - 3);
    assert_int_equal(text[WAITS_PART_MAX - 3], ';');
    /* It is one line, whatever a server has said. */
    waits_phase(w, "%s", "");
    waits_on(w, "%s", "a\nb\x1b[2Jc");
    assert_true(waits_due(w, now_us + 180 * US_PER_S, text, &seconds));
    assert_string_equal(text, "a b [2Jc");
    waits_close(w);
}

static void test_none(void **state)
{
    (void)state;
    waits_on(NULL, "x");
    waits_phase(NULL, "x");
    waits_hush(NULL);
    waits_hold(NULL);
    waits_go_on(NULL);
    assert_true(waits_held(NULL));
    waits_close(NULL);
    assert_null(log_waits(NULL));
}

/* All that comes within that time, as one text. */
static void take(int fd, int64_t for_ms, char *text, size_t size)
{
    int64_t until_us = clock_monotonic_us() + for_ms * US_PER_MS;
    size_t len = 0;
    for (int64_t left_us; (left_us = until_us - clock_monotonic_us()) > 0 && len + 1 < size;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        if (poll(&one, 1, (int)(left_us / US_PER_MS) + 1) != 1)
            continue;
        ssize_t got = read(fd, text + len, size - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    text[len] = '\0';
}

static void test_plain(void **state)
{
    (void)state;
    int ends[2];
    char text[1000];
    assert_int_equal(pipe(ends), 0);
    struct waits *w = waits_open();
    waits_tell(w, "walferry status", ends[1]);
    waits_on(w, "waits for a server");
    take(ends[0], 1500, text, sizeof text);
    assert_string_equal(text, "");
    take(ends[0], 1500, text, sizeof text);
    assert_string_equal(text, "walferry status: still at work after 2 s: waits for a server\n");
    waits_close(w);
    close(ends[1]);
    take(ends[0], 1000, text, sizeof text);
    assert_string_equal(text, "");
    close(ends[0]);
}

static void test_terminal(void **state)
{
    (void)state;
    int ours, theirs;
    char text[4000];
    struct winsize size = {.ws_row = 24, .ws_col = 40};
    setenv("TERM", "xterm", 1);
    assert_int_equal(openpty(&ours, &theirs, NULL, NULL, &size), 0);
    struct waits *w = waits_open();
    waits_tell(w, "walferry status", theirs);
    waits_on(w, "waits for a server");
    take(ours, 3600, text, sizeof text);
    /* Narrower than the terminal, so that each line takes the place of the one before. */
    assert_string_equal(text, "\rwalferry status: still at work after 2 \x1b[K"
                              "\rwalferry status: still at work after 3 \x1b[K");
    /* A line of the log does not stand behind it. */
    struct log log = {.level = LOG_WARN, .fd = theirs, .waits = w};
    log_event(&log, LOG_WARN, "kafka.log", NULL);
    take(ours, 300, text, sizeof text);
    assert_int_equal(strncmp(text, "\r\x1b[Ktime=", 9), 0);
    take(ours, 1200, text, sizeof text);
    assert_non_null(strstr(text, "after "));
    waits_close(w);
    take(ours, 300, text, sizeof text);
    assert_string_equal(text, "\r\x1b[K");
    close(theirs);
    close(ours);
}

/* One that cannot go back in a line gets plain ones. */
static void test_dumb(void **state)
{
    (void)state;
    int ours, theirs;
    char text[1000];
    setenv("TERM", "dumb", 1);
    assert_int_equal(openpty(&ours, &theirs, NULL, NULL, NULL), 0);
    struct waits *w = waits_open();
    waits_tell(w, "walferry status", theirs);
    take(ours, 2500, text, sizeof text);
    assert_string_equal(text, "walferry status: still at work after 2 s\r\n");
    waits_close(w);
    close(theirs);
    close(ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when),     cmocka_unit_test(test_none), cmocka_unit_test(test_plain),
        cmocka_unit_test(test_terminal), cmocka_unit_test(test_dumb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
