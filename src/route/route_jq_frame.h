/* route/route_jq_frame: what the relay and the worker of the cage say to each other, over a socket
 * between two processes of one program: a header, then as many bytes as it says. Internal to the
 * module.
 *
 *   relay                                     worker
 *   JQ_COMPILE: the text of a program         JQ_DONE, or JQ_FAILED: what libjq says
 *   JQ_EVALUATE: a row as JSON                JQ_VALUES: for each the length (8 bytes) and its
 * JSON; JQ_NOT_TAKEN, or JQ_FAILED: why
 *
 * Programs are numbered in the order in which they are compiled, from 0; all of them before the
 * first row. A worker that a limit meets ends with the exit code that says which. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_FRAME_H
#define WALFERRY_ROUTE_ROUTE_JQ_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum jq_kind { JQ_COMPILE = 1, JQ_EVALUATE, JQ_DONE, JQ_VALUES, JQ_NOT_TAKEN, JQ_FAILED };

/* A row may want no filter, or none but a filter. */
#define JQ_NO_PROGRAM UINT32_MAX

struct jq_frame {
    enum jq_kind kind;
    uint32_t filter; /* EVALUATE: program, or JQ_NO_PROGRAM */
    uint32_t value; /* EVALUATE: program, or JQ_NO_PROGRAM; VALUES: how many; FAILED: the program */
    uint32_t numbers_are_errors;
    uint64_t len; /* bytes behind it */
};

/* Its arguments: the word, then both limits. */
#define JQ_WORKER_FD 3
enum jq_exit { JQ_EXIT_DONE = 0, JQ_EXIT_UNUSABLE = 2, JQ_EXIT_MEMORY = 20 };

#endif
