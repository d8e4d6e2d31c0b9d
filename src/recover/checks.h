/* recover/checks: the checks of checks.def as data: whoever shows them, one by one, reads their
 * results and knows no check by itself. */
#ifndef WALFERRY_RECOVER_CHECKS_H
#define WALFERRY_RECOVER_CHECKS_H

#include "base/error.h"

#include <stdint.h>

enum check_id {
#define CHECK(name, slug, group, asker, level, mend, after, sentence) CHECK_##name,
#include "recover/checks.def"
#undef CHECK
    CHECK_COUNT
};

/* In the order in which they are shown. */
enum check_group {
    CHECK_GROUP_CONFIGURATION,
    CHECK_GROUP_SERVER,
    CHECK_GROUP_RIGHTS,
    CHECK_GROUP_TABLES,
    CHECK_GROUP_SLOT,
    CHECK_GROUP_BROKER,
    CHECK_GROUP_TOPICS,
    CHECK_GROUP_CLOCKS,
    CHECK_GROUP_FILES,
    CHECK_GROUP_LIBRARIES,
    CHECK_GROUP_ROUND_TRIP,
    CHECK_GROUP_COUNT
};
/* Who looks at it: each looks at what those before it do, too. */
enum check_asker { CHECK_ALONE, CHECK_CONNECT, CHECK_DOCTOR };
enum check_level { CHECK_REFUSES, CHECK_WARNS };
enum check_mend { CHECK_MEND_FILE, CHECK_MEND_COMMAND, CHECK_MEND_SQL, CHECK_MEND_SERVER };

struct check_info {
    const char *slug;
    enum check_group group;
    enum check_asker asker;
    enum check_level level;
    enum check_mend mend;
    uint64_t after; /* a bit for each that must not have failed */
    const char *sentence;
};

extern const struct check_info check_table[CHECK_COUNT];

enum check_state {
    CHECK_NOT_RUN, /* one before it has failed, or nobody was to be asked */
    CHECK_PASSED,
    CHECK_WARNED, /* CHECK_WARNS only */
    CHECK_FAILED,
    CHECK_NOT_APPLICABLE /* there is nothing of the kind to be looked at */
};

#define CHECK_SAID_MAX 1024

struct check_result {
    enum check_state state;
    enum check_id blocker;     /* of CHECK_NOT_RUN under CHECK_DOCTOR: which has not passed */
    char said[CHECK_SAID_MAX]; /* what was found, for a person; empty: the sentence will do */
    struct error err; /* of CHECK_FAILED, and of CHECK_WARNED where it has a mend: what is wrong */
};

struct checks {
    struct check_result results[CHECK_COUNT];
};

struct command_options;
/* checks_run.c: fills *checks. CHECK_ALONE, CHECK_CONNECT: down to the first that fails; 0: none
 * has failed; -1: *err is that of the one that has. CHECK_DOCTOR: all that can be asked; 0. */
struct checks_options {
    enum check_asker asker;
    bool round_trip;              /* CHECK_DOCTOR: something is sent through the relay, too */
    const char *admin_connection; /* of somebody who may send commands; NULL: source.connection */
};
int relay_run_checks(const struct command_options *options, const struct checks_options *checks,
                     struct checks *results, struct error *err);

const char *check_state_name(enum check_state state);
const char *check_group_heading(enum check_group group);

#endif
