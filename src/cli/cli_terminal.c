/* cli/cli_terminal: ANSI sequences that every terminal of today knows (ECMA-48, and xterm's screen
 * beside the screen, 1049). All signals are taken by one descriptor, so that nothing here runs in a
 * handler, and there is one place that gives the terminal back. */
#include "cli/cli_terminal.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char enter[] = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J";
static const char leave[] = "\x1b[0m\x1b[?25h\x1b[?1049l";

static bool put(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(STDOUT_FILENO, bytes, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        len -= (size_t)done;
    }
    return true;
}

static void take(struct terminal *terminal)
{
    if (terminal->taken)
        return;
    terminal->keys = tcgetattr(STDIN_FILENO, &terminal->before) == 0;
    if (terminal->keys) {
        struct termios mine = terminal->before;
        mine.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &mine);
    }
    put(enter, sizeof enter - 1);
    terminal->taken = true;
}

static void give_back(struct terminal *terminal)
{
    if (!terminal->taken)
        return;
    put(leave, sizeof leave - 1);
    if (terminal->keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal->before);
    terminal->taken = false;
}

int terminal_open(struct terminal *terminal)
{
    static const int taken[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH};
    assert(terminal != NULL);
    *terminal = (struct terminal){.signal_fd = -1};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        sigaddset(&set, taken[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    terminal->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (terminal->signal_fd < 0)
        return -1;
    take(terminal);
    return 0;
}

void terminal_close(struct terminal *terminal)
{
    assert(terminal != NULL);
    give_back(terminal);
    if (terminal->signal_fd >= 0)
        close(terminal->signal_fd);
    terminal->signal_fd = -1;
}

void terminal_size(int *rows, int *columns)
{
    struct winsize size = {0};
    assert(rows != NULL && columns != NULL);
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *rows = known && size.ws_row > 0 ? size.ws_row : 24;
    *columns = known && size.ws_col > 0 ? size.ws_col : 80;
}

bool terminal_show(const struct buf *lines)
{
    struct buf text = BUF_EMPTY;
    assert(lines != NULL);
    buf_add_text(&text, "\x1b[H");
    const char *at = buf_span(lines).ptr, *end = at + lines->len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop != NULL ? stop : end) - at);
        if (text.len > 3) /* between lines: behind the last one the screen would scroll */
            buf_add_text(&text, "\r\n");
        buf_add(&text, (struct span){at, length});
        buf_add_text(&text, "\x1b[K");
        at += length + 1;
    }
    buf_add_text(&text, "\x1b[J");
    bool shown = put(text.ptr, text.len);
    buf_fini(&text);
    return shown;
}

/* It stops here, as the shell wants it, and goes on behind kill(). */
static void stop(struct terminal *terminal)
{
    give_back(terminal);
    kill(getpid(), SIGSTOP);
    take(terminal);
    terminal->resumed = true;
}

/* After a SIGSTOP, of which nobody is told, somebody else may have used the terminal. */
static void resume(struct terminal *terminal)
{
    if (!terminal->resumed) {
        give_back(terminal);
        take(terminal);
    }
    terminal->resumed = false;
}

static enum terminal_event on_signal(struct terminal *terminal)
{
    enum terminal_event event = TERMINAL_TIME;
    struct signalfd_siginfo info;
    while (read(terminal->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTSTP)
            stop(terminal);
        else if (info.ssi_signo == SIGCONT)
            resume(terminal);
        else if (info.ssi_signo != SIGWINCH)
            return TERMINAL_END;
        event = TERMINAL_REDRAW;
    }
    return event;
}

static enum terminal_event on_key(void)
{
    char keys[64];
    ssize_t got = read(STDIN_FILENO, keys, sizeof keys);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
        return TERMINAL_END; /* the terminal is gone */
    for (ssize_t i = 0; i < got; i++)
        if (keys[i] == 'q' || keys[i] == 'Q')
            return TERMINAL_END;
    return TERMINAL_TIME;
}

enum terminal_event terminal_wait(struct terminal *terminal, int64_t until_us)
{
    assert(terminal->signal_fd >= 0);
    for (;;) {
        struct pollfd fds[2] = {{.fd = terminal->signal_fd, .events = POLLIN},
                                {.fd = terminal->keys ? STDIN_FILENO : -1, .events = POLLIN}};
        int64_t left_us = until_us - clock_monotonic_us();
        enum terminal_event event = TERMINAL_TIME;
        poll(fds, 2, left_us > 0 ? (int)(left_us / US_PER_MS) + 1 : 0);
        if (fds[0].revents != 0)
            event = on_signal(terminal);
        if (event == TERMINAL_TIME && fds[1].revents != 0)
            event = on_key();
        if (event != TERMINAL_TIME || left_us <= 0)
            return event;
    }
}
