/* recover/checks: the checks of checks.def as data: whoever shows them, one by one, reads their
 * results and knows no check by itself. */
#ifndef WALFERRY_RECOVER_CHECKS_H
#define WALFERRY_RECOVER_CHECKS_H

#include "base/error.h"

enum check_id {
#define CHECK(name, slug, group, level, mend, sentence) CHECK_##name,
#include "recover/checks.def"
#undef CHECK
    CHECK_COUNT
};

enum check_group { CHECK_CONFIGURATION, CHECK_DATABASE, CHECK_KAFKA, CHECK_OF_PROGRESS };
enum check_level { CHECK_REFUSES, CHECK_WARNS };
enum check_mend { CHECK_MEND_FILE, CHECK_MEND_COMMAND, CHECK_MEND_SQL, CHECK_MEND_SERVER };

struct check_info {
    const char *slug;
    enum check_group group;
    enum check_level level;
    enum check_mend mend;
    const char *sentence;
};

extern const struct check_info check_table[CHECK_COUNT];

enum check_state {
    CHECK_NOT_RUN, /* one before it has failed, or nobody was to be asked */
    CHECK_PASSED,
    CHECK_WARNED, /* CHECK_WARNS only */
    CHECK_FAILED
};

#define CHECK_SAID_MAX 1024

struct check_result {
    enum check_state state;
    char said[CHECK_SAID_MAX]; /* what was found, for a person; empty: the sentence will do */
    struct error err;          /* of CHECK_FAILED: what is wrong, with its mend */
};

struct checks {
    struct check_result results[CHECK_COUNT];
};

const char *check_state_name(enum check_state state);

#endif
