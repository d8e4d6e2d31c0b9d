/* cli/cli_options: every option that a command may take, with the words of its help. Which command
 * takes which stands in cli_table.c. */
#include "cli/cli_command.h"

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
    [OPTION_PUBLISHER] =
        {"publisher", 0, "NAME",
         "kafka, or stdout: print the events of what is committed from now on instead of "
         "publishing "
         "them, until SIGINT or SIGTERM. It reads by itself, beside the relay if that runs, and "
         "records and confirms nothing."},
    [OPTION_CONNECT] = {"connect", 0, NULL,
                        "Ask the database and the brokers, too: publication against routes, "
                        "coordinator, topics, progress against slot. Takes nothing over."},
    [OPTION_SAMPLE] =
        {"sample", 0, "FILE",
         "Ask nobody: print what the routes make of the changes in this file of JSON, "
         "an array of {op, schema, table, types, before, after}; - is the standard "
         "input."},
    [OPTION_OUTPUT] = {"output", 'o', "FORM",
                       "short: only what warns or fails; json: the same as --json."},
    [OPTION_PROBE] =
        {"probe", 0, NULL,
         "Send something through slot, relay and Kafka, too, and tell how long it took. "
         "It is a command where walferry.send may be called (see --admin-connection), "
         "else a logical message; no event comes of it. The relay must be running."},
    [OPTION_STRICT] = {"strict", 0, NULL, "Exit with 1 where something warns, too."},
    [OPTION_ADMIN_CONNECTION] = {"admin-connection", 0, "CONNINFO",
                                 "Create or drop the publication, or send commands, over this "
                                 "connection, where the relay's own role may not."},
    [OPTION_PRINT_SQL] = {"print-sql", 0, NULL,
                          "Print the SQL for the database's administrator (role, grants, "
                          "publication; never the slot) and change nothing."},
    [OPTION_PROGRESS_VERSION] =
        {"progress-version", 0, "N",
         "Nothing of that: write the progress record as an older walferry reads it, to go back to "
         "that one. It says what stands in the way where something would be lost. 1 is that of "
         "walferry 0.1.0."},
    [OPTION_SWITCH_TO] =
        {"switch-to", 0, "poll|wal",
         "Move the relay to this source.mode, which the file says already, without a gap or a "
         "repeat: what was committed before the cut is published the former way, the rest the new "
         "one. The slot of the former mode is dropped. May be repeated after an interruption."},
    [OPTION_FROM_DEBEZIUM] =
        {"from-debezium", 0, "FILE|lsn:X",
         "Begin where a Debezium connector has stopped, on its slot (source.slot), without a gap. "
         "FILE: what Kafka Connect's GET /connectors/NAME/offsets answers, lines of its topic of "
         "offsets (key and value), or the file of offsets of a standalone worker or of Debezium "
         "Server; lsn:X: its lsn_commit. The publications must be older than what the slot holds."},
    [OPTION_READY] = {"ready", 0, NULL,
                      "Ask the admin port of the running relay only, as a probe does."},
    [OPTION_TO] = {"to", 0, "TARGET",
                   "Where to go on. slot: where the slot stands. new-slot: drop it, make a new one "
                   "and begin there. lsn:X: at the LSN X, which the slot must still hold. guard: "
                   "from the position as it is, although what is published has changed. Under "
                   "source.mode: poll: beginning: with all that the tables hold; now: with what is "
                   "committed from now on."},
    [OPTION_UPGRADED] =
        {"upgraded", 0, "FILE",
         "The server is the one of progress after pg_upgrade. FILE is what pg_controldata said of "
         "the old one after its shutdown and before pg_upgrade (LC_ALL=C). It is proved that "
         "nothing is lost or repeated: progress stands behind its end, the server counts on from "
         "there, and for a new slot no table of the database was written to since. Else it "
         "refuses."},
    [OPTION_ACCEPT_LOSS] = {"accept-loss", 0, NULL, "Events may be lost by this."},
    [OPTION_ACCEPT_REPEAT] = {"accept-repeat", 0, NULL, "Events may be published twice by this."},
    [OPTION_ROUTE] = {"route", 0, "NAME", "Only what this route makes of changes."},
    [OPTION_KEY] = {"key", 0, "KEY", "Only those of this key, the whole of it."},
    [OPTION_ID] = {"id", 0, "WALFERRY-ID", "Only those of this change."},
    [OPTION_ALL] = {"all", 0, NULL, "All of them."},
    [OPTION_TAKE_OVER] = {"take-over", 0, NULL,
                          "Go on where an instance of the relay is running; it then ends with exit "
                          "code 4."},
    [OPTION_DRY_RUN] = {"dry-run", 0, NULL, "Say what would change, and change nothing."},
    [OPTION_YES] = {"yes", 'y', NULL, "Do not ask."},
    [OPTION_ONCE] = {"once", 0, NULL, "Print it once and end, as where the output is no terminal."},
    [OPTION_PARTIAL] =
        {"partial", 0, NULL,
         "Exit with 0 although some of what the connector does is not supported; the "
         "remarks say what."},
};
