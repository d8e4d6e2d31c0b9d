/* cli/cli_top_view: what the admin port says, as lines of a terminal. Pure. Internal to the module.
 *
 * What rows, topics and errors say is shown without what a terminal would obey, and no line is
 * wider than the terminal. A member that a relay of another version does not have is "-". */
#ifndef WALFERRY_CLI_CLI_TOP_VIEW_H
#define WALFERRY_CLI_CLI_TOP_VIEW_H

#include "base/buf.h"
#include "json/json_read.h"

struct top_screen {
    int rows, columns; /* rows 0: as many as there is to say */
    bool colours;
    bool utf8; /* else blocks are drawn with # and the like */
};

struct top_data {
    const struct json_tree *status, *metrics, *history; /* of the newest answer; NULL: none yet */
    const struct json_tree *before; /* metrics of the answer before it, of the same process */
    int64_t between_us;             /* from that one to the newest */
    int64_t wall_us;                /* now */
    const char *away;               /* why the relay does not answer now; NULL: it does */
};

/* Appends lines, each ended by \n, at most screen->rows. */
void top_view(const struct top_data *data, const struct top_screen *screen, struct buf *out);

#endif
