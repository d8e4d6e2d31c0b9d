/* route/route_jq: see route_jq.h. The outside of the cage: it asks the worker and judges its end. A
 * worker that has ended is made anew by the next question, from the programs that are kept here.
 *
 * Questions that are expected go to the worker together, and are answered in their order. Where a
 * worker ends among them, those without an answer are put to the next one by one, so that each
 * either is answered or was the only one of a new worker. */
#include "route/route_jq.h"

#include "route/route_jq_process.h"
#include "route/route_jq_text.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define PROGRAMS_MAX 1024
/* A worker that has the CPU answers within its CPU time; one that has not gets so many times more,
 * and no less than this. */
#define PATIENCE_MS 30000
#define PATIENCE_TIMES 60
/* What may be asked before its answer is wanted. Bytes are of JSON; one change may go beyond. */
#define EXPECTED_MAX 256
#define EXPECTED_BYTES (128 * (size_t)1024)
/* So many are given to the worker at once, and not one by one: each time wakes it. */
#define TOGETHER_BYTES (16 * (size_t)1024)

struct expected {
    struct jq_ticket ticket;
    uint32_t filter; /* of the question; for messages */
    size_t len;      /* of its frame */
};

struct jq_cage {
    struct jq_cage_options o;
    struct jq_process process;
    uint64_t rows; /* that the process has answered */
    uint32_t count;
    struct jq_text programs[PROGRAMS_MAX];
    struct expected expected[EXPECTED_MAX]; /* a ring */
    uint32_t expected_first, expected_count;
    uint32_t one_by_one; /* so many of them: a worker has ended */
};

struct jq_cage *jq_cage_open(const struct jq_cage_options *options)
{
    assert(options->cpu_ms >= 1 && options->memory >= 1);
    assert(options->arena != NULL);
    struct jq_cage *cage = arena_alloc_zero(options->arena, sizeof *cage);
    cage->o = *options;
    return cage;
}

void jq_cage_meanwhile(struct jq_cage *cage, void (*meanwhile)(void *with), void *with)
{
    assert(cage != NULL);
    cage->process.meanwhile = meanwhile;
    cage->process.with = with;
}

static int end_worker(struct jq_cage *cage)
{
    cage->rows = 0;
    return jq_process_end(&cage->process);
}

static void kill_worker(struct jq_cage *cage)
{
    cage->rows = 0;
    jq_process_kill(&cage->process);
}

void jq_cage_close(struct jq_cage *cage)
{
    if (cage != NULL)
        jq_process_fini(&cage->process);
}

static int patience_ms(const struct jq_cage *cage)
{
    int64_t patience = cage->o.cpu_ms * PATIENCE_TIMES;
    return (int)(patience < PATIENCE_MS ? PATIENCE_MS : patience);
}

/* ---- Programs ---- */

static int silent(struct jq_cage *cage, struct error *err)
{
    kill_worker(cage);
    return error_retry(err, REASON_JQ_WORKER,
                       "the process that evaluates jq has not answered for a long time");
}

static int compile(struct jq_cage *cage, const struct jq_text *text, struct error *err)
{
    struct jq_frame frame = {.kind = JQ_COMPILE};
    struct span said;
    enum talk talk = jq_process_exchange(&cage->process, patience_ms(cage), cage->o.arena, &frame,
                                         text->for_libjq, &said);
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

/* It has been compiled before: what is wrong now is wrong with the machine, and says nothing about
 * the program. A worker with some of them alone is none. */
static int compile_again(struct jq_cage *cage, const struct jq_text *text, struct error *err)
{
    if (compile(cage, text, err) == 0)
        return 0;
    kill_worker(cage);
    if (err->kind == ERROR_RETRY)
        return -1;
    *err = ERROR_INIT;
    return error_retry(err, REASON_JQ_WORKER,
                       "a new process that evaluates jq does not take a program that the last one "
                       "took");
}

/* With all programs that there are. */
static int ensure_worker(struct jq_cage *cage, struct error *err)
{
    const struct jq_process_options options = {cage->o.program, cage->o.cpu_ms, cage->o.memory};
    if (cage->process.pid != 0)
        return 0;
    if (jq_process_start(&cage->process, &options, err) < 0)
        return -1;
    for (uint32_t i = 0; i < cage->count; i++)
        if (compile_again(cage, &cage->programs[i], err) < 0)
            return -1;
    return 0;
}

int jq_cage_add(struct jq_cage *cage, struct span text, uint32_t *number, struct error *err)
{
    assert(number != NULL && cage->count < PROGRAMS_MAX);
    assert(cage->expected_count == 0);
    if (cage->rows > 0)
        kill_worker(cage); /* it is sealed */
    struct jq_text *program = &cage->programs[cage->count];
    if (jq_text_read(text, cage->o.arena, program, err) < 0 || ensure_worker(cage, err) < 0 ||
        compile(cage, program, err) < 0)
        return -1;
    *number = cage->count++;
    return 0;
}

void jq_cage_reads(const struct jq_cage *cage, uint32_t number, struct jq_reads *reads)
{
    assert(cage != NULL && number < cage->count);
    jq_reads_add(reads, &cage->programs[number], cage->o.arena);
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

static int failed(const struct jq_frame *frame, uint32_t filter, struct span body,
                  struct error *err)
{
    const char *what = frame->value == JQ_NO_PROGRAM ? "row"
                       : frame->value == filter      ? "when.jq"
                                                     : "value.jq";
    return error_data(err, REASON_JQ_FAILED, "%s: %.*s", what, SPAN_ARG(body));
}

static int take_answer(const struct jq_frame *frame, uint32_t filter, struct span body,
                       struct arena *scratch, struct jq_answer *answer, struct error *err)
{
    switch (frame->kind) {
    case JQ_VALUES:
        read_values(frame, body, scratch, answer);
        return 0;
    case JQ_NOT_TAKEN:
        *answer = (struct jq_answer){.taken = false};
        return 0;
    case JQ_FAILED:
        return failed(frame, filter, body, err);
    case JQ_COMPILE:
    case JQ_EVALUATE:
    case JQ_DONE:
        break;
    }
    abort(); /* the worker is this program itself */
}

static struct jq_frame frame_of(const struct jq_question *question)
{
    return (struct jq_frame){.kind = JQ_EVALUATE,
                             .filter = question->filter,
                             .value = question->value,
                             .numbers_are_errors = question->numbers_are_errors};
}

int jq_cage_ask(struct jq_cage *cage, const struct jq_question *question, struct arena *scratch,
                struct jq_answer *answer, struct error *err)
{
    assert(question->row.ptr != NULL && answer != NULL);
    assert(question->filter == JQ_NONE || question->filter < cage->count);
    assert(cage->expected_count == 0);
    if (question->row.len > cage->o.memory)
        return over_memory(cage, err);
    for (;;) {
        struct jq_frame frame = frame_of(question);
        struct span body;
        if (ensure_worker(cage, err) < 0)
            return -1;
        bool alone = cage->rows == 0;
        enum talk talk = jq_process_exchange(&cage->process, patience_ms(cage), scratch, &frame,
                                             question->row, &body);
        if (talk == TALK_DONE) {
            cage->rows++;
            return take_answer(&frame, question->filter, body, scratch, answer, err);
        }
        if (talk == TALK_SILENT)
            return silent(cage, err);
        int status = end_worker(cage);
        if (alone)
            return judge_end(cage, status, err);
    }
}

/* ---- Rows that are expected ---- */

static bool is_same_ticket(struct jq_ticket a, struct jq_ticket b)
{
    return a.route == b.route && change_id_equal(a.id, b.id);
}

static struct expected *head_of(struct jq_cage *cage)
{
    assert(cage->expected_count > 0);
    return &cage->expected[cage->expected_first];
}

bool jq_cage_has_room(const struct jq_cage *cage)
{
    return cage->expected_count < EXPECTED_MAX / 2 &&
           jq_process_queued(&cage->process) < EXPECTED_BYTES;
}

void jq_cage_expect(struct jq_cage *cage, struct jq_ticket ticket,
                    const struct jq_question *question)
{
    assert(question->row.ptr != NULL && !change_id_is_none(ticket.id));
    if (cage->expected_count == EXPECTED_MAX || question->row.len > EXPECTED_BYTES ||
        jq_process_queued(&cage->process) > 2 * EXPECTED_BYTES)
        return; /* it is asked when its answer is wanted */
    const struct jq_frame frame = frame_of(question);
    uint32_t at = (cage->expected_first + cage->expected_count++) % EXPECTED_MAX;
    cage->expected[at] =
        (struct expected){.ticket = ticket,
                          .filter = question->filter,
                          .len = jq_process_queue(&cage->process, &frame, question->row)};
    if (cage->process.pid != 0 && cage->one_by_one == 0 &&
        jq_process_unsent(&cage->process) >= TOGETHER_BYTES)
        jq_process_send(&cage->process, jq_process_queued(&cage->process));
}

static void drop_head(struct jq_cage *cage)
{
    jq_process_drop(&cage->process, head_of(cage)->len);
    cage->expected_first = (cage->expected_first + 1) % EXPECTED_MAX;
    cage->expected_count--;
    cage->one_by_one -= cage->one_by_one > 0;
}

/* The answer to the head, which is no longer expected then, but for ERROR_RETRY. */
static int take_head(struct jq_cage *cage, struct arena *scratch, struct jq_frame *frame,
                     struct span *body, struct error *err)
{
    for (;;) {
        struct jq_process *p = &cage->process;
        if (ensure_worker(cage, err) < 0)
            return -1;
        size_t limit = cage->one_by_one > 0 ? head_of(cage)->len : jq_process_queued(p);
        enum talk talk = jq_process_answer(p, limit, patience_ms(cage), scratch, frame, body);
        if (talk == TALK_DONE) {
            cage->rows++;
            drop_head(cage);
            return 0;
        }
        if (talk == TALK_SILENT)
            return silent(cage, err);
        bool alone = cage->rows == 0 && p->sent - p->first <= head_of(cage)->len;
        int status = end_worker(cage);
        cage->one_by_one = cage->expected_count;
        if (alone) {
            drop_head(cage);
            return judge_end(cage, status, err);
        }
    }
}

int jq_cage_take(struct jq_cage *cage, struct jq_ticket ticket, struct arena *scratch,
                 struct jq_answer *answer, struct error *err)
{
    while (cage->expected_count > 0) {
        const struct expected head = *head_of(cage);
        struct jq_frame frame;
        struct span body;
        bool wanted = is_same_ticket(head.ticket, ticket);
        int result = take_head(cage, scratch, &frame, &body, err);
        if (result < 0 && (wanted || err->kind == ERROR_RETRY))
            return -1;
        if (wanted)
            return take_answer(&frame, head.filter, body, scratch, answer, err) < 0 ? -1 : 1;
        *err = ERROR_INIT; /* nobody wants to know */
    }
    return 0;
}
