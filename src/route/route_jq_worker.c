/* route/route_jq_worker: the inside of the cage: a process that has a socket, no environment and
 * few system calls, in which libjq may run for ever, take all memory or crash.
 *
 * A limit is met by its death: the CPU time by the signal of a timer that is set anew with each
 * row, the memory by an allocation that fails. So nothing has to be undone, and libjq need not be
 * asked to stop, which it cannot. It decides nothing: what its end means is known outside
 * (route_jq.c). */
#include "route/route.h"
#include "route/route_jq_frame.h"
#include "route/route_jq_seal.h"
#include "route/route_jq_value.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PROGRAMS_MAX 1024
#define STACK_BYTES (8 * 1024 * 1024)
/* What libjq needs to compile a program beside what an evaluation may take. */
#define COMPILE_BYTES (64 * 1024 * 1024)
/* What is read at once, and what answers gather before they are sent. */
#define IN_BYTES (64 * (size_t)1024)
#define OUT_BYTES (16 * (size_t)1024)
/* A row may have used so much of the CPU time, by the clock, of the next one. */
#define CPU_SHARED 16

struct worker {
    int64_t cpu_us;
    uint64_t memory;
    uint32_t count;
    jq_state *programs[PROGRAMS_MAX];
    struct jq_names names;
    struct buf in; /* what was read; what is not used yet begins at: */
    size_t used;
    struct span body; /* of the frame at hand */
    struct buf out;   /* answers; the one at hand begins at: */
    size_t answer;
    struct buf said;
    int64_t allowed_us; /* when the timer was set */
    bool sealed;
    bool loses_errors;
};

/* ---- The socket ---- */

static bool write_all(const char *from, uint64_t len)
{
    while (len > 0) {
        ssize_t put = write(JQ_WORKER_FD, from, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        from += put;
        len -= (uint64_t)put;
    }
    return true;
}

static bool send_answers(struct worker *w)
{
    bool written = write_all(w->out.ptr, w->out.len);
    buf_reset(&w->out);
    w->answer = 0;
    return written;
}

/* So much is there of what the next frame begins with. */
static bool fill(struct worker *w, size_t wanted)
{
    while (w->in.len - w->used < wanted) {
        if (w->out.len > 0 && !send_answers(w)) /* before it waits: the relay may wait for them */
            return false;
        if (w->used > 0)
            memmove(w->in.ptr, w->in.ptr + w->used, w->in.len - w->used);
        w->in.len -= w->used;
        w->used = 0;
        (void)buf_reserve(&w->in, wanted > IN_BYTES ? wanted - w->in.len : IN_BYTES - w->in.len);
        ssize_t got = read(JQ_WORKER_FD, w->in.ptr + w->in.len, w->in.size - w->in.len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        w->in.len += (size_t)got;
    }
    return true;
}

/* One frame; its body stays where it is until the next. */
static bool next_frame(struct worker *w, struct jq_frame *frame)
{
    if (!fill(w, sizeof *frame))
        return false;
    memcpy(frame, w->in.ptr + w->used, sizeof *frame);
    if (!fill(w, sizeof *frame + frame->len))
        return false;
    w->body = (struct span){w->in.ptr + w->used + sizeof *frame, frame->len};
    w->used += sizeof *frame + frame->len;
    return true;
}

/* What was begun of the answer at hand is forgotten. */
static void begin_answer(struct worker *w)
{
    w->out.len = w->answer;
    (void)buf_reserve(&w->out, sizeof(struct jq_frame));
    w->out.len += sizeof(struct jq_frame);
}

/* The header is written into the room that the answer has kept free for it. */
static bool end_answer(struct worker *w, enum jq_kind kind, uint32_t value)
{
    struct jq_frame header = {
        .kind = kind, .value = value, .len = w->out.len - w->answer - sizeof header};
    memcpy(w->out.ptr + w->answer, &header, sizeof header);
    w->answer = w->out.len;
    return w->out.len < OUT_BYTES || send_answers(w);
}

/* ---- Limits ---- */

static void out_of_memory(void *data)
{
    (void)data;
    _exit(JQ_EXIT_MEMORY);
}

/* The signal ends the process. */
static void allow_cpu(int64_t us)
{
    struct itimerval timer = {.it_value = {.tv_sec = us / 1000000, .tv_usec = us % 1000000}};
    if (setitimer(ITIMER_PROF, &timer, NULL) < 0)
        _exit(JQ_EXIT_UNUSABLE);
}

/* A call for each row would cost as much as many a row. So the timer is set anew once time has
 * passed; who meets the limit early for that is tried again alone, and then has all of it. Rows
 * that take long are answered one by one, or their silence would look like that of a worker that
 * hangs. */
static bool allow_row(struct worker *w)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_us = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
    if (w->allowed_us != 0 && now_us - w->allowed_us < w->cpu_us / CPU_SHARED)
        return true;
    w->allowed_us = now_us;
    allow_cpu(w->cpu_us);
    return w->out.len == 0 || send_answers(w);
}

/* A sanitizer's shadow is larger than any limit. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMITED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LIMITED 0
#endif
#endif
#ifndef LIMITED
#define LIMITED 1
#endif

/* So many bytes more than there are now. */
static void allow_memory(uint64_t bytes)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    int got = file != NULL ? fscanf(file, "%lu", &pages) : 0;
    if (file != NULL)
        fclose(file);
    struct rlimit limit;
    if (got != 1 || getrlimit(RLIMIT_AS, &limit) < 0)
        _exit(JQ_EXIT_UNUSABLE);
    limit.rlim_cur = pages * (uint64_t)sysconf(_SC_PAGESIZE) + bytes;
    if (limit.rlim_max < limit.rlim_cur)
        limit.rlim_cur = limit.rlim_max;
    if (LIMITED && setrlimit(RLIMIT_AS, &limit) < 0)
        _exit(JQ_EXIT_UNUSABLE);
}

/* What the stack may take must not depend on who started the relay, or the verdict would. */
static void set_limits(const struct worker *w)
{
    static const int IGNORED[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    struct rlimit stack;
    if (getrlimit(RLIMIT_STACK, &stack) == 0) {
        stack.rlim_cur = stack.rlim_max < STACK_BYTES ? stack.rlim_max : STACK_BYTES;
        (void)setrlimit(RLIMIT_STACK, &stack);
    }
    (void)prctl(PR_SET_DUMPABLE, 0);
    for (size_t i = 0; i < sizeof IGNORED / sizeof IGNORED[0]; i++)
        (void)signal(IGNORED[i], SIG_IGN); /* the relay ends it, by closing the socket */
    (void)signal(SIGPROF, SIG_DFL);
    jv_nomem_handler(out_of_memory, NULL);
    allow_memory(w->memory + COMPILE_BYTES);
}

/* ---- Programs ---- */

static void take_message(void *data, jv message)
{
    struct buf *said = data;
    jv text = jv_get_kind(message) == JV_KIND_STRING ? message : jv_dump_string(message, 0);
    if (said->len > 0)
        buf_add_char(said, '\n');
    buf_add_text(said, jv_string_value(text));
    jv_free(text);
}

/* Of libjq 1.6 the error null is the end of the values, for `try` as well, and a row that it ends
 * would give no event and no word. There `error` gets a message; from 1.7 on it is caught as null,
 * and gets the same message where nothing catches it. */
#define NO_MESSAGE "error(null): an error without a message"
#define ERROR_NULL                                                                                 \
    "def walferry_error: error; "                                                                  \
    "def error: if . == null then \"" NO_MESSAGE "\" else . end | "                                \
    "walferry_error; def error(m): m | error; "

static bool loses_errors(void)
{
    jq_state *probe = jq_init();
    if (probe == NULL || !jq_compile(probe, "try error(null) catch 1"))
        _exit(JQ_EXIT_MEMORY);
    jq_start(probe, jv_null(), 0);
    jv caught = jq_next(probe);
    bool loses = !jv_is_valid(caught);
    jv_free(caught);
    jq_teardown(&probe);
    return loses;
}

/* As it stands first, so that what is wrong with it is said of its own text. */
static bool compile_text(struct worker *w, jq_state *program)
{
    struct buf text = BUF_EMPTY;
    buf_add(&text, w->body);
    bool compiled = jq_compile(program, buf_text(&text));
    if (compiled && w->loses_errors) {
        buf_reset(&text);
        buf_add_text(&text, ERROR_NULL);
        buf_add(&text, w->body);
        compiled = jq_compile(program, buf_text(&text));
    }
    buf_fini(&text);
    return compiled;
}

static bool compile(struct worker *w)
{
    assert(w->count < PROGRAMS_MAX);
    jq_state *program = jq_init();
    if (program == NULL)
        _exit(JQ_EXIT_MEMORY);
    buf_reset(&w->said);
    jq_set_error_cb(program, take_message, &w->said);
    allow_cpu(w->cpu_us + 10 * 1000000);
    if (w->count == 0)
        w->loses_errors = loses_errors();
    bool compiled = compile_text(w, program);
    allow_cpu(0);
    begin_answer(w);
    if (compiled) {
        w->programs[w->count++] = program;
        return end_answer(w, JQ_DONE, 0);
    }
    jq_teardown(&program);
    buf_add(&w->out, buf_span(&w->said));
    return end_answer(w, JQ_FAILED, 0);
}

/* ---- Rows ---- */

/* Frees the message. */
static void describe(struct worker *w, jv message)
{
    begin_answer(w);
    if (jv_get_kind(message) == JV_KIND_NULL)
        message = jv_string(NO_MESSAGE);
    else if (jv_get_kind(message) != JV_KIND_STRING)
        message = jv_dump_string(message, 0);
    struct span text = {jv_string_value(message), (size_t)jv_string_length_bytes(jv_copy(message))};
    buf_add(&w->out, (struct span){text.ptr, text.len < 400 ? text.len : 400});
    jv_free(message);
}

/* True: *value is the next one. False: no more, or *failed, and the answer says why. */
static bool next_value(struct worker *w, jq_state *program, jv *value, bool *failed)
{
    *value = jq_next(program);
    if (jv_is_valid(*value))
        return true;
    *failed = jv_invalid_has_msg(jv_copy(*value));
    if (*failed)
        describe(w, jv_invalid_get_msg(*value));
    else
        jv_free(*value);
    return false;
}

/* 1: taken; 0: not; -1: the answer says why neither. Nothing and null are no, as in jq's `if`. */
static int filter(struct worker *w, jq_state *program, jv row)
{
    bool failed = false;
    int result = 0;
    jv value;
    jq_start(program, row, 0);
    for (int count = 0; next_value(w, program, &value, &failed); count++) {
        jv_kind kind = jv_get_kind(value);
        jv_free(value);
        if (count == 0 && (kind == JV_KIND_TRUE || kind == JV_KIND_FALSE || kind == JV_KIND_NULL)) {
            result = kind == JV_KIND_TRUE;
            continue;
        }
        begin_answer(w);
        buf_add_text(&w->out, count > 0 ? "it gives more than one value where one is needed"
                                        : "it gives neither true nor false, but a value of type ");
        buf_add_text(&w->out, count > 0 ? "" : jv_kind_name(kind));
        return -1;
    }
    return failed ? -1 : result;
}

/* How many; -1: the answer says why none. */
static int64_t write_values(struct worker *w, jq_state *program, jv row)
{
    char why[JQ_WHY_MAX];
    bool failed = false;
    int64_t count = 0;
    jv value;
    jq_start(program, row, 0);
    for (; next_value(w, program, &value, &failed); count++) {
        size_t at = w->out.len;
        buf_add_u64(&w->out, 0);
        bool written = jq_value_write(value, &w->out, why);
        jv_free(value);
        if (w->out.len - w->answer > w->memory)
            _exit(JQ_EXIT_MEMORY);
        uint64_t len = w->out.len - at - sizeof len;
        memcpy(w->out.ptr + at, &len, sizeof len);
        if (!written) {
            begin_answer(w);
            buf_add_text(&w->out, "it gives ");
            buf_add_text(&w->out, why);
            return -1;
        }
    }
    return failed ? -1 : count;
}

static bool evaluate(struct worker *w, const struct jq_frame *asked)
{
    char why[JQ_WHY_MAX];
    struct jq_reading reading = {&w->names, asked->numbers_are_errors != 0};
    jv row;
    begin_answer(w);
    if (!jq_value_read(&reading, w->body, &row, why)) {
        buf_add_text(&w->out, why);
        return end_answer(w, JQ_FAILED, JQ_NO_PROGRAM);
    }
    bool filters = asked->filter != JQ_NO_PROGRAM, maps = asked->value != JQ_NO_PROGRAM;
    assert(!filters || asked->filter < w->count);
    assert(!maps || asked->value < w->count);
    int taken = filters ? filter(w, w->programs[asked->filter], jv_copy(row)) : 1;
    if (taken <= 0 || !maps) {
        jv_free(row);
        if (taken < 0)
            return end_answer(w, JQ_FAILED, asked->filter);
        return end_answer(w, taken > 0 ? JQ_VALUES : JQ_NOT_TAKEN, 0);
    }
    int64_t count = write_values(w, w->programs[asked->value], row);
    return count < 0 ? end_answer(w, JQ_FAILED, asked->value)
                     : end_answer(w, JQ_VALUES, (uint32_t)count);
}

static bool serve(struct worker *w)
{
    struct jq_frame asked;
    if (!next_frame(w, &asked))
        return false;
    if (asked.kind == JQ_COMPILE)
        return compile(w);
    assert(asked.kind == JQ_EVALUATE);
    if (!w->sealed) {
        allow_memory(w->memory);
        jq_seal();
        w->sealed = true;
    }
    return allow_row(w) && evaluate(w, &asked);
}

int router_worker(int argc, char **argv)
{
    assert(argc >= 1);
    if (argc != 4 || fcntl(JQ_WORKER_FD, F_GETFD) < 0)
        return JQ_EXIT_UNUSABLE; /* started by hand */
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        return JQ_EXIT_UNUSABLE;
    w->cpu_us = strtoll(argv[2], NULL, 10) * 1000;
    w->memory = strtoull(argv[3], NULL, 10);
    jq_names_init(&w->names);
    set_limits(w);
    while (serve(w))
        continue;
    _exit(JQ_EXIT_DONE);
}
