/* base/program: see program.h. Looked at in slices, so that an end without any sign (a process that
 * it left behind keeps its output open) is seen, too; no signal handler and no SIGCHLD, because
 * libraries and other threads have children of their own. */
#include "base/program.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLICE_MS 50
/* Once it has closed what it prints to, it ends at once or lingers. */
#define NAP_MS 1
/* Reads in one go, which is more than a pipe holds: one that never ceases to write has its time,
 * too. */
#define READS_MAX 64
/* How long the kernel may take to end what was killed. */
#define REAP_US (INT64_C(1) * 1000000)
/* Of what it says beside: the end, where programs put what matters. */
#define ASIDE_BYTES 4096
#define ASIDE_SHOWN 400
/* Words of this length are looked for in what it printed. */
#define WORD_MIN 6

extern char **environ;

struct running {
    const struct program_options *o;
    pid_t pid;
    int out, aside; /* -1: at its end */
    int status;     /* once it is reaped */
    struct buf said, said_aside;
};

static const char *program_of(const struct program_options *o)
{
    return o->arguments[0];
}

static int advise(const struct program_options *o, struct error *err)
{
    return error_hint(err,
                      "run it by hand as the user of walferry: it must print %s and nothing else, "
                      "and end with 0 within %" PRId64 " s",
                      o->wanted, o->timeout_ms / 1000);
}

/* ---- Starting ---- */

static int not_started(const struct program_options *o, int number, struct error *err)
{
    error_retry(err, o->reason, "%s: %s cannot be started: %s", o->given_by, program_of(o),
                strerror(number));
    if (number == ENOENT || number == EACCES || number == ENOEXEC)
        return error_hint(err, "name a program that is there and that the user of walferry may "
                               "run, whose systemd unit hides what is in /home, /root and /tmp; "
                               "there is no shell, so each argument stands by itself");
    return -1;
}

static int spawn(struct running *r, int out, int aside)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, aside, STDERR_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    /* posix_spawn changes no argument; its type is older than const. */
    char *const *arguments = (char *const *)(uintptr_t)r->o->arguments;
    int failed = posix_spawnp(&r->pid, program_of(r->o), &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

/* Ends of pipes stand above the standard descriptors, which one of them would else replace. */
static int open_pipe(int ends[2])
{
    int made[2];
    if (pipe2(made, O_CLOEXEC) < 0)
        return errno;
    for (int i = 0; i < 2; i++)
        ends[i] = fcntl(made[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int failed = ends[0] < 0 || ends[1] < 0 ? errno : 0;
    close(made[0]);
    close(made[1]);
    for (int i = 0; i < 2 && failed != 0; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    if (failed == 0)
        (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return failed;
}

static int start(struct running *r, struct error *err)
{
    int out[2], aside[2];
    int failed = open_pipe(out);
    if (failed != 0)
        return not_started(r->o, failed, err);
    failed = open_pipe(aside);
    if (failed != 0) {
        close(out[0]);
        close(out[1]);
        return not_started(r->o, failed, err);
    }
    failed = spawn(r, out[1], aside[1]);
    close(out[1]);
    close(aside[1]);
    r->out = out[0];
    r->aside = aside[0];
    return failed != 0 ? not_started(r->o, failed, err) : 0;
}

/* ---- Its end ---- */

/* It is not reaped yet: its number is still its own, and its group's. */
static bool has_ended(const struct running *r)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != 0;
}

static void reap(struct running *r)
{
    while (waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR)
        continue;
}

/* What the kernel does not end in time (a file system that hangs) is left to it. */
static void kill_group(struct running *r)
{
    kill(-r->pid, SIGKILL);
    int64_t until_us = clock_monotonic_us() + REAP_US;
    while (!has_ended(r)) {
        if (clock_monotonic_us() > until_us)
            return;
        clock_sleep_us(NAP_MS * US_PER_MS);
    }
    reap(r);
}

/* ---- What it says ---- */

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Takes what is there. */
static void take(int *fd, struct buf *to, size_t max, bool last_of_it)
{
    for (int i = 0; i < READS_MAX && *fd >= 0; i++) {
        if (to->len > max && !last_of_it)
            return;
        if (to->len > max) {
            memmove(to->ptr, to->ptr + to->len - max / 2, max / 2);
            to->len = max / 2;
        }
        ssize_t got = read(*fd, buf_reserve(to, 4096), 4096);
        if (got > 0)
            to->len += (size_t)got;
        else if (got == 0 || (errno != EINTR && errno != EAGAIN))
            close_end(fd);
        else if (errno == EAGAIN)
            return;
    }
}

static void take_both(struct running *r)
{
    take(&r->out, &r->said, PROGRAM_OUTPUT_MAX, false);
    take(&r->aside, &r->said_aside, ASIDE_BYTES, true);
}

static bool is_blank(char c)
{
    return c == ' ' || c == 0x7f || ((unsigned char)c < 0x20);
}

static bool stands_in(struct span text, struct span word)
{
    return word.len > 0 && memmem(text.ptr, text.len, word.ptr, word.len) != NULL;
}

/* A word that it printed, or one with a part of that which is long enough to be told: a token
 * stands inside of JSON. */
static bool is_secret(struct span said, struct span word)
{
    if (word.len >= WORD_MIN && stands_in(said, word))
        return true;
    for (size_t i = 0; i < said.len; i++) {
        size_t from = i;
        while (i < said.len && !is_blank(said.ptr[i]) && strchr("\",:{}", said.ptr[i]) == NULL)
            i++;
        if (i - from >= WORD_MIN && stands_in(word, (struct span){said.ptr + from, i - from}))
            return true;
    }
    return false;
}

/* All of what it printed, wherever it stands. */
static void hide_whole(struct span said, struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len;) {
        struct span rest = {text.ptr + i, text.len - i};
        bool here = said.len > 0 && span_starts_with(rest, said);
        buf_add(out, here ? SPAN_LITERAL("(hidden)") : (struct span){rest.ptr, 1});
        i += here ? said.len : 1;
    }
}

/* One line of it, without what it printed. */
static void tell_aside(const struct running *r, struct buf *out)
{
    struct span said = buf_span(&r->said);
    struct buf text = BUF_EMPTY;
    while (said.len > 0 && is_blank(said.ptr[said.len - 1]))
        said.len--;
    hide_whole(said, buf_span(&r->said_aside), &text);
    for (size_t i = 0; i < text.len; i++) {
        size_t from = i;
        while (i < text.len && !is_blank(text.ptr[i]))
            i++;
        struct span word = {text.ptr + from, i - from};
        if (word.len == 0)
            continue;
        if (out->len > 0)
            buf_add_char(out, ' ');
        buf_add(out, is_secret(said, word) ? SPAN_LITERAL("(hidden)") : word);
    }
    buf_fini(&text);
}

static int failed(const struct running *r, const char *how, struct error *err)
{
    struct buf aside = BUF_EMPTY;
    tell_aside(r, &aside);
    size_t skip = aside.len > ASIDE_SHOWN ? aside.len - ASIDE_SHOWN : 0;
    while (skip > 0 && skip < aside.len && ((unsigned char)aside.ptr[skip] & 0xc0) == 0x80)
        skip++; /* no half of a character */
    error_retry(err, r->o->reason, "%s: %s %s%s%s%.*s", r->o->given_by, program_of(r->o), how,
                aside.len > 0 ? "; it says: " : "", skip > 0 ? "…" : "", (int)(aside.len - skip),
                aside.len > 0 ? aside.ptr + skip : "");
    buf_fini(&aside);
    return advise(r->o, err);
}

static int judge(struct running *r, struct error *err)
{
    char how[64];
    if (WIFSIGNALED(r->status)) {
        snprintf(how, sizeof how, "was ended by signal %d", WTERMSIG(r->status));
        return failed(r, how, err);
    }
    if (WEXITSTATUS(r->status) != 0) {
        snprintf(how, sizeof how, "ended with exit code %d", WEXITSTATUS(r->status));
        return failed(r, how, err);
    }
    struct span said = buf_span(&r->said);
    if (said.len > 0 && said.ptr[said.len - 1] == '\n')
        said.len--;
    if (said.len > 0 && said.ptr[said.len - 1] == '\r')
        said.len--;
    r->said.len = said.len;
    if (said.len == 0)
        return failed(r, "printed nothing", err);
    if (memchr(said.ptr, '\0', said.len) != NULL)
        return failed(r, "printed a NUL character", err);
    return 0;
}

/* ---- Running ---- */

static int give_up(struct running *r, const char *how, struct error *err)
{
    kill_group(r);
    return failed(r, how, err);
}

/* What it printed before its end is in the pipe by then. */
static int attend(struct running *r, struct error *err)
{
    int64_t until_us = clock_monotonic_us() + r->o->timeout_ms * US_PER_MS;
    for (;;) {
        bool ended = has_ended(r);
        take_both(r);
        if (r->said.len > PROGRAM_OUTPUT_MAX)
            return give_up(r, "prints more than 64 KB", err);
        if (ended) {
            reap(r);
            return judge(r, err);
        }
        if (r->o->stop != NULL && atomic_load(r->o->stop)) {
            kill_group(r);
            return error_retry(err, REASON_STOPPING, "stopped while waiting for %s",
                               r->o->given_by);
        }
        int64_t left_us = until_us - clock_monotonic_us();
        if (left_us <= 0) {
            char how[64];
            snprintf(how, sizeof how, "did not end within %" PRId64 " ms", r->o->timeout_ms);
            return give_up(r, how, err);
        }
        struct pollfd fds[2] = {{.fd = r->out, .events = POLLIN},
                                {.fd = r->aside, .events = POLLIN}};
        int slice_ms = r->out < 0 ? NAP_MS : SLICE_MS;
        if (left_us < slice_ms * US_PER_MS)
            slice_ms = (int)(left_us / US_PER_MS) + 1;
        (void)poll(fds, 2, slice_ms); /* a failed one is as good as a slice that has passed */
    }
}

void program_forget(struct buf *said)
{
    if (said->ptr != NULL)
        explicit_bzero(said->ptr, said->size);
    buf_fini(said);
}

int program_run(const struct program_options *options, struct buf *said, struct error *err)
{
    assert(options->arguments != NULL && options->arguments[0] != NULL);
    assert(options->given_by != NULL && options->wanted != NULL);
    assert(said != NULL && err != NULL);
    struct program_options o = *options;
    if (o.timeout_ms <= 0)
        o.timeout_ms = PROGRAM_TIMEOUT_MS;
    struct running r = {
        .o = &o, .out = -1, .aside = -1, .said = BUF_EMPTY, .said_aside = BUF_EMPTY};
    /* All at once: what grows leaves copies behind. */
    (void)buf_reserve(&r.said, PROGRAM_OUTPUT_MAX + 2 * 4096);
    int result = start(&r, err);
    if (result == 0)
        result = attend(&r, err);
    close_end(&r.out);
    close_end(&r.aside);
    if (result == 0) {
        (void)buf_reserve(said, r.said.len + 1); /* and for buf_text() */
        buf_add(said, buf_span(&r.said));
    }
    program_forget(&r.said);
    buf_fini(&r.said_aside);
    return result;
}
