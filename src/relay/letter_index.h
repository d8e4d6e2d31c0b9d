/* relay/letter_index: where the dead letters are that a command may work on.
 *
 * A look at the letter topic keeps the oldest of them, so many at most: ids and places, and no
 * values. A letter is open until its mark is there, which lies behind it, so a look goes to the end
 * of the topic. What it found outlives the epoch: for the next command of the same kind only what
 * came since is read, and where one look's letters are all done with, the next one begins at the
 * first that it had no room for. So a retry of many letters, which is many commands, reads each of
 * them a few times and not once for each command.
 *
 * It is a memory of what the topic says and decides nothing: without it (another process, another
 * command, a topic that is not the same any more) everything is read anew, and the same is
 * found. */
#ifndef WALFERRY_RELAY_LETTER_INDEX_H
#define WALFERRY_RELAY_LETTER_INDEX_H

#include "model/change_id.h"
#include "publish/publish.h"

struct letter_spot {
    uint64_t final_lsn, ordinal; /* of its id */
    uint64_t route;              /* hash of its name */
    uint64_t owner;              /* hash of route and key; 0: its key is null */
    int64_t offset;
    int32_t partition;
    uint32_t bytes;     /* of its value */
    bool mark, foreign; /* foreign: of another database */
};

struct letter_part; /* a partition */

/* All zero: nothing is known. */
struct letter_index {
    /* What it is of; the user's own. */
    const void *topic;
    uint64_t wish, held;
    struct letter_spot *spots; /* by id and route: letters that are open */
    uint32_t count, size;
    struct change_id from;  /* those before it are known no longer, but for some spots */
    struct change_id until; /* where limited: there is no room for those behind it */
    bool limited;
    struct letter_part *parts;
    uint32_t part_count;
    struct change_id newest;
    uint64_t *stuck; /* owners of letters up to `from` that are open */
    uint32_t stuck_count, stuck_size;
    bool strays; /* so are others, whose key is not held */
};

/* Whatever gives the records of the letter topic, again and again; ranges as in
 * kafka_letters_begin(). */
struct letter_source {
    void *of;
    int (*begin)(void *of, const struct kafka_letter_range *ranges, uint32_t count,
                 struct error *err);
    int (*next)(void *of, struct kafka_letter *letter, struct error *err); /* 1, 0, -1 */
};

struct letter_look {
    const struct letter_source *source;
    uint64_t system_identifier;
    uint32_t window_max; /* spots that are kept */
    void *of;
    bool (*wants)(void *of, const struct kafka_letter *letter, const struct letter_spot *spot);
};

void letter_index_forget(struct letter_index *index);

/* What a record says of itself; false: it is no letter with a place in the log. */
bool letter_spot_read(const struct kafka_letter *letter, uint64_t system_identifier,
                      struct letter_spot *spot);
struct change_id letter_spot_id(const struct letter_spot *spot);
/* Of route and key, as in a spot. */
uint64_t letter_owner(struct span route, struct span key);

/* Reads all of the topic. An index that is left by an error is to be forgotten. */
int letter_index_fill(struct letter_index *index, const struct letter_look *look,
                      struct error *err);
/* Reads what came since. *same false: it is no longer the topic that was read. */
int letter_index_go_on(struct letter_index *index, const struct letter_look *look, bool *same,
                       struct error *err);
/* Of one that is limited: those behind `until`; of those before it, only what is behind `after`
 * stays, which must be fewer than window_max. */
int letter_index_advance(struct letter_index *index, const struct letter_look *look,
                         struct change_id after, struct error *err);
/* A letter before `from` that is open, and of which nothing else is kept. */
void letter_index_add_stuck(struct letter_index *index, uint64_t owner);

#endif
