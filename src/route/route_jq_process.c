/* route/route_jq_process: see route_jq_process.h. It knows bytes and frames; what an end means, and
 * for whom, is said in route_jq.c. */
#include "route/route_jq_process.h"

#include "route/route.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is read at once; an answer that is larger goes by. */
#define SAID_BYTES (64 * (size_t)1024)
/* Whoever has something to do while it is waited for is called so often. */
#define MEANWHILE_MS 100

/* ---- The process ---- */

static int not_started(int number, struct error *err)
{
    return error_retry(err, REASON_JQ_WORKER, "cannot start the process that evaluates jq: %s",
                       strerror(number));
}

/* Nothing of this process but the socket: no environment, but where libraries are. The zone is for
 * the functions of time that are left. */
static int spawn(struct jq_process *p, const struct jq_process_options *o, int theirs,
                 struct error *err)
{
    char cpu[24], memory[24], path[4096] = "";
    const char *libraries = getenv("LD_LIBRARY_PATH");
    snprintf(cpu, sizeof cpu, "%" PRId64, o->cpu_ms);
    snprintf(memory, sizeof memory, "%" PRIu64, o->memory);
    if (libraries != NULL)
        snprintf(path, sizeof path, "LD_LIBRARY_PATH=%s", libraries);
    char name[] = "walferry", word[] = ROUTER_WORKER, zone[] = "TZ=UTC0";
    char *arguments[] = {name, word, cpu, memory, NULL};
    char *environment[] = {zone, libraries != NULL ? path : NULL, NULL};
    const char *program = o->program != NULL ? o->program : "/proc/self/exe";
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, theirs, JQ_WORKER_FD);
    for (int fd = 0; fd < JQ_WORKER_FD; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd == 0 ? 0 : 1, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, JQ_WORKER_FD + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    int failed = posix_spawn(&p->pid, program, &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0)
        p->pid = 0;
    return failed != 0 ? not_started(failed, err) : 0;
}

int jq_process_start(struct jq_process *p, const struct jq_process_options *options,
                     struct error *err)
{
    assert(p->pid == 0 && p->sent == p->first);
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
        return not_started(errno, err);
    int result = spawn(p, options, sockets[1], err);
    close(sockets[1]);
    p->fd = sockets[0];
    if (result < 0)
        close(sockets[0]);
    return result;
}

int jq_process_end(struct jq_process *p)
{
    int status = 0;
    assert(p->pid > 0);
    close(p->fd);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    p->pid = 0;
    p->sent = p->first;
    p->taken = 0;
    buf_reset(&p->said);
    return status;
}

void jq_process_kill(struct jq_process *p)
{
    if (p->pid == 0)
        return;
    kill(p->pid, SIGKILL);
    (void)jq_process_end(p);
}

void jq_process_fini(struct jq_process *p)
{
    jq_process_kill(p);
    buf_fini(&p->asked);
    buf_fini(&p->said);
}

/* ---- Questions ---- */

size_t jq_process_queue(struct jq_process *p, const struct jq_frame *frame, struct span body)
{
    struct jq_frame whole = *frame;
    whole.len = body.len;
    buf_add(&p->asked, (struct span){(const char *)&whole, sizeof whole});
    buf_add(&p->asked, body);
    return sizeof whole + body.len;
}

size_t jq_process_queued(const struct jq_process *p)
{
    return p->asked.len - p->first;
}

size_t jq_process_unsent(const struct jq_process *p)
{
    return p->asked.len - p->sent;
}

void jq_process_send(struct jq_process *p, size_t limit)
{
    assert(p->pid > 0 && limit <= jq_process_queued(p));
    while (p->sent < p->first + limit) {
        ssize_t sent = send(p->fd, p->asked.ptr + p->sent, p->first + limit - p->sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        p->sent += (size_t)sent;
    }
}

void jq_process_drop(struct jq_process *p, size_t len)
{
    assert(len <= jq_process_queued(p));
    p->first += len;
    if (p->sent < p->first)
        p->sent = p->first;
    if (p->first < p->asked.len && p->first < SAID_BYTES)
        return;
    /* Moved only once much was answered, so that a byte is moved twice and not always. */
    memmove(p->asked.ptr, p->asked.ptr + p->first, jq_process_queued(p));
    p->asked.len -= p->first;
    p->sent -= p->first;
    p->first = 0;
}

/* ---- Answers ---- */

static size_t untaken(const struct jq_process *p)
{
    return p->said.len - p->taken;
}

/* False: nothing came of it for so long. */
static bool wait_for(const struct jq_process *p, short events, int patience_ms)
{
    struct pollfd wait = {.fd = p->fd, .events = events};
    for (int left_ms = patience_ms; left_ms > 0; left_ms -= MEANWHILE_MS) {
        if (poll(&wait, 1, left_ms < MEANWHILE_MS ? left_ms : MEANWHILE_MS) != 0)
            return true;
        if (p->meanwhile != NULL)
            p->meanwhile(p->with);
    }
    return false;
}

/* Waits for bytes, and gives the process meanwhile what it takes. */
static enum talk receive(struct jq_process *p, size_t limit, int patience_ms, char *to, size_t size,
                         size_t *got)
{
    for (;;) {
        ssize_t count = recv(p->fd, to, size, MSG_DONTWAIT);
        if (count > 0) {
            *got = (size_t)count;
            return TALK_DONE;
        }
        if (count == 0 || (errno != EAGAIN && errno != EINTR))
            return TALK_ENDED;
        jq_process_send(p, limit);
        bool unsent = p->sent < p->first + limit;
        if (!wait_for(p, unsent ? POLLIN | POLLOUT : POLLIN, patience_ms))
            return TALK_SILENT;
    }
}

/* At least so many bytes together, in `said`. */
static enum talk hear(struct jq_process *p, size_t limit, int patience_ms, size_t wanted)
{
    assert(wanted <= SAID_BYTES);
    while (untaken(p) < wanted) {
        size_t got = 0;
        memmove(p->said.ptr, p->said.ptr + p->taken, untaken(p));
        p->said.len -= p->taken;
        p->taken = 0;
        enum talk talk = receive(p, limit, patience_ms, p->said.ptr + p->said.len,
                                 SAID_BYTES - p->said.len, &got);
        if (talk != TALK_DONE)
            return talk;
        p->said.len += got;
    }
    return TALK_DONE;
}

static void take(struct jq_process *p, void *to, size_t len)
{
    memcpy(to, p->said.ptr + p->taken, len);
    p->taken += len;
}

/* What has come of it already, and the rest past the buffer. */
static enum talk hear_large(struct jq_process *p, size_t limit, int patience_ms, char *to,
                            size_t len)
{
    size_t got = untaken(p);
    assert(got < len);
    take(p, to, got);
    while (got < len) {
        size_t more = 0;
        enum talk talk = receive(p, limit, patience_ms, to + got, len - got, &more);
        if (talk != TALK_DONE)
            return talk;
        got += more;
    }
    return TALK_DONE;
}

enum talk jq_process_answer(struct jq_process *p, size_t limit, int patience_ms,
                            struct arena *arena, struct jq_frame *frame, struct span *body)
{
    assert(p->pid > 0 && frame != NULL && body != NULL);
    if (p->said.size < SAID_BYTES)
        (void)buf_reserve(&p->said, SAID_BYTES - p->said.len);
    enum talk talk = hear(p, limit, patience_ms, sizeof *frame);
    if (talk != TALK_DONE)
        return talk;
    take(p, frame, sizeof *frame);
    char *bytes = arena_alloc_bytes(arena, frame->len);
    *body = (struct span){bytes, frame->len};
    if (frame->len > SAID_BYTES && frame->len > untaken(p))
        return hear_large(p, limit, patience_ms, bytes, frame->len);
    talk = hear(p, limit, patience_ms, frame->len);
    if (talk == TALK_DONE)
        take(p, bytes, frame->len);
    return talk;
}

static enum talk say(const struct jq_process *p, const void *bytes, size_t len)
{
    const char *from = bytes;
    while (len > 0) {
        ssize_t sent = send(p->fd, from, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return TALK_ENDED;
        from += sent;
        len -= (size_t)sent;
    }
    return TALK_DONE;
}

enum talk jq_process_exchange(struct jq_process *p, int patience_ms, struct arena *arena,
                              struct jq_frame *frame, struct span body, struct span *answer)
{
    assert(p->sent == p->first && untaken(p) == 0);
    frame->len = body.len;
    enum talk talk = say(p, frame, sizeof *frame);
    if (talk == TALK_DONE)
        talk = say(p, body.ptr, body.len);
    return talk == TALK_DONE ? jq_process_answer(p, 0, patience_ms, arena, frame, answer) : talk;
}
