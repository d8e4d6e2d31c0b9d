/* config_table: the rows of config.def as data, for the parser and for the writers alike.
 *
 * A path is the names of the keys from the root, joined by dots; "routes[]" stands for each item of
 * the list. The keys of one mapping are those whose path is the mapping's and one name more. */
#ifndef WALFERRY_CONFIG_TABLE_H
#define WALFERRY_CONFIG_TABLE_H

#include "config/config.h"

enum key_kind {
    KEY_KIND_SECTION,
    KEY_KIND_LIST,
    KEY_KIND_PAIRS,
    KEY_KIND_TEXT,
    KEY_KIND_CHOICE,
    KEY_KIND_BOOL,
    KEY_KIND_NUMBER,
    KEY_KIND_COUNT,
    KEY_KIND_SIZE,
    KEY_KIND_TEXTS
};

enum key_flags {
    REQUIRED = 1, /* without it the file is refused */
    RESTART = 2,  /* a running relay does not take a change of it over */
    SECRET = 4,   /* never printed */
    /* a connection string: a running relay stays with the database that it names */
    RESTART_DATABASE = 8,
    OTHER = 32,    /* of another kind than the sample: no more than a comment there */
    AT_ONCE = 64,  /* a running relay does not wait for its next epoch */
    ADDRESS = 128, /* of HTTP: not printed where a login stands in it */
    COMMAND = 256, /* a program and its arguments: those that are called secrets are not printed */
    SHOWN = 16 /* stands in the sample file as it is, although it has no default, or the relay's */
};

/* The struct that a value goes into, by its name. */
enum config_scope { SCOPE_config, SCOPE_config_relay, SCOPE_config_route };

struct config_key {
    const char *path;
    enum key_kind kind;
    unsigned flags;
    enum config_scope scope; /* of what has a value: sections and lists have none */
    size_t offset;           /* in the struct of the scope */
    const char *fallback;    /* the default as it would be written, or NULL */
    const char *sample;      /* YAML; NULL: the default */
    const char *rule;        /* TEXT, TEXTS: regular expression for a whole text, or NULL;
                                PAIRS: for a whole name, or NULL */
    const char *expect;      /* TEXT, TEXTS, PAIRS: the rule in words */
    const char *words;       /* CHOICE: a|b; PAIRS: the name that must be there, or NULL */
    int64_t min, max;        /* NUMBER, COUNT, SIZE */
    const char *help;
};

struct config_refused {
    const char *name; /* a * at the end stands for anything */
    const char *reason;
};

/* The structs that are being filled; route NULL outside of routes[]. */
struct config_target {
    struct config *config;
    struct config_relay *relay;
    struct config_route *route;
};

/* The struct of the key's scope. */
void *config_target_base(const struct config_target *target, const struct config_key *key);

const struct config_key *config_keys(size_t *count);
/* The key `name` of the mapping at path `parent` ("" for the root), or NULL. */
const struct config_key *config_key_find(const char *parent, struct span name);
/* Does the key stand directly in the mapping at path `parent`? */
bool config_key_in(const struct config_key *key, const char *parent);
const char *config_key_name(const struct config_key *key);
/* Is it a number of milliseconds? Its name says so. */
bool config_key_is_ms(const struct config_key *key);
/* The path of the mapping that the values of a section or list stand in: "routes" gives "routes[]".
 * Valid for the longest path of the table. */
#define CONFIG_PATH_MAX 64
void config_key_below(const struct config_key *key, char path[CONFIG_PATH_MAX]);

/* What value may stand there, in words: "a whole number, 1 to 10000", "stop or skip". */
void config_key_expect(const struct config_key *key, struct buf *out);
/* Help for a name that is not known in the mapping at `parent`, as an error's hint. */
void config_key_hint(const char *parent, struct span name, struct buf *out);

const struct config_refused *config_refused_list(size_t *count);
/* Why this property may not stand under kafka:, or NULL. */
const char *config_refused_reason(struct span name);

#endif
