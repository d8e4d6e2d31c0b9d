/* operate/upgraded: the proof that `rebase --upgraded` rests on. Private to this module. */
#ifndef WALFERRY_OPERATE_UPGRADED_H
#define WALFERRY_OPERATE_UPGRADED_H

#include "operate/operate.h"

/* 0: nothing is lost or repeated by going on as wish says. ERROR_STOP, EXIT_REFUSED, not_accepted:
 * that cannot be proved; EXIT_USAGE where it makes no sense. known: found->progress is a record of
 * a relay that has begun. */
int rebase_check_upgraded(struct origin *origin, const struct found *found, bool known,
                          const struct rebase_options *wish, struct error *err);

#endif
