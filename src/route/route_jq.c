/* route/route_jq: see route_jq.h. The outside of the cage: it starts the worker, talks to it and
 * judges its end. A worker that has ended is made anew by the next question, from the programs that
 * are kept here. */
#include "route/route_jq.h"

#include "route/route.h"
#include "route/route_jq_frame.h"
#include "route/route_jq_text.h"

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

#define PROGRAMS_MAX 1024
/* A worker that has the CPU answers within its CPU time; one that has not gets so many times more,
 * and no less than this. */
#define PATIENCE_MS 30000
#define PATIENCE_TIMES 60

struct jq_cage {
    struct jq_cage_options o;
    pid_t pid; /* of the worker; 0: there is none */
    int fd;
    uint32_t rows; /* that the worker has been given */
    uint32_t count;
    struct jq_text programs[PROGRAMS_MAX];
};

struct jq_cage *jq_cage_open(const struct jq_cage_options *options)
{
    assert(options->cpu_ms >= 1 && options->memory >= 1);
    assert(options->arena != NULL);
    struct jq_cage *cage = arena_alloc_zero(options->arena, sizeof *cage);
    cage->o = *options;
    return cage;
}

/* ---- The worker ---- */

/* What waitpid() says of it. */
static int end_worker(struct jq_cage *cage)
{
    int status = 0;
    assert(cage->pid > 0);
    close(cage->fd);
    while (waitpid(cage->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    cage->pid = 0;
    cage->rows = 0;
    return status;
}

void jq_cage_close(struct jq_cage *cage)
{
    if (cage == NULL || cage->pid == 0)
        return;
    kill(cage->pid, SIGKILL);
    end_worker(cage);
}

static int not_started(int number, struct error *err)
{
    return error_retry(err, REASON_JQ_WORKER, "cannot start the process that evaluates jq: %s",
                       strerror(number));
}

/* Nothing of this process but the socket: no environment, but where libraries are. The zone is for
 * the functions of time that are left. */
static int start(struct jq_cage *cage, int theirs, struct error *err)
{
    char cpu[24], memory[24], path[4096] = "";
    const char *libraries = getenv("LD_LIBRARY_PATH");
    snprintf(cpu, sizeof cpu, "%" PRId64, cage->o.cpu_ms);
    snprintf(memory, sizeof memory, "%" PRIu64, cage->o.memory);
    if (libraries != NULL)
        snprintf(path, sizeof path, "LD_LIBRARY_PATH=%s", libraries);
    char name[] = "walferry", word[] = ROUTER_WORKER, zone[] = "TZ=UTC0";
    char *arguments[] = {name, word, cpu, memory, NULL};
    char *environment[] = {zone, libraries != NULL ? path : NULL, NULL};
    const char *program = cage->o.program != NULL ? cage->o.program : "/proc/self/exe";
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
    int failed = posix_spawn(&cage->pid, program, &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0)
        cage->pid = 0;
    return failed != 0 ? not_started(failed, err) : 0;
}

static int start_worker(struct jq_cage *cage, struct error *err)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
        return not_started(errno, err);
    int result = start(cage, sockets[1], err);
    close(sockets[1]);
    cage->fd = sockets[0];
    if (result < 0)
        close(sockets[0]);
    return result;
}

/* ---- Talking ---- */

enum talk { TALK_DONE, TALK_ENDED, TALK_SILENT };

static enum talk say(const struct jq_cage *cage, const void *bytes, size_t len)
{
    const char *from = bytes;
    while (len > 0) {
        ssize_t sent = send(cage->fd, from, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return TALK_ENDED;
        from += sent;
        len -= (size_t)sent;
    }
    return TALK_DONE;
}

static enum talk hear(const struct jq_cage *cage, void *bytes, size_t len)
{
    int64_t patience = cage->o.cpu_ms * PATIENCE_TIMES;
    char *to = bytes;
    while (len > 0) {
        struct pollfd wait = {.fd = cage->fd, .events = POLLIN};
        int ready = poll(&wait, 1, (int)(patience < PATIENCE_MS ? PATIENCE_MS : patience));
        if (ready == 0)
            return TALK_SILENT;
        ssize_t got = ready < 0 ? ready : recv(cage->fd, to, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return TALK_ENDED;
        to += got;
        len -= (size_t)got;
    }
    return TALK_DONE;
}

/* One question, one answer; its bytes in the arena. */
static enum talk exchange(const struct jq_cage *cage, struct jq_frame *frame, struct span body,
                          struct arena *arena, struct span *answer)
{
    frame->len = body.len;
    enum talk talk = say(cage, frame, sizeof *frame);
    if (talk == TALK_DONE)
        talk = say(cage, body.ptr, body.len);
    if (talk == TALK_DONE)
        talk = hear(cage, frame, sizeof *frame);
    if (talk != TALK_DONE)
        return talk;
    char *bytes = arena_alloc_bytes(arena, frame->len);
    *answer = (struct span){bytes, frame->len};
    return hear(cage, bytes, frame->len);
}

/* ---- Programs ---- */

static int silent(struct jq_cage *cage, struct error *err)
{
    jq_cage_close(cage);
    return error_retry(err, REASON_JQ_WORKER,
                       "the process that evaluates jq has not answered for a long time");
}

static int compile(struct jq_cage *cage, const struct jq_text *text, struct error *err)
{
    struct jq_frame frame = {.kind = JQ_COMPILE};
    struct span said;
    enum talk talk = exchange(cage, &frame, text->for_libjq, cage->o.arena, &said);
    if (talk == TALK_SILENT)
        return silent(cage, err);
    if (talk == TALK_ENDED) {
        int status = end_worker(cage);
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
            return error_stop(err, REASON_BAD_JQ, "libjq ends with signal %d when it compiles it",
                              WTERMSIG(status));
        if (WIFEXITED(status) && WEXITSTATUS(status) == JQ_EXIT_MEMORY)
            return error_stop(err, REASON_BAD_JQ, "it takes too much memory to compile");
        return error_retry(err, REASON_JQ_WORKER, "the process that evaluates jq ended");
    }
    if (frame.kind == JQ_FAILED)
        return jq_text_error(text, said, err);
    assert(frame.kind == JQ_DONE);
    return 0;
}

/* With all programs that there are. */
static int ensure_worker(struct jq_cage *cage, struct error *err)
{
    if (cage->pid != 0)
        return 0;
    if (start_worker(cage, err) < 0)
        return -1;
    for (uint32_t i = 0; i < cage->count; i++)
        if (compile(cage, &cage->programs[i], err) < 0)
            return -1;
    return 0;
}

int jq_cage_add(struct jq_cage *cage, struct span text, uint32_t *number, struct error *err)
{
    assert(number != NULL && cage->count < PROGRAMS_MAX);
    if (cage->rows > 0)
        jq_cage_close(cage); /* it is sealed */
    struct jq_text *program = &cage->programs[cage->count];
    if (jq_text_read(text, cage->o.arena, program, err) < 0 || ensure_worker(cage, err) < 0 ||
        compile(cage, program, err) < 0)
        return -1;
    *number = cage->count++;
    return 0;
}

enum jq_reads jq_cage_reads(const struct jq_cage *cage, uint32_t number, const char *member)
{
    assert(cage != NULL && number < cage->count);
    return jq_reads(&cage->programs[number], member);
}

/* ---- Rows ---- */

static int over_memory(const struct jq_cage *cage, struct error *err)
{
    error_data(err, REASON_JQ_LIMIT, "jq took more than %" PRIu64 " bytes of memory for the row",
               cage->o.memory);
    return error_hint(err, "mend the program, or raise delivery.jq.memory");
}

/* Of a worker that had nothing to do but this row. */
static int judge_end(const struct jq_cage *cage, int status, struct error *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == JQ_EXIT_MEMORY)
        return over_memory(cage, err);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) {
        error_data(err, REASON_JQ_LIMIT, "jq took more than %" PRId64 " ms of CPU time for the row",
                   cage->o.cpu_ms);
        return error_hint(err, "mend the program, or raise delivery.jq.cpu_ms");
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
        /* 1.6 calls what it takes for our handler when memory ends, and no version counts how deep
         * it calls itself. */
        error_data(err, REASON_JQ_LIMIT,
                   "jq ended with signal %d (%s): it took more than %" PRIu64
                   " bytes of memory for the row, or nested too deeply",
                   WTERMSIG(status), strsignal(WTERMSIG(status)), cage->o.memory);
        return error_hint(err, "mend the program, or raise delivery.jq.memory");
    }
    return error_retry(err, REASON_JQ_WORKER, "the process that evaluates jq was ended (%s %d)",
                       WIFSIGNALED(status) ? "signal" : "exit code",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void read_values(const struct jq_frame *frame, struct span body, struct arena *scratch,
                        struct jq_answer *answer)
{
    struct span *values = arena_alloc(scratch, frame->value * sizeof *values);
    size_t at = 0;
    for (uint32_t i = 0; i < frame->value; i++) {
        uint64_t len;
        assert(at + sizeof len <= body.len);
        memcpy(&len, body.ptr + at, sizeof len);
        at += sizeof len;
        assert(len <= body.len - at);
        values[i] = (struct span){body.ptr + at, len};
        at += len;
    }
    assert(at == body.len);
    *answer = (struct jq_answer){.taken = true, .count = frame->value, .values = values};
}

static int failed(const struct jq_frame *frame, const struct jq_question *question,
                  struct span body, struct error *err)
{
    const char *what = frame->value == JQ_NO_PROGRAM      ? "row"
                       : frame->value == question->filter ? "when.jq"
                                                          : "value.jq";
    return error_data(err, REASON_JQ_FAILED, "%s: %.*s", what, SPAN_ARG(body));
}

static int take_answer(const struct jq_frame *frame, const struct jq_question *question,
                       struct span body, struct arena *scratch, struct jq_answer *answer,
                       struct error *err)
{
    switch (frame->kind) {
    case JQ_VALUES:
        read_values(frame, body, scratch, answer);
        return 0;
    case JQ_NOT_TAKEN:
        *answer = (struct jq_answer){.taken = false};
        return 0;
    case JQ_FAILED:
        return failed(frame, question, body, err);
    case JQ_COMPILE:
    case JQ_EVALUATE:
    case JQ_DONE:
        break;
    }
    abort(); /* the worker is this program itself */
}

int jq_cage_ask(struct jq_cage *cage, const struct jq_question *question, struct arena *scratch,
                struct jq_answer *answer, struct error *err)
{
    assert(question->row.ptr != NULL && answer != NULL);
    assert(question->filter == JQ_NONE || question->filter < cage->count);
    if (question->row.len > cage->o.memory)
        return over_memory(cage, err);
    for (;;) {
        struct jq_frame frame = {.kind = JQ_EVALUATE,
                                 .filter = question->filter,
                                 .value = question->value,
                                 .numbers_are_errors = question->numbers_are_errors};
        struct span body;
        if (ensure_worker(cage, err) < 0)
            return -1;
        bool alone = cage->rows++ == 0;
        enum talk talk = exchange(cage, &frame, question->row, scratch, &body);
        if (talk == TALK_DONE)
            return take_answer(&frame, question, body, scratch, answer, err);
        if (talk == TALK_SILENT)
            return silent(cage, err);
        int status = end_worker(cage);
        if (alone)
            return judge_end(cage, status, err);
    }
}
