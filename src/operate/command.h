/* operate/command: what the commands share among themselves; private to this module. */
#ifndef WALFERRY_OPERATE_COMMAND_H
#define WALFERRY_OPERATE_COMMAND_H

#include "operate/operate.h"

/* Says that the relay is the command's: one that ran until now ends where it finds another claim,
 * and does not come back to fence the command before it is done. */
int command_claim(const struct recovery *ends, struct publisher *publisher, struct found *found,
                  struct error *err);
/* Takes over and claims, which `once` does, and again where we are fenced, a few times: a relay
 * that ran until now ends where it finds another claim; where there is none yet it comes back, and
 * fences the command before that has claimed. Returns what `once` did. */
int command_claim_until(int (*once)(void *of, struct error *err), void *of, struct error *err);
/* Ends a running relay's hold on the origin, so that it can be replaced or removed. */
int command_release(const struct command_options *options, struct origin *origin,
                    struct error *err);

#endif
