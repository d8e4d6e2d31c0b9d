/* cli/cli_answer: what the one-shot commands share: configuration, log, stop flag, and how an
 * answer or an error is printed. Internal to the module. */
#ifndef WALFERRY_CLI_CLI_ANSWER_H
#define WALFERRY_CLI_CLI_ANSWER_H

#include "cli/cli_command.h"
#include "operate/operate.h"

struct answer {
    const struct args *args;
    struct config *config;            /* NULL: the command needs none */
    const struct config_relay *relay; /* of it: the one that the command is about */
    struct invocation as;
    struct log log;
    atomic_bool stop; /* set by SIGINT and SIGTERM */
    struct buf out;
    bool printed;                   /* the beginning of the answer, of which `out` is the end */
    struct command_options options; /* for operate/ */
};

/* Opens the configuration (where with_config) and takes the signals. From then on, but under
 * --json, it is told on stderr what the command waits for where that takes long (base/waits.h); who
 * shows himself that he works, or waits for a person, calls waits_hold(). On failure answer_end()
 * is still to be called. */
int answer_begin(struct answer *answer, const struct args *args, bool with_config,
                 struct error *err);
/* Prints what was said so far and forgets it; nothing is told of waits while nobody reads it. */
void answer_print_part(struct answer *answer);
/* The same, but nothing under --json, where one object comes last. */
void answer_flush(struct answer *answer);
/* Prints the answer, or the error (err->kind is not NONE), and frees. Returns the exit code:
 * `code` without an error; the error's own one for ERROR_STOP; else `code_if_transient`. */
int answer_end(struct answer *answer, int code, int code_if_transient, const struct error *err);
/* Adds the same command with one option more as a mend. Returns -1. */
int answer_mend_again(const struct answer *answer, enum option more, struct error *err);
/* Adds a file, or standard input ("-"), to *out, `max` bytes at most. 0, or -1 with errno: EFBIG
 * beyond that. */
int answer_read(const char *path, size_t max, struct buf *out);
/* Asks on the terminal unless --yes was given. ERROR_STOP, EXIT_USAGE without a terminal; EXIT_NO
 * where the answer is no. */
int answer_confirm(struct answer *answer, const char *question, struct error *err);

/* cli_switch.c: setup --switch-to. */
int answer_switch(struct answer *answer, struct error *err);

/* cli_debezium.c: config migrate-from-debezium; setup --from-debezium. */
int answer_migrate(struct answer *answer, struct error *err);
int answer_from_debezium(struct answer *answer, struct error *err);

/* "walferry: text" and "hint: …" on stderr. */
void answer_print_error(const struct error *err, const struct invocation *as);
void answer_print(const struct buf *out);

/* cli_live.c: refuses to go on beside a running instance of the relay where --take-over was not
 * given. */
int answer_meet_living(struct answer *answer, struct error *err);

#endif
