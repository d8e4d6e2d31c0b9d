/* operate/living: a command that takes a relay over meets a running instance of it, and says so
 * before it does anything. Two witnesses: the admin port, which the caller has asked, and the slot,
 * which tells of an instance on another machine. */
#include "operate/command.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* True where the slot is held by an instance of this relay; *text says by which session. */
static int find_holder(const struct command_options *o, char *text, size_t size, bool *found,
                       struct error *err)
{
    struct pg_connection *sql = NULL;
    struct pg_slot slot;
    char application[64];
    snprintf(application, sizeof application, "walferry:%s", o->config->relay.text);
    *found = false;
    if (command_open_sql(o, NULL, &sql, err) < 0)
        return -1;
    int result = pg_slot_state(sql, o->config->source.slot.text, &slot, err);
    pg_close(sql);
    if (result < 0)
        return -1;
    *found = slot.state == SLOT_PRESENT && slot.active &&
             strcmp(slot.active_application, application) == 0;
    if (*found)
        snprintf(text, size, "it holds slot %s by process %" PRId32 " of PostgreSQL",
                 o->config->source.slot.text, slot.active_pid);
    return 0;
}

int relay_meet_living(const struct command_options *o, const char *seen, bool take_over,
                      struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    char holder[160];
    bool found = seen != NULL;
    if (!found && find_holder(o, holder, sizeof holder, &found, err) < 0) {
        if (err->kind != ERROR_RETRY)
            return -1;
        *err = ERROR_INIT; /* no instance streams from a server that is away */
    }
    if (!found)
        return 0;
    const char *where = seen != NULL ? seen : holder;
    if (take_over) {
        command_say(o->out, "a running instance of relay %s (%s) will end with exit code 4",
                    o->config->relay.text, where);
        return 0;
    }
    error_stop(err, REASON_RELAY_RUNNING, "an instance of relay %s is running: %s",
               o->config->relay.text, where);
    return error_hint(err, "stop it first, or let it end with exit code 4");
}
