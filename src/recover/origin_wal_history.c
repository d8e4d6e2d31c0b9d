/* recover/origin_wal_history: where a timeline ended, from the server's history file.
 *
 * TIMELINE_HISTORY (PostgreSQL documentation, 55.4) answers with lines
 * "<timeline>\t<lsn>\t<reason>": the timeline and the LSN at which the server left it. It is a
 * command of replication sessions. */
#include "recover/origin_wal_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool parse_line(struct span line, uint32_t *timeline, uint64_t *lsn)
{
    uint64_t number = 0;
    size_t i = 0;
    while (i < line.len && line.ptr[i] >= '0' && line.ptr[i] <= '9' && number < UINT32_MAX)
        number = number * 10 + (uint64_t)(line.ptr[i++] - '0');
    if (i == 0 || i >= line.len || line.ptr[i] != '\t')
        return false;
    size_t start = ++i;
    while (i < line.len && line.ptr[i] != '\t')
        i++;
    *timeline = (uint32_t)number;
    return lsn_parse((struct span){line.ptr + start, i - start}, lsn);
}

int wal_timeline_end(struct pg_connection *sql, uint32_t present, uint32_t timeline, uint64_t *lsn,
                     struct error *err)
{
    *lsn = 0;
    if (timeline >= present)
        return 0;
    char command[48];
    snprintf(command, sizeof command, "TIMELINE_HISTORY %" PRIu32, present);
    struct pg_result *result = NULL;
    if (pg_query(sql, command, 0, NULL, &result, err) < 0)
        return error_wrap(err, "reading the history of timeline %" PRIu32, present);
    struct span content = pg_result_rows(result) > 0 ? pg_result_cell(result, 0, 1) : span_null();
    size_t start = 0;
    for (size_t i = 0; i <= content.len && content.ptr != NULL; i++) {
        if (i < content.len && content.ptr[i] != '\n')
            continue;
        uint32_t found = 0;
        uint64_t at = 0;
        struct span line = {content.ptr + start, i - start};
        if (parse_line(line, &found, &at) && found == timeline)
            *lsn = at;
        start = i + 1;
    }
    pg_result_free(result);
    return 0;
}
