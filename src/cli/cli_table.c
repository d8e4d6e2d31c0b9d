/* cli/cli_table: every option and every command, with the words of its help. The man page's section
 * about commands is printed from this table, too. */
#include "cli/cli_command.h"

#include <string.h>

const struct option_info option_table[OPTION_COUNT] = {
    [OPTION_CONFIG] = {"config", 'c', "FILE",
                       "The configuration file. Default: $WALFERRY_CONFIG, then "
                       "/etc/walferry/walferry.yaml."},
    [OPTION_JSON] = {"json", 0, NULL, "Print one JSON object instead of lines for a person."},
    [OPTION_HELP] = {"help", 'h', NULL, "Print this help and exit."},
    [OPTION_SETUP] = {"setup", 0, NULL,
                      "Do first what setup does. Meant for sidecars, which have no other moment."},
    [OPTION_UNTIL_CAUGHT_UP] =
        {"until-caught-up", 0, NULL,
         "End with 0 as soon as everything is published that was in the "
         "write-ahead log at the start; with 6 once a server has been away for a "
         "minute, or for retry.give_up_ms where that is set."},
    [OPTION_HOLD_ON_REFUSAL] = {"hold-on-refusal", 0, NULL,
                                "Stay, unready, where it would exit with 2, 3, 4 or 5, for "
                                "supervisors that cannot tell exit codes apart. It starts by "
                                "itself once what it finds is mended, and at SIGHUP."},
    [OPTION_CONNECT] = {"connect", 0, NULL,
                        "Ask the database and the brokers, too: publication against routes, "
                        "coordinator, topics, progress against slot. Takes nothing over."},
    [OPTION_ADMIN_CONNECTION] = {"admin-connection", 0, "CONNINFO",
                                 "Create or drop the publication over this connection, where the "
                                 "relay's own role may not."},
    [OPTION_PRINT_SQL] = {"print-sql", 0, NULL,
                          "Print the SQL for the database's administrator (role, grants, "
                          "publication; never the slot) and change nothing."},
    [OPTION_READY] = {"ready", 0, NULL,
                      "Ask the admin port of the running relay only, as a probe does."},
    [OPTION_TO] = {"to", 0, "TARGET",
                   "Where to go on. slot: where the slot stands. new-slot: drop it, make a new one "
                   "and begin there. lsn:X: at the LSN X, which the slot must still hold."},
    [OPTION_ACCEPT_LOSS] = {"accept-loss", 0, NULL, "Events may be lost by this."},
    [OPTION_ACCEPT_REPEAT] = {"accept-repeat", 0, NULL, "Events may be published twice by this."},
    [OPTION_TAKE_OVER] = {"take-over", 0, NULL,
                          "Go on where an instance of the relay is running; it then ends with exit "
                          "code 4."},
    [OPTION_YES] = {"yes", 'y', NULL, "Do not ask."},
};

const struct command command_table[] = {
    {.name = "run",
     .summary = "carry events from PostgreSQL to Kafka, in the foreground",
     .text = "The daemon. It goes on from the recorded progress and creates nothing unless --setup "
             "is given. It logs to stderr.\n\n"
             "SIGTERM and SIGINT end it in order within 10 seconds: what ends on a COMMIT is "
             "committed to Kafka and confirmed to PostgreSQL, the rest is aborted and comes again "
             "at the next start. SIGHUP makes it read the configuration file again; a bad file, or "
             "a change that needs a restart, is refused with the reason, and the old one stays.",
     .options = {5,
                 {OPTION_CONFIG, OPTION_SETUP, OPTION_UNTIL_CAUGHT_UP, OPTION_HOLD_ON_REFUSAL,
                  OPTION_HELP}},
     .examples = {{"walferry run -c /etc/walferry/orders.yaml", "as a service runs it"},
                  {"walferry run --setup", "as a sidecar, on a first start, too"},
                  {"walferry run --hold-on-refusal", "in a container"},
                  {"walferry run --until-caught-up", "once, from a timer or before a migration"}},
     .run = command_run},
    {.name = "check",
     .summary = "is the configuration right; with --connect, is everything else",
     .text = "Finds errors in the file, in templates and in librdkafka properties, and names the "
             "line. With --connect it asks the servers as well. It never takes a relay over and "
             "creates nothing, so it is safe beside a running one.",
     .options = {4, {OPTION_CONFIG, OPTION_CONNECT, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry check -c orders.yaml", "before a commit or a reload"},
                  {"walferry check --connect", "before a deployment"}},
     .run = command_check},
    {.name = "setup",
     .summary = "create publication, slot, progress topic and topics",
     .text = "Prepares the first run, and may be repeated: what exists is left alone, what is "
             "missing is added. Beside a running relay it fences nobody. Globs in routes are "
             "expanded to the tables that exist now.\n\n"
             "A new slot becomes consistent only when every transaction that is writing at that "
             "moment has ended, in any database of the server; setup says for whom it waits.",
     .options = {5,
                 {OPTION_CONFIG, OPTION_ADMIN_CONNECTION, OPTION_PRINT_SQL, OPTION_JSON,
                  OPTION_HELP}},
     .examples = {{"walferry setup", "with a role that may create publications"},
                  {"walferry setup --print-sql", "what to hand to the administrator instead"},
                  {"walferry setup --admin-connection \"service=admin\"",
                   "with the publication made by another role"}},
     .run = command_setup},
    {.name = "status",
     .summary = "where slot and progress stand, and whether the relay is ready",
     .text =
         "Reads the slot from PostgreSQL and the progress from Kafka, and adds what the running "
         "relay says of itself where its admin port answers. Exits with 0 if the relay is "
         "ready, with 1 if not.",
     .options = {4, {OPTION_CONFIG, OPTION_READY, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry status", "look at a relay from outside"},
                  {"walferry status --json", "the same for a script"},
                  {"walferry status --ready", "the health check of a container"}},
     .run = command_status},
    {.name = "rebase",
     .summary = "set a new position after a refusal (exit code 3)",
     .text =
         "The mend where going on would lose or repeat data, and a person must say which is "
         "meant. It shows what would be lost or repeated, asks, and writes a progress record "
         "that says what was done. Beside a running instance of the relay it wants --take-over.",
     .options = {8,
                 {OPTION_TO, OPTION_ACCEPT_LOSS, OPTION_ACCEPT_REPEAT, OPTION_TAKE_OVER, OPTION_YES,
                  OPTION_CONFIG, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry rebase --to slot --accept-repeat",
                   "go on where the slot stands, perhaps publishing some events again"},
                  {"walferry rebase --to new-slot --accept-loss --yes",
                   "the slot is lost: begin anew, from a script"},
                  {"walferry rebase --to lsn:16/B374D848 --accept-repeat",
                   "publish again from a known place on"}},
     .run = command_rebase},
    {.name = "skip",
     .operand = "WALFERRY-ID",
     .summary = "pass over one change that cannot be published (exit code 5)",
     .text = "The mend where a route has on_error: stop and one change cannot be published. The "
             "relay's last words name the id. The wish is recorded in progress, heeded once and "
             "then forgotten. Beside a running instance of the relay it wants --take-over.",
     .options = {4, {OPTION_TAKE_OVER, OPTION_CONFIG, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry skip 7301952118441345026-00000000019A3F20-3",
                   "pass over the third change of that transaction"}},
     .run = command_skip},
    {.name = "teardown",
     .summary = "drop slot and publication and close the progress",
     .text = "The end of a relay: drops the slot and the publication, and marks the progress "
             "closed. Topics with events stay. A setup after it is a first run. Beside a running "
             "instance of the relay it wants --take-over. It may be repeated.",
     .options = {6,
                 {OPTION_ADMIN_CONNECTION, OPTION_TAKE_OVER, OPTION_YES, OPTION_CONFIG, OPTION_JSON,
                  OPTION_HELP}},
     .examples = {{"walferry teardown", "says what it would do, and asks"},
                  {"walferry teardown --yes", "does it"},
                  {"walferry teardown --admin-connection postgresql://owner@db/shop",
                   "where the publication belongs to another role"}},
     .run = command_teardown},
    {.name = "version",
     .summary = "versions of walferry, libpq and librdkafka",
     .text = "Prints the versions in use, and which known defects of librdkafka this one has.",
     .options = {2, {OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry version", "what to put into a bug report"}},
     .run = command_version},
    {.name = "help",
     .operand = "[COMMAND]",
     .summary = "this overview, or the help of one command",
     .text = "The same as COMMAND --help.",
     .options = {1, {OPTION_HELP}},
     .examples = {{"walferry help rebase", "what rebase does"}},
     .run = command_help},
    {.name = NULL}};

const struct command *command_find(const char *name)
{
    for (const struct command *c = command_table; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}
