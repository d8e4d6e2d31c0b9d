/* cli/cli_reread: what SIGHUP and POST /reload set off. The file is read here and nowhere else: who
 * asks may say by a hash which one is meant, and never hands one over. Whether an epoch can be
 * opened with it is seen by the relay, which goes back where that cannot be; what does not wait for
 * one is taken over by cli_follow. */
#include "cli/cli_reread.h"

#include "operate/operate.h"

#include <assert.h>
#include <string.h>

int reread_check(const struct log *log, const struct config_relay *config, struct error *err)
{
    struct buf ignored = BUF_EMPTY;
    const struct command_options options = {.config = config, .log = log, .out = &ignored};
    int result = relay_check(&options, false, err);
    buf_fini(&ignored);
    return result;
}

static int check_meant(const struct reload *wish, const struct config *next, struct error *err)
{
    if (wish->hash[0] == '\0' || strcmp(wish->hash, next->file_hash) == 0)
        return 0;
    error_stop(err, REASON_FILE_CHANGED,
               "%s, which the relay reads, is not what walferry reload has read", next->path);
    return error_hint(err,
                      "give reload the file that the relay was started with; if it has changed "
                      "meanwhile, reload again");
}

static int check_restart(const struct reread *r, const struct config *next, struct error *err)
{
    const char *key = relay_needs_restart(r->relay, next);
    if (key == NULL)
        return 0;
    error_stop(err, REASON_NEEDS_RESTART, "%s: a change of %s needs a restart", next->path, key);
    return error_hint(err, "restart the relay, or put %s back", key);
}

/* *next: what is to be closed, also on failure. */
static int read_next(const struct reread *r, const struct reload *wish, struct config **next,
                     struct error *err)
{
    if (config_open(r->path, next, err) < 0 || check_meant(wish, *next, err) < 0)
        return -1;
    struct buf changes = BUF_EMPTY;
    relay_changes(r->relay, *next, &changes);
    reload_cell_read(r->reloads, wish->number, (*next)->path, buf_span(&changes));
    buf_fini(&changes);
    if (check_restart(r, *next, err) < 0)
        return -1;
    return reread_check(r->log, config_only_relay(*next), err);
}

void reread_file(const struct reread *r, const struct reload *wish)
{
    assert(r->relay != NULL && wish->state == RELOAD_ASKED);
    struct config *next = NULL;
    struct error err = ERROR_INIT;
    if (read_next(r, wish, &next, &err) < 0 ||
        (!wish->show && admin_reload(r->admin, &next->admin, &err) < 0)) {
        if (!wish->show)
            relay_refuse(r->relay, &err);
        reload_cell_set(r->reloads, wish->number, RELOAD_REFUSED, &err);
        config_close(next);
    } else if (wish->show) {
        reload_cell_set(r->reloads, wish->number, RELOAD_SHOWN, NULL);
        config_close(next);
    } else {
        /* Said before the relay can have opened it. */
        reload_cell_set(r->reloads, wish->number, RELOAD_OPENING, NULL);
        relay_reload(r->relay, next, wish->number);
    }
}
