/* cli/cli_setup: the command setup. Its steps are recover/'s, because `run --setup` takes them,
 * too; it asks nobody, because a second setup changes nothing. */
#include "cli/cli_answer.h"

static int refuse_both(const struct args *args, struct error *err)
{
    if (!args_has(args, OPTION_PRINT_SQL) || !args_has(args, OPTION_ADMIN_CONNECTION))
        return 0;
    error_stop(err, REASON_USAGE, "setup: --print-sql changes nothing");
    return error_hint(err, "leave out --admin-connection");
}

int command_setup(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    if (answer_begin(&answer, args, true, &err) == 0 && refuse_both(args, &err) == 0) {
        if (args_has(args, OPTION_PRINT_SQL))
            (void)relay_print_sql(&answer.options, &err);
        else
            (void)relay_setup(&answer.options, args->values[OPTION_ADMIN_CONNECTION], &err);
    }
    return answer_end(&answer, EXIT_OK, EXIT_GAVE_UP, &err);
}
