/* recover/mark: whose a publication is. Its name does not tell: walferry_x_changes is that of the
 * change routes of relay x, and the one that relay x_changes makes for its outbox routes. So setup
 * says it in the COMMENT of what it makes.
 *
 * What bears no mark was made by a person or by an older version, and is used as ever. */
#include "recover/recover.h"
#include "recover/tables.h"

#include <assert.h>
#include <string.h>

static const char *const shares[ROUTER_SHARES] = {
    [ROUTER_INSERTS] = ": outbox routes", [ROUTER_CHANGES] = ": change routes"};
#define MARK "walferry relay "

void publication_mark(const char *relay, enum router_share share, struct buf *out)
{
    assert(relay != NULL && share < ROUTER_SHARES);
    buf_add_format(out, MARK "%s%s", relay, shares[share]);
}

static bool ends_with(struct span text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

enum publication_owner publication_owner(const char *relay, enum router_share share,
                                         struct span comment)
{
    struct buf ours = BUF_EMPTY;
    publication_mark(relay, share, &ours);
    enum publication_owner owner = PUBLICATION_UNMARKED;
    bool is_mark = span_starts_with(comment, SPAN_LITERAL(MARK));
    if (span_equal(comment, buf_span(&ours)))
        owner = PUBLICATION_OURS;
    else if (is_mark && ends_with(comment, shares[share]))
        owner = PUBLICATION_OF_ANOTHER;
    else if (is_mark && (ends_with(comment, shares[ROUTER_INSERTS]) ||
                         ends_with(comment, shares[ROUTER_CHANGES])))
        owner = PUBLICATION_OF_ANOTHER_SHARE;
    buf_fini(&ours);
    return owner;
}

void publication_mark_sql(const struct config_relay *config, enum router_share share,
                          struct buf *out)
{
    assert(config != NULL && out != NULL);
    struct buf mark = BUF_EMPTY;
    publication_mark(config->name.text, share, &mark);
    buf_add_text(out, "COMMENT ON PUBLICATION ");
    pg_quote_identifier(out, span_of(tables_publication(config, share)->text));
    buf_add_text(out, " IS ");
    pg_quote_literal(out, buf_span(&mark));
    buf_fini(&mark);
}

/* ---- May it be dropped? ---- */

/* Of change routes setup adds what they take, and nothing else. One that sends inserts alone was
 * made for outbox routes. */
static int looks_foreign(struct pg_connection *sql, const char *name, const struct router *router,
                         struct buf *left, struct error *err)
{
    struct pg_result *r = NULL;
    if (pg_query(sql,
                 "SELECT pubinsert AND NOT (pubupdate OR pubdelete OR pubtruncate), n.nspname, "
                 "c.relname FROM pg_catalog.pg_publication p "
                 "LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid "
                 "LEFT JOIN pg_catalog.pg_class c ON c.oid = r.prrelid "
                 "LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                 "WHERE p.pubname = $1",
                 1, &name, &r, err) < 0)
        return -1;
    for (int i = 0; i < pg_result_rows(r) && left->len == 0; i++) {
        struct span schema = pg_result_cell(r, i, 1), table = pg_result_cell(r, i, 2);
        if (pg_result_true(r, i, 0))
            buf_add_text(left, "it sends inserts alone");
        else if (table.ptr != NULL &&
                 router_route_of_share(router, ROUTER_CHANGES, schema, table) < 0)
            buf_add_format(left, "it holds %.*s.%.*s, which no change route takes",
                           SPAN_ARG(schema), SPAN_ARG(table));
    }
    pg_result_free(r);
    return 0;
}

int relay_publication_left(struct pg_connection *sql, const struct config_relay *config,
                           const struct router *router, enum router_share share, struct buf *left,
                           struct error *err)
{
    assert(sql != NULL && router != NULL && left->len == 0);
    const char *name = tables_publication(config, share)->text;
    struct pg_result *r = NULL;
    if (pg_query(sql,
                 "SELECT coalesce(pg_catalog.obj_description(oid, 'pg_publication'), '') "
                 "FROM pg_catalog.pg_publication WHERE pubname = $1",
                 1, &name, &r, err) < 0)
        return -1;
    int result = 0;
    if (pg_result_rows(r) > 0) {
        struct span comment = pg_result_cell(r, 0, 0);
        enum publication_owner owner = publication_owner(config->name.text, share, comment);
        if (owner == PUBLICATION_UNMARKED && share == ROUTER_CHANGES)
            result = looks_foreign(sql, name, router, left, err);
        else if (owner != PUBLICATION_UNMARKED && owner != PUBLICATION_OURS)
            buf_add_format(left, "its comment says \"%.*s\"", SPAN_ARG(comment));
    }
    pg_result_free(r);
    return result;
}
