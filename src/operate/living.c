/* operate/living: a command that takes a relay over meets a running instance of it, and says so
 * before it does anything. Two witnesses: the admin port, which the caller has asked, and the
 * origin, which tells of an instance on another machine. */
#include "operate/command.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* True where the origin is held by an instance of this relay; *text says by which session. */
static int find_holder(const struct command_options *o, char *text, size_t size, bool *found,
                       struct error *err)
{
    struct command_ends ends;
    struct found_origin origin;
    *found = false;
    command_ends_open(o, &ends);
    int result = origin_connect(ends.r.origin, err);
    if (result == 0)
        result = origin_look(ends.r.origin, &origin, err);
    if (result == 0 && origin.holder.ours) {
        *found = true;
        snprintf(text, size, "it holds %s by process %" PRId32 " of PostgreSQL",
                 ends.r.origin->name, origin.holder.pid);
    }
    command_ends_close(&ends);
    return result;
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
                    o->config->name.text, where);
        return 0;
    }
    error_stop(err, REASON_RELAY_RUNNING, "an instance of relay %s is running: %s",
               o->config->name.text, where);
    return error_hint(err, "stop it first, or let it end with exit code 4");
}
