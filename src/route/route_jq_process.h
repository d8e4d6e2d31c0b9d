/* route/route_jq_process: the worker of the cage as the relay sees it: a process, a socket, what it
 * was asked and what it has said. Internal to the module.
 *
 * Questions are frames in a queue. They stay there until they are answered, so that those a worker
 * leaves behind are put to the next one as they are. They are sent as far as the socket takes them,
 * and nobody waits but for an answer: neither side can hold the other up. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_PROCESS_H
#define WALFERRY_ROUTE_ROUTE_JQ_PROCESS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "route/route_jq_frame.h"

#include <sys/types.h>

struct jq_process {
    pid_t pid; /* 0: there is none */
    int fd;
    struct buf asked; /* frames; */
    size_t first;     /* those below are answered, */
    size_t sent;      /* the bytes below this were given to the process */
    struct buf said;  /* what nobody has taken begins at: */
    size_t taken;
    void (*meanwhile)(void *with); /* called again and again while it is waited for; NULL: nobody */
    void *with;
};

struct jq_process_options {
    const char *program; /* NULL: this program's own file */
    int64_t cpu_ms;      /* its two arguments */
    uint64_t memory;
};

/* ERROR_RETRY, "jq_worker". */
int jq_process_start(struct jq_process *p, const struct jq_process_options *options,
                     struct error *err);
/* Waits for its end, which it has come to by itself. Returns what waitpid() says. */
int jq_process_end(struct jq_process *p);
/* Ends it, if there is one; the questions stay. */
void jq_process_kill(struct jq_process *p);
void jq_process_fini(struct jq_process *p);

/* Puts a question at the end of the queue: its length as a frame. */
size_t jq_process_queue(struct jq_process *p, const struct jq_frame *frame, struct span body);
/* Bytes in the queue, and those of them that were not given to the process. */
size_t jq_process_queued(const struct jq_process *p);
size_t jq_process_unsent(const struct jq_process *p);
/* Sends of the first `limit` bytes of the queue what goes without waiting. What goes wrong is found
 * by who waits for an answer. */
void jq_process_send(struct jq_process *p, size_t limit);
/* Takes the frame at the head of the queue out of it. */
void jq_process_drop(struct jq_process *p, size_t len);

enum talk { TALK_DONE, TALK_ENDED, TALK_SILENT };

/* The answer to the head of the queue, which stays there; bytes in the arena. `limit` as above. */
enum talk jq_process_answer(struct jq_process *p, size_t limit, int patience_ms,
                            struct arena *arena, struct jq_frame *frame, struct span *body);
/* A question beside the queue, of which nothing may have been sent. */
enum talk jq_process_exchange(struct jq_process *p, int patience_ms, struct arena *arena,
                              struct jq_frame *frame, struct span body, struct span *answer);

#endif
