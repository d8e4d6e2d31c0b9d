/* cli/cli_dead_letter: the command dead-letter: what lies in the dead-letter topic. */
#include "cli/cli_answer.h"

int command_dead_letter(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    struct letter_filter filter = {.key = args->values[OPTION_KEY],
                                   .id = args->values[OPTION_ID],
                                   .route = args->values[OPTION_ROUTE]};
    uint64_t found = 0;
    bool list = strcmp(args->operand, "list") == 0;
    filter.values = strcmp(args->operand, "show") == 0;
    if (answer_begin(&answer, args, true, &err) == 0) {
        if (list || filter.values) {
            (void)relay_dead_letters(&answer.options, &filter, &found, &err);
        } else {
            error_stop(&err, REASON_USAGE, "dead-letter: there is no %s", args->operand);
            error_hint(&err, "say list or show");
        }
    }
    return answer_end(&answer, filter.values && found == 0 ? EXIT_NO : EXIT_OK, EXIT_GAVE_UP, &err);
}
