/* cli/cli_skip: the command skip. It neither looks at the change nor asks: whoever names one has
 * seen it in the error that ended the relay. */
#include "cli/cli_answer.h"

int command_skip(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    if (answer_begin(&answer, args, true, &err) == 0 && answer_meet_living(&answer, &err) == 0)
        (void)relay_skip(&answer.options, args->operand, args->values[OPTION_ROUTE], &err);
    return answer_end(&answer, EXIT_OK, EXIT_GAVE_UP, &err);
}
