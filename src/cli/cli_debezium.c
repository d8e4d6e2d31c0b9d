/* cli/cli_debezium: what comes from Debezium: its connector's configuration (config
 * migrate-from-debezium) and where it has stopped (setup --from-debezium). */
#include "cli/cli_answer.h"

#include "migrate/migrate.h"
#include "model/position.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_file(const char *path, const char *hint, struct buf *out, struct error *err)
{
    if (answer_read(path, MIGRATE_FILE_BYTES_MAX, out) == 0)
        return 0;
    error_stop(err, REASON_CONFIG_FILE, "%s: %s", path,
               errno == EFBIG ? "larger than any connector's configuration" : strerror(errno));
    return error_hint(err, "%s", hint);
}

/* What `walferry check` says of the result. A secret may not be here yet. */
static int check_result(struct answer *answer, const struct buf *yaml, struct error *err)
{
    struct buf said = BUF_EMPTY;
    int result = config_parse(buf_span(yaml), "the result", &answer->config, err);
    if (result == 0) {
        answer->options.config = config_only_relay(answer->config);
        answer->options.out = &said;
        result = relay_check(&answer->options, false, err);
    } else if (err->reason == REASON_CONFIG_EXPANSION) {
        *err = ERROR_INIT;
        result = 0;
    }
    buf_fini(&said);
    if (result < 0)
        err->exit_code = EXIT_NO;
    return result;
}

int answer_migrate(struct answer *answer, struct error *err)
{
    struct buf text = BUF_EMPTY;
    struct migrated made = {.yaml = BUF_EMPTY};
    const char *name = answer->args->file;
    int result = read_file(
        name, "give the connector's JSON, or Debezium Server's application.properties", &text, err);
    if (result == 0)
        result = migrate_debezium(buf_span(&text), name, &made, err);
    if (result == 0) {
        buf_add(&answer->out, buf_span(&made.yaml));
        result = check_result(answer, &made.yaml, err);
    }
    if (result == 0 && made.lost > 0 && !args_has(answer->args, OPTION_PARTIAL)) {
        result = error_stop(err, REASON_CONFIG_VALUE,
                            "%u of what the connector does is not supported: see the remarks",
                            made.lost);
        err->exit_code = EXIT_NO;
        error_hint(err, "look at each of them; --partial says that they may be missing");
    }
    buf_fini(&text);
    buf_fini(&made.yaml);
    return result;
}

/* The prefix that the connector's offset is found by. named: the file says it. */
static const char *prefix(const struct config_relay *relay, bool *named)
{
    *named = false;
    for (uint32_t i = 0; i < relay->routes.count; i++) {
        const struct config_route *route = &relay->routes.items[i];
        if (route->as != ROUTE_CHANGE)
            continue;
        *named = route->debezium.topic_prefix.line != 0;
        return route->debezium.topic_prefix.text;
    }
    return relay->name.text;
}

/* The only offset of a file is taken whoever it is of. */
static int check_server(struct answer *answer, const char *from, const char *server,
                        struct error *err)
{
    bool named;
    const char *wanted = prefix(answer->relay, &named);
    if (server[0] == '\0')
        return 0;
    if (named && strcmp(server, wanted) != 0) {
        error_stop(err, REASON_CONFIG_VALUE, "%s: the offset is of topic.prefix %.100s, not %.100s",
                   from, server, wanted);
        return error_hint(err, "give the offset of the connector that the routes are made from, or "
                               "mend routes[].debezium.topic_prefix");
    }
    command_say(&answer->out, "the offset is of topic.prefix %.200s", server);
    return 0;
}

int answer_from_debezium(struct answer *answer, struct error *err)
{
    const char *from = answer->args->values[OPTION_FROM_DEBEZIUM];
    struct migrate_offset offset = {.commit_lsn = 0};
    if (strncmp(from, "lsn:", 4) == 0) {
        if (!lsn_parse(span_of(from + 4), &offset.commit_lsn) || offset.commit_lsn == 0) {
            error_stop(err, REASON_USAGE, "setup: --from-debezium %.60s is no LSN", from);
            return error_hint(err, "an LSN reads like this: lsn:16/B374D848");
        }
    } else {
        struct buf text = BUF_EMPTY;
        bool named;
        const char *server = prefix(answer->relay, &named);
        int result = read_file(from, "give a file of offsets, or lsn:X", &text, err);
        if (result == 0)
            result = migrate_offset(buf_span(&text), from, server, &offset, err);
        if (result == 0)
            result = check_server(answer, from, offset.server, err);
        buf_fini(&text);
        if (result < 0)
            return -1;
    }
    return relay_from_debezium(&answer->options, offset.commit_lsn, offset.event_lsn, err);
}
