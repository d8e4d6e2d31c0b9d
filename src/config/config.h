/* config/: one table of keys becomes parser, validator, JSON Schema, man page and sample file.
 *
 * A configuration is read whole, checked whole and then never changed: a reload makes a new one. It
 * is a list of relays and what belongs to the process that runs them. Each module is handed its own
 * section and nothing else. Strings carry file and line, so that a module which finds a value wrong
 * later (a template, a librdkafka property) can point at it. */
#ifndef WALFERRY_CONFIG_CONFIG_H
#define WALFERRY_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config_columns.h"
#include "config/config_notify.h"
#include "config/config_relay.h"

struct config_admin {
    struct config_text listen;            /* host:port, or "off" */
    struct config_text token;             /* NULL: whoever reaches the port may read */
    struct config_text tls_cert, tls_key; /* paths; both or none */
    int64_t ready_grace_ms;
    bool show_payloads;
};

struct config_log {
    enum log_level level;
    enum log_format format;
};

struct config_relays {
    uint32_t count; /* 1: a file is one relay */
    const struct config_relay *items;
};

/* What one file says: the relays, and what belongs to the process that runs them. */
struct config {
    struct arena arena;
    const char *path;
    struct config_admin admin;
    struct config_log log;
    struct config_notify notify;
    struct config_otlp otlp;
    struct config_relays relays;
    struct config_texts secret_files; /* what ${file:} has read, in the order of the file */
    bool has_secret;                  /* a password stands in the file itself */
    char file_hash[17];               /* 16 hex digits over its bytes */
    struct span yaml; /* the file as it was read, where it has ${file:}; else empty */
};

/* Reads and checks the file. Every error is ERROR_STOP with EXIT_USAGE and reads
 * "<file>:<line>: <key>: what is wrong", the hint saying how to mend it. path NULL:
 * $WALFERRY_CONFIG, then /etc/walferry/walferry.yaml. */
int config_open(const char *path, struct config **config, struct error *err);
/* The same from memory; `name` stands for the file in messages. */
int config_parse(struct span yaml, const char *name, struct config **config, struct error *err);
/* The same bytes once more, with what ${file:} reads now. 1: *again differs in source.connection,
 * under kafka: or in a command that gives a credential, and may be taken over by a relay that runs;
 * other keys that ${file:} feeds are taken over with it. 0: it differs in none of these, whatever
 * else has changed. -1: as config_parse(), or what would need a restart or a reload has changed. */
int config_again(const struct config *config, struct config **again, struct error *err);
/* Of what belongs to the process. 1: *again differs in admin.token, notify.url, notify.secret,
 * otlp.endpoint or otlp.headers; whatever else differs is of no account. 0: it differs in none of
 * these. -1: as config_parse(). */
int config_again_process(const struct config *config, struct config **again, struct error *err);
/* Over what stands in the files that ${file:} has read, now; one that cannot be read counts, too.
 * It finds changes and withstands no attacker. 0: one is no plain file, and not to be read again.
 */
uint64_t config_secrets_hash(const struct config *config);
void config_close(struct config *config); /* NULL is legal */

/* The relay of that name, or NULL. */
const struct config_relay *config_relay_find(const struct config *config, const char *name);
/* The relay of a file that has one. */
const struct config_relay *config_only_relay(const struct config *config);

/* Which key keeps a running process from taking `next` over without a restart, or NULL. */
const char *config_needs_restart(const struct config *running, const struct config *next);

/* What of the running one is another value in `next`, as a JSON array of {key, before, after,
 * when}: before and after as the file would say them, secrets hidden, null where there is none;
 * when: "at_once", "next_epoch", "restart". Appended. */
void config_write_changes(const struct config *running, const struct config *next, struct buf *out);

/* An error that points at a value: "file:line: text". Returns -1. */
int config_error(struct error *err, const struct config_text *at, enum reason reason,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Points into the text and the arena. path: of the key, for messages. ERROR_STOP, EXIT_USAGE,
 * "bad_from". */
int config_from_parse(const struct config_text *from, const char *path, struct arena *arena,
                      struct config_from *out, struct error *err);

/* Every key that has a value, given or by default, as a file that means the same: YAML, or one
 * object of JSON. Secrets are "(hidden)". */
void config_write_effective(const struct config *config, struct buf *out);
void config_write_effective_json(const struct config *config, struct buf *out);

/* What is generated from the table: the JSON Schema, the annotated sample file, the key section of
 * the man page (mdoc). */
void config_write_schema(struct buf *out);
void config_write_sample(struct buf *out);
void config_write_man(struct buf *out);

#endif
