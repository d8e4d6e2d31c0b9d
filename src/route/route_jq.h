/* route/route_jq: jq in a cage: programs that are evaluated in a process of their own. Internal to
 * the module.
 *
 * libjq never runs in the relay's process. It has no limit of steps, it can crash, and its worker
 * can be ended at any time. What ends a worker is held against a row only where the worker was new
 * and the row its first and only one, so that no row answers for another one, nor for the state of
 * the machine: the limits are CPU time and memory. Where the worker cannot be started, or is
 * killed, or gives no answer for a long time, the error is ERROR_RETRY. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_H
#define WALFERRY_ROUTE_ROUTE_JQ_H

#include "base/arena.h"
#include "base/error.h"
#include "model/change_id.h"
#include "route/route_jq_reads.h"

#include <stdint.h>

struct jq_cage;

struct jq_cage_options {
    const char *program; /* what the worker is: walferry; NULL: this program's own file */
    int64_t cpu_ms;      /* of one row, at least 1 */
    uint64_t memory;     /* bytes of one row, beside what the programs take */
    struct arena *arena; /* must outlive the cage */
};

/* Starts nothing yet. */
struct jq_cage *jq_cage_open(const struct jq_cage_options *options);
void jq_cage_close(struct jq_cage *cage); /* NULL is legal */
/* Who is called, several times a second, while an answer is awaited; may not ask the cage. NULL:
 * nobody, as at first. */
void jq_cage_meanwhile(struct jq_cage *cage, void (*meanwhile)(void *with), void *with);

/* Compiles a program; *number names it from then on. ERROR_STOP, EXIT_USAGE, "bad_jq", text
 * "line 2, column 7: what"; ERROR_RETRY, "jq_worker". */
int jq_cage_add(struct jq_cage *cage, struct span text, uint32_t *number, struct error *err);

/* Adds what the program looks at of its input; what it says lives as long as the cage. */
void jq_cage_reads(const struct jq_cage *cage, uint32_t number, struct jq_reads *reads);

#define JQ_NONE UINT32_MAX

struct jq_question {
    uint32_t filter; /* JQ_NONE: every row is taken */
    uint32_t value;  /* JQ_NONE: a row that is taken has no values */
    bool numbers_are_errors;
    struct span row; /* JSON */
};

struct jq_answer {
    bool taken;
    uint32_t count;
    const struct span *values; /* compact JSON, in the order of the program; in the arena */
};

/* 0, or -1: ERROR_DATA "jq_failed" or "jq_limit", ERROR_RETRY "jq_worker". Not while anything is
 * expected. */
int jq_cage_ask(struct jq_cage *cage, const struct jq_question *question, struct arena *scratch,
                struct jq_answer *answer, struct error *err);

/* ---- Ahead of the need ----
 *
 * A round trip for each row costs more than jq itself. So questions may be put before their answers
 * are wanted, and the worker is given many together. That changes no answer: what ends it is still
 * held against the row alone. */

/* Names a question: a route asks one about a change. */
struct jq_ticket {
    struct change_id id;
    uint32_t route;
};

/* May another change be looked at? */
bool jq_cage_has_room(const struct jq_cage *cage);
/* Copies the question. One that does not fit is not expected. */
void jq_cage_expect(struct jq_cage *cage, struct jq_ticket ticket,
                    const struct jq_question *question);
/* 1: the answer to that question; what was expected before it no longer is. 0: it was not expected,
 * and nothing is any more: ask. -1: as jq_cage_ask(). */
int jq_cage_take(struct jq_cage *cage, struct jq_ticket ticket, struct arena *scratch,
                 struct jq_answer *answer, struct error *err);

#endif
