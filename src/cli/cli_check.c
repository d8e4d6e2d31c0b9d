/* cli/cli_check: the command check. What is checked, and in which order, is operate/'s; exit code 6
 * says that a server was away, so that a pipeline can tell "no" from "not now". */
#include "cli/cli_answer.h"

int command_check(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    if (answer_begin(&answer, args, true, &err) == 0)
        (void)relay_check(&answer.options, args_has(args, OPTION_CONNECT), &err);
    return answer_end(&answer, EXIT_OK, EXIT_GAVE_UP, &err);
}
