/* base/program_errand: a program is run (base/program.h) for somebody who must not wait: a thread
 * waits for him, and a descriptor tells when it is back. */
#ifndef WALFERRY_BASE_PROGRAM_ERRAND_H
#define WALFERRY_BASE_PROGRAM_ERRAND_H

#include "base/program.h"

struct program_errand;

/* What *options point to must outlive the errand; their stop flag is not looked at. */
int program_errand_open(const struct program_options *options, struct program_errand **errand,
                        struct error *err);
/* Readable once it is back. */
int program_errand_fd(const struct program_errand *errand);
/* Then: as program_run(). Once. */
int program_errand_take(struct program_errand *errand, struct buf *said, struct error *err);
/* Ends the program within 100 ms; NULL is legal. */
void program_errand_close(struct program_errand *errand);

#endif
