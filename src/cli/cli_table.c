/* cli/cli_table: every command, with the words of its help. The man page's section about commands
 * is printed from this table, too. Only cli.c reads it; whoever else needs it is handed it. */
#include "cli/cli_command.h"

const struct command command_table[] = {
    {.name = "run",
     .summary = "carry events from PostgreSQL to Kafka, in the foreground",
     .text = "The daemon. It goes on from the recorded progress and creates nothing unless --setup "
             "is given. It logs to stderr.\n\n"
             "SIGTERM and SIGINT end it in order within 10 seconds: what ends on a COMMIT is "
             "committed to Kafka and confirmed to PostgreSQL, the rest is aborted and comes again "
             "at the next start. SIGHUP makes it read the configuration file again; a bad file, or "
             "a change that needs a restart, is refused with the reason, and the old one stays.",
     .options = {6,
                 {OPTION_CONFIG, OPTION_SETUP, OPTION_UNTIL_CAUGHT_UP, OPTION_HOLD_ON_REFUSAL,
                  OPTION_PUBLISHER, OPTION_HELP}},
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
     .options = {5, {OPTION_CONFIG, OPTION_CONNECT, OPTION_SAMPLE, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry check -c orders.yaml", "before a commit or a reload"},
                  {"walferry check --connect", "before a deployment"},
                  {"walferry check --sample changes.json", "what becomes of these changes"}},
     .run = command_check},
    {.name = "doctor",
     .summary = "look at everything that has bitten users, and say what mends it",
     .text = "Looks at the file, the source server and its settings, rights, publication and "
             "tables, slot, broker, topics, clocks, files and libraries, beside a running relay or "
             "before the first one: a line for each check (pass, warn, fail), the reason and the "
             "exact statement or command that mends it below, and where docs/DOCTOR.md explains "
             "it. What cannot be asked because something before it has failed is not looked at. It "
             "takes nothing over and changes nothing.\n\n"
             "Exits with 0 where nothing fails, with 1 where something does (with --strict also "
             "where something warns), with 6 where all that failed is that a server was away.",
     .options = {7,
                 {OPTION_OUTPUT, OPTION_PROBE, OPTION_STRICT, OPTION_ADMIN_CONNECTION,
                  OPTION_CONFIG, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry doctor -c orders.yaml",
                   "before a first run, or at three in the morning"},
                  {"walferry doctor -o short", "only what is worth a look"},
                  {"walferry doctor --probe", "is it really running, and how fast"},
                  {"walferry doctor -o json --strict", "from a timer"}},
     .run = command_doctor},
    {.name = "setup",
     .summary = "create publication, slot, progress topic and topics",
     .text = "Prepares the first run, and may be repeated: what exists is left alone, what is "
             "missing is added. Beside a running relay it fences nobody. Globs in routes are "
             "expanded to the tables that exist now.\n\n"
             "A new slot becomes consistent only when every transaction that is writing at that "
             "moment has ended, in any database of the server; setup says for whom it waits.",
     .options = {10,
                 {OPTION_CONFIG, OPTION_ADMIN_CONNECTION, OPTION_PRINT_SQL, OPTION_PROGRESS_VERSION,
                  OPTION_SWITCH_TO, OPTION_FROM_DEBEZIUM, OPTION_TAKE_OVER, OPTION_YES, OPTION_JSON,
                  OPTION_HELP}},
     .examples = {{"walferry setup", "with a role that may create publications"},
                  {"walferry setup --print-sql", "what to hand to the administrator instead"},
                  {"walferry setup --admin-connection \"service=admin\"",
                   "with the publication made by another role"},
                  {"walferry setup --progress-version 1", "before going back to walferry 0.1.0"},
                  {"walferry setup --switch-to poll --yes",
                   "source.mode: wal has become poll in the file"},
                  {"walferry setup --from-debezium offsets.json",
                   "a Debezium connector was stopped, and this relay is to go on"}},
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
    {.name = "top",
     .summary = "the running relay, live in a terminal",
     .text =
         "Shows what the relay says of itself at its admin port, anew each second: whether it is "
         "ready and why not, rates and lag now and over the last minutes, slot, epochs, routes "
         "with their counters, recent errors. It asks no server. q ends it. While nobody "
         "answers it keeps what it has and goes on asking. It needs 80 columns and 24 lines; more "
         "lines have room for more routes and errors. No colours with NO_COLOR.\n\n"
         "Where the output is no terminal, or one that cannot move its cursor (TERM=dumb), or with "
         "--once, it prints one picture and exits with 0, or with 1 where nobody answers.",
     .options = {3, {OPTION_ONCE, OPTION_CONFIG, OPTION_HELP}},
     .examples = {{"walferry top -c orders.yaml", "watch a relay"},
                  {"walferry top --once", "one picture, for a report"}},
     .run = command_top},
    {.name = "rebase",
     .summary = "set a new position after a refusal (exit code 3)",
     .text =
         "The mend where going on would lose or repeat data, and a person must say which is "
         "meant. It shows what would be lost or repeated, asks, and writes a progress record "
         "that says what was done. Beside a running instance of the relay it wants --take-over.",
     .options = {9,
                 {OPTION_TO, OPTION_UPGRADED, OPTION_ACCEPT_LOSS, OPTION_ACCEPT_REPEAT,
                  OPTION_TAKE_OVER, OPTION_YES, OPTION_CONFIG, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry rebase --to slot --accept-repeat",
                   "go on where the slot stands, perhaps publishing some events again"},
                  {"walferry rebase --to new-slot --accept-loss --yes",
                   "the slot is lost: begin anew, from a script"},
                  {"walferry rebase --to lsn:16/B374D848 --accept-repeat",
                   "publish again from a known place on"},
                  {"walferry rebase --to new-slot --upgraded old.txt",
                   "after pg_upgrade; all was published before"}},
     .run = command_rebase},
    {.name = "skip",
     .operand = "WALFERRY-ID",
     .summary = "pass over one change that cannot be published (exit code 5)",
     .text = "The mend where a route has on_error: stop and one change cannot be published. The "
             "relay's last words name the id, and the route where there are several: without "
             "--route, what all routes make of the change is passed over. The wish is recorded in "
             "progress, heeded once and then forgotten. Beside a running instance of the relay it "
             "wants --take-over.",
     .options = {5, {OPTION_ROUTE, OPTION_TAKE_OVER, OPTION_CONFIG, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry skip 7301952118441345026-00000000019A3F20-3",
                   "pass over the third change of that transaction"},
                  {"walferry skip 7301952118441345026-00000000019A3F20-3 --route audit",
                   "only for the route audit; other routes publish it"}},
     .run = command_skip},
    {.name = "dead-letter",
     .operand = "list|show|retry|drop",
     .summary = "what lies in the dead-letter topic, and what becomes of it",
     .text =
         "A route with on_error: dead_letter puts there what it cannot publish. list prints a "
         "line for each: the walferry-id of the change, route, table, key, and what is wrong; "
         "show adds where it lies and the change itself. Without --key, --id or --route, all of "
         "them. It reads up to what is committed now, in the order of each partition, takes "
         "nothing over and changes nothing. show exits with 1 where there is none. retry and drop "
         "want one of --key, --id and --all, and send the relay a command by walferry.send "
         "(sql/005_command.sql), which it carries out at that place of the log, once: retry sends "
         "the letters again through today's routes, in their order, drop leaves them be; both let "
         "go of keys that are held, once none of their letters is left. They wait for a minute for "
         "each answer (6: none came, and the command is carried out when it is met) and exit with "
         "1 where letters are left, or there were none.",
     .options = {8,
                 {OPTION_KEY, OPTION_ID, OPTION_ALL, OPTION_ROUTE, OPTION_ADMIN_CONNECTION,
                  OPTION_CONFIG, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry dead-letter list", "what could not be published, and why"},
                  {"walferry dead-letter show --key 4711", "all of an aggregate"},
                  {"walferry dead-letter retry --key 4711", "send them again, the cause is mended"},
                  {"walferry dead-letter show --json --id 7301952118441345026-00000000019A3F20-3",
                   "one change, for a script"}},
     .run = command_dead_letter},
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
    {.name = "reload",
     .summary = "have the running relay take a changed file over",
     .text =
         "Checks the file, has the relay say what it changes and when each change counts (at once, "
         "with the next epoch, not without a restart), asks, and waits until an epoch is open with "
         "it, or it was refused and the file before is in force as it was. What was shown is what "
         "is taken over: a file that changes meanwhile is refused.\n\n"
         "It speaks to the admin port (admin.listen), from the machine, or the container, that the "
         "relay runs in, and the relay reads the file that it was started with. Where the port is "
         "off, SIGHUP does the same without showing it.\n\n"
         "Exits with 0 where an epoch is open with the file (under --dry-run: where it would be "
         "taken), with 1 where the relay could not open one and goes on as before, with 2 where "
         "the "
         "file is wrong or wants a restart, with 6 where nobody answers, or servers are away so "
         "that no epoch has been opened within a minute.",
     .options = {5, {OPTION_DRY_RUN, OPTION_YES, OPTION_CONFIG, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry reload --dry-run", "what would change"},
                  {"walferry reload", "shows it, asks, takes it over"},
                  {"walferry reload --yes", "in the container of the relay (docker compose exec)"},
                  {"walferry reload --yes --json", "from a script"}},
     .run = command_reload},
    {.name = "config",
     .operand = "show|migrate-from-debezium",
     .file = "[FILE]",
     .summary = "what is in force of a file; a file from Debezium's",
     .text =
         "show prints every key that has a value, given or by default. What stands in the file as "
         "${env:} or ${file:} is shown as that, and other secrets as (hidden). What does not go "
         "with a route's kind or with source.mode is left out, so that the text is a file that "
         "means the same once its secrets are put back. It asks no server.\n\n"
         "migrate-from-debezium FILE reads a connector of Debezium for PostgreSQL (the JSON of "
         "Kafka "
         "Connect, with name and config or the config alone; or the application.properties of "
         "Debezium Server; - is the standard input) and prints a walferry.yaml, with a remark for "
         "each property: taken over, the same by default, without a meaning here, to look at, or "
         "not "
         "supported. It asks no server and writes no file. Secrets stay as they are written. It "
         "exits "
         "with 1 where something is not supported, so that the relay would do otherwise than the "
         "connector (--partial: with 0), and where check does not take the result.",
     .options = {4, {OPTION_CONFIG, OPTION_PARTIAL, OPTION_JSON, OPTION_HELP}},
     .examples = {{"walferry config show", "what does this relay really run with"},
                  {"walferry config show --json -c new.yaml",
                   "the same of another file, for a script"},
                  {"walferry config migrate-from-debezium orders.json",
                   "before Debezium is replaced"}},
     .run = command_config},
    {.name = "version",
     .summary = "versions of walferry, libpq and librdkafka",
     .text = "Prints the versions in use, where librdkafka comes from (pinned, static: built with "
             "walferry; system), and which known defects this one has.",
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
