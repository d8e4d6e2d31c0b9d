/* cli/cli_dead_letter: the command dead-letter: what lies in the dead-letter topic, and what is to
 * become of it. */
#include "cli/cli_answer.h"

#include <stdio.h>

static bool print_part(void *of)
{
    struct answer *answer = of;
    answer_print_part(answer);
    answer->printed = true;
    return ferror(stdout) == 0;
}

static int read_them(struct answer *answer, const struct letter_filter *filter, struct error *err)
{
    uint64_t found = 0;
    const struct args *args = answer->args;
    if (args_has(args, OPTION_ALL) || args_has(args, OPTION_ADMIN_CONNECTION)) {
        error_stop(err, REASON_USAGE, "dead-letter %s changes nothing", args->operand);
        error_hint(err, "leave out --all and --admin-connection");
        return EXIT_OK;
    }
    const struct answer_printer printer = {print_part, answer};
    int result = relay_dead_letters(&answer->options, filter, &printer, &found, err);
    return result == 1 || (filter->values && found == 0) ? EXIT_NO : EXIT_OK;
}

static int order(struct answer *answer, const struct letter_filter *filter, struct error *err)
{
    const struct args *args = answer->args;
    struct letter_tally tally = {.sent = 0};
    struct letter_order order = {.which = *filter,
                                 .drop = strcmp(args->operand, "drop") == 0,
                                 .all = args_has(args, OPTION_ALL),
                                 .connection = args->values[OPTION_ADMIN_CONNECTION]};
    int given = (filter->key != NULL) + (filter->id != NULL) + (order.all ? 1 : 0);
    if (given != 1) {
        error_stop(err, REASON_USAGE, "dead-letter %s wants one of --key, --id and --all",
                   args->operand);
        error_hint(err, "walferry dead-letter list shows them");
        return EXIT_OK;
    }
    (void)relay_order_letters(&answer->options, &order, &tally, err);
    bool some = tally.sent + tally.dropped + tally.keys > 0;
    return tally.failed || tally.left > 0 || !some ? EXIT_NO : EXIT_OK;
}

int command_dead_letter(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    int code = EXIT_OK;
    struct letter_filter filter = {.key = args->values[OPTION_KEY],
                                   .id = args->values[OPTION_ID],
                                   .route = args->values[OPTION_ROUTE],
                                   .values = strcmp(args->operand, "show") == 0};
    bool reads = filter.values || strcmp(args->operand, "list") == 0;
    bool orders = strcmp(args->operand, "retry") == 0 || strcmp(args->operand, "drop") == 0;
    if (answer_begin(&answer, args, true, &err) == 0) {
        if (reads) {
            code = read_them(&answer, &filter, &err);
        } else if (orders) {
            code = order(&answer, &filter, &err);
        } else {
            error_stop(&err, REASON_USAGE, "dead-letter: there is no %s", args->operand);
            error_hint(&err, "say list, show, retry or drop");
        }
    }
    return answer_end(&answer, code, EXIT_GAVE_UP, &err);
}
