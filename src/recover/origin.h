/* recover/origin: where a relay's changes come from, as far as its beginning and its commands need
 * to know: looked at, judged, prepared, started. One implementation each way of getting changes;
 * nobody else knows which: callers speak of its name, its place, what it confirms and retains. */
#ifndef WALFERRY_RECOVER_ORIGIN_H
#define WALFERRY_RECOVER_ORIGIN_H

#include "base/buf.h"
#include "base/log.h"
#include "config/config.h"
#include "json/json_write.h"
#include "recover/fingerprint.h"
#include "recover/found.h"
#include "route/route.h"
#include "source/source.h"

#include <assert.h>
#include <stdatomic.h>

struct origin;

enum origin_question {
    ORIGIN_MAY_GO_ON, /* from found->progress */
    ORIGIN_MAY_BEGIN, /* a first run: is nothing there that is somebody's? */
    ORIGIN_IS_OURS    /* may it be begun from anew, whatever the progress says? */
};

enum origin_wish {
    ORIGIN_FIRST, /* made, or adopted from an interrupted first run (found->progress: the intent) */
    ORIGIN_ANEW,  /* replaced by a new one */
    ORIGIN_GONE   /* removed */
};

struct origin_ops {
    const char *name;        /* "wal", "poll" */
    const char *noun;        /* what a person calls one */
    const char *here;        /* `rebase --to` where it stands */
    const char *anew;        /* `rebase --to` a new one */
    enum progress_mode mode; /* of its records */
    /* Opens origin->sql, the session of all that follows. */
    int (*connect)(struct origin *o, struct error *err);
    /* Fills *system with who the server is. */
    int (*identify)(struct origin *o, struct pg_system *system, struct error *err);
    /* Fills *state. Absence is no error. */
    int (*look)(struct origin *o, struct found_origin *state, struct error *err);
    /* Answers by what was found. ERROR_STOP with the exact mend; ERROR_RETRY only for what passes
     * by itself. Changes nothing; asks the server at most for its history. */
    int (*judge)(struct origin *o, enum origin_question question, const struct found *found,
                 struct error *err);
    /* Would `start` be let in, and can the server serve it? Fills *system. */
    int (*probe)(struct origin *o, struct pg_system *system, struct error *err);
    /* Does what the routes take come this way? before_setup: but for what setup mends. */
    int (*check)(struct origin *o, const struct pg_system *system, const struct router *router,
                 bool before_setup, struct error *err);
    /* What decides which changes come, beyond the routes; what a change of it means; and what of it
     * was written anew, although nothing is different. All NULL where nothing does. */
    int (*fingerprint)(struct origin *o, const struct router *router, struct arena *arena,
                       struct fingerprint *out, struct error *err);
    int (*compare)(struct origin *o, const struct router *router, struct span before,
                   struct span now, struct fingerprint_change *change, struct error *err);
    int (*touched)(struct origin *o, const struct router *router,
                   const struct fingerprint_suspects *suspects, bool *any, struct buf *names,
                   struct error *err);
    /* Can what comes behind found->progress be read through what `start` would ask for there?
     * *missing: what the server does not find there, though it may exist by now, in the words of
     * the configuration; NULL: it can be read, or that cannot be told now (somebody holds the
     * origin, or it takes too long). The op is NULL where nothing can be missing. */
    int (*missing)(struct origin *o, const struct found *found, const char **missing,
                   struct error *err);
    /* Does as wished; idempotent. Looks again itself. *place: from where changes come now. May take
     * long: says for whom it waits, heeds the stop flag. */
    int (*prepare)(struct origin *o, enum origin_wish wish, const struct found *found,
                   uint64_t *place, struct error *err);
    /* Ends the holder's session, if it is a relay of this name under our role. */
    int (*evict)(struct origin *o, const struct found_holder *holder, bool *ended,
                 struct error *err);
    /* Changes from found->progress on. The session is the source's then, also where this fails. */
    int (*start)(struct origin *o, const struct found *found, int64_t now_us,
                 struct source **source, struct error *err);
    /* Writes its name, and once the record has a position through what it is read, into a record
     * that is about to be written. Is a record of this very one? */
    void (*sign)(const struct origin *o, struct progress *record);
    bool (*signed_by)(const struct origin *o, const struct progress *record);
    /* The lines and members of `status`; state NULL: not known. */
    void (*write_text)(const struct origin *o, const struct found_origin *state, struct buf *out);
    void (*write_json)(const struct origin *o, const struct found_origin *state,
                       struct json_writer *w);
    /* Logs what an operator must know of a change from `before` ("": first look) to *now. */
    void (*log_change)(const struct origin *o, const char *before, const struct found_origin *now);
    void (*close)(struct origin *o);
};

struct origin {
    const struct origin_ops *ops;
    const char *label;         /* its own name: "walferry_orders" */
    char name[96];             /* noun and label: as texts say it */
    struct pg_connection *sql; /* NULL before connect and after start */
    /* Set by start: something of what is routed could not be asked for from there, because it is
     * younger than the place (a publication). */
    bool reads_less;
    uint64_t more_from; /* from where on it can be; 0: not known here */
    char advice[512];   /* set by check: what goes, but would go better; empty: nothing */
};

enum origin_session {
    ORIGIN_SQL,   /* a command or the watch: never starts */
    ORIGIN_STREAM /* can start */
};

struct origin_options {
    const struct config_relay *config;
    const struct log *log;
    const atomic_bool *stop;
    enum origin_session session;
    const char *application; /* application_name of the session */
    int64_t timeout_ms;      /* as in pg_options */
    struct buf *out;         /* what prepare says to a person; may be NULL */
    uint64_t more_from;      /* all is old enough to be asked for from there on; 0: not known */
    struct source_end end;   /* of what start gives */
    struct finish_trouble *trouble; /* as in claim_options; who starts sets it */
    uint32_t patience; /* how many time-outs of its server it waits for a sign; 0 is 1 */
};

/* The one that the configuration names; asks nobody. */
struct origin *origin_open(const struct origin_options *options);

static inline int origin_connect(struct origin *o, struct error *err)
{
    assert(o->sql == NULL);
    return o->ops->connect(o, err);
}
static inline int origin_identify(struct origin *o, struct pg_system *system, struct error *err)
{
    return o->ops->identify(o, system, err);
}
static inline int origin_look(struct origin *o, struct found_origin *state, struct error *err)
{
    return o->ops->look(o, state, err);
}
static inline int origin_judge(struct origin *o, enum origin_question question,
                               const struct found *found, struct error *err)
{
    return o->ops->judge(o, question, found, err);
}
static inline int origin_check(struct origin *o, const struct pg_system *system,
                               const struct router *router, bool before_setup, struct error *err)
{
    return o->ops->check(o, system, router, before_setup, err);
}
static inline int origin_prepare(struct origin *o, enum origin_wish wish, const struct found *found,
                                 uint64_t *place, struct error *err)
{
    return o->ops->prepare(o, wish, found, place, err);
}
static inline void origin_close(struct origin *o)
{
    if (o != NULL)
        o->ops->close(o);
}

#endif
