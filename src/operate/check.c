/* operate/check: the configuration alone, or against the servers: the checks of recover/checks.def
 * for a person. It takes nothing over and creates nothing. */
#include "operate/command.h"

#include <assert.h>
#include <stdlib.h>

int relay_check(const struct command_options *o, bool connect, struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    struct checks *checks = malloc(sizeof *checks);
    if (checks == NULL)
        abort();
    const struct checks_options options = {.asker = connect ? CHECK_CONNECT : CHECK_ALONE};
    int result = relay_run_checks(o, &options, checks, err);
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        const struct check_result *check = &checks->results[id];
        if (check->state != CHECK_FAILED && check->said[0] != '\0')
            command_say(o->out, "%s", check->said);
        /* The file is good, so whatever is wrong with the servers is the answer to the question. */
        if (check->state == CHECK_FAILED && check_table[id].asker != CHECK_ALONE &&
            err->kind == ERROR_STOP)
            err->exit_code = EXIT_NO;
    }
    free(checks);
    return result;
}
