/* relay/replay: which dead letters a command retry or drop works on.
 *
 * They are read before the relay goes on at the command (letters that lie behind it are none of its
 * business), by somebody else: here they are chosen. Two things bound them: so many and so many
 * bytes at once, the oldest first, for whatever is left another command is sent; and a look at the
 * topic (relay/letter_index.h) keeps a window of ids alone, however many letters there are.
 *
 * What was sent again or dropped has a record of that in the letter topic, a mark, with the id and
 * the route of the letter; so a letter is open until its mark is there. A letter that fails again
 * stays as it lies: nothing is written anew, and the order of a key stays what it was. */
#ifndef WALFERRY_RELAY_REPLAY_H
#define WALFERRY_RELAY_REPLAY_H

#include "relay/letter_index.h"
#include "relay/quarantine.h"

/* One of key, id and all. */
struct replay_wish {
    bool drop; /* else retry */
    bool all;
    bool keyed; /* `key` is given */
    struct span key, route;
    struct change_id id, after; /* after: what is older was looked at before */
};

struct replay_letter {
    struct change_id id;
    struct span route, key;
    struct span value; /* absent: it was left out, or is not wanted */
    bool foreign;      /* of another database */
    bool settled;      /* it is an event again, or dropped; a retry's own */
    int32_t partition; /* where it lies */
    int64_t offset;
};

struct replay_limits {
    uint32_t letters_max;
    size_t bytes_max;    /* of values; one letter is always taken */
    uint32_t window_max; /* letters of a look whose places are kept */
};

/* Between two epochs: the command for which the next one reads letters; 0: none. */
struct errand {
    uint64_t command;
    struct buf text;
    struct letter_index index; /* of the last errand */
};

struct replay {
    struct arena arena;
    uint64_t command; /* that these are for; 0: none were read */
    uint64_t system_identifier;
    struct replay_wish wish;
    struct replay_letter *letters; /* by id: as the changes were committed */
    uint32_t count;
    bool more;   /* there are others behind the last one */
    bool others; /* by id: there are others of its key */
};

void replay_init(struct replay *replay, uint64_t system_identifier);
void replay_fini(struct replay *replay);

/* What the command asks for. ERROR_DATA, "bad_value": it cannot be told. */
int replay_wish_read(struct span command, struct arena *arena, struct replay_wish *wish,
                     struct error *err);
/* Reads what the command is to work on. Groups of held keys of which an earlier letter stays are
 * blocked. index: what the load before has found, or nothing; the same is chosen with it and
 * without. -1: an error of the source. */
int replay_load(struct replay *replay, uint64_t command, struct span text,
                struct quarantine *quarantine, const struct replay_limits *limits,
                const struct letter_source *source, struct letter_index *index, struct error *err);

#endif
