/* base/waits: what a program that is silent for longer than two seconds waits for.
 *
 * Whoever is about to wait says for whom (waits_on), and a command at what it works (waits_phase).
 * A command has a thread that tells a person on stderr: on a terminal in one line that is renewed
 * in place each second, else in a plain line at first and every ten seconds. The daemon has none:
 * it looks at waits_due() and logs. Thread-safe; NULL is legal wherever a struct waits is taken. */
#ifndef WALFERRY_BASE_WAITS_H
#define WALFERRY_BASE_WAITS_H

#include <stdbool.h>
#include <stdint.h>

#define WAITS_PART_MAX 150
#define WAITS_TEXT_MAX (2 * WAITS_PART_MAX + 2)

struct waits;

struct waits *waits_open(void);
/* The line goes away, and the thread ends. */
void waits_close(struct waits *waits);
/* Starts the thread. who: what a line begins with, "walferry status". Renews the line where fd is a
 * terminal that can (TERM is not "dumb"). */
void waits_tell(struct waits *waits, const char *who, int fd);

/* Which server is asked, or what else is waited for. Stays until it is said anew. */
void waits_on(struct waits *waits, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What is worked at, before that. "": nothing in particular. */
void waits_phase(struct waits *waits, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Something else is about to be said: the line goes away for a second at least. */
void waits_hush(struct waits *waits);
/* Nothing is told until it is let go on, which begins anew. */
void waits_hold(struct waits *waits);
void waits_go_on(struct waits *waits);
bool waits_held(struct waits *waits); /* as where there is none */

/* Has it been silent for two seconds, or for ten since it was told last? Then it counts as told:
 * what is waited for, and for how many seconds all in all. */
bool waits_due(struct waits *waits, int64_t now_us, char text[WAITS_TEXT_MAX], int64_t *seconds);

#endif
