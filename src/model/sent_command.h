/* model/sent_command: what a person asks of a running relay, met at its place in the log.
 *
 * The message in the log says only which row of walferry.command is meant (sql/005_command.sql).
 * Anybody can emit one and copy one, so the row is what counts: it is looked up by id, relay,
 * transaction and place in the log, and who did not send it by walferry.send() has none. */
#ifndef WALFERRY_MODEL_SENT_COMMAND_H
#define WALFERRY_MODEL_SENT_COMMAND_H

#include "base/span.h"

#include <stdint.h>

enum command_row {
    COMMAND_NO_ROW,    /* forged or copied, or there are no commands in this database */
    COMMAND_ROW,       /* `text` is the command */
    COMMAND_UNREADABLE /* the relay's role may not read the table */
};

struct sent_command {
    uint64_t id;
    enum command_row row;
    struct span text; /* COMMAND_ROW: JSON, UTF-8; else absent */
};

#endif
