/* cli/cli_show: run --publisher stdout: prints events until somebody ends it. What is read, and
 * how, is operate/'s. */
#include "cli/cli_answer.h"

#include "base/waits.h"

#include <assert.h>
#include <string.h>

static int refuse(const struct args *args, struct error *err)
{
    const char *name = args->values[OPTION_PUBLISHER];
    if (strcmp(name, "stdout") != 0) {
        error_stop(err, REASON_USAGE, "there is no publisher %.40s", name);
        return error_hint(err, "give --publisher stdout, or leave it out");
    }
    if (!args_has(args, OPTION_SETUP) && !args_has(args, OPTION_UNTIL_CAUGHT_UP) &&
        !args_has(args, OPTION_HOLD_ON_REFUSAL))
        return 0;
    error_stop(err, REASON_USAGE, "--publisher stdout only looks: no other option goes with it");
    return error_hint(err, "leave --setup, --until-caught-up and --hold-on-refusal out");
}

int command_show(const struct args *args)
{
    struct answer answer;
    struct show *show = NULL;
    struct error err = ERROR_INIT;
    assert(args_has(args, OPTION_PUBLISHER));
    int result = answer_begin(&answer, args, true, &err);
    if (result == 0)
        result = refuse(args, &err);
    if (result == 0)
        result = relay_show_open(&answer.options, &show, &err);
    waits_hold(answer.log.waits); /* nothing may happen for as long as it likes */
    while (result == 0 && !atomic_load(&answer.stop)) {
        answer_flush(&answer);
        result = relay_show_step(show, &err);
    }
    relay_show_close(show);
    if (atomic_load(&answer.stop))
        err = ERROR_INIT; /* it was asked to end, whatever that did to a wait */
    return answer_end(&answer, EXIT_OK, EXIT_GAVE_UP, &err);
}
