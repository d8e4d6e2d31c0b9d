/* operate/upgraded: the proof that `rebase --upgraded` rests on. Private to this module. */
#ifndef WALFERRY_OPERATE_UPGRADED_H
#define WALFERRY_OPERATE_UPGRADED_H

#include "operate/operate.h"

/* 0: nothing is lost or repeated by going on as wish says. ERROR_STOP, EXIT_REFUSED, not_accepted:
 * that cannot be proved; EXIT_USAGE where it makes no sense. known: found->progress is a record of
 * a relay that has begun. */
int rebase_check_upgraded(struct origin *origin, const struct found *found, bool known,
                          const struct command_options *options, const struct rebase_options *wish,
                          struct error *err);

/* Once nothing written is missed any more: looks again for what was written before, of which
 * sessions tell late. Waits for 11 seconds where that has to be shown. The same errors. */
int rebase_check_upgraded_late(struct origin *origin, const struct found *found,
                               const struct command_options *options,
                               const struct rebase_options *wish, struct error *err);

#endif
