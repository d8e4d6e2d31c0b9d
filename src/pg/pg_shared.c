/* pg_shared: what begins each transaction of a session that may be a pooler's. */
#include "pg/pg_internal.h"

#include <assert.h>
#include <string.h>

/* Behind a pooler the next transaction may be in another session, and this session the next
 * client's: what is set must end with the transaction. READ COMMITTED, so that what stands further
 * down sees more and never less. Where a policy would hide rows, the question fails. */
void pg_begin_shared(const struct pg_connection *session, bool writes, struct buf *out)
{
    assert(session->shared && out != NULL);
    buf_add_text(out, "BEGIN ISOLATION LEVEL READ COMMITTED ");
    buf_add_text(out, writes ? "READ WRITE; " : "READ ONLY; ");
    buf_add_text(out, "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; "
                      "SET LOCAL idle_in_transaction_session_timeout = 0; "
                      "SET LOCAL row_security = off; ");
    if (PQserverVersion(session->conn) >= 170000)
        buf_add_text(out, "SET LOCAL transaction_timeout = 0; ");
    buf_add_text(out, "SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'; "
                      "SET LOCAL intervalstyle = 'postgres'; SET LOCAL extra_float_digits = 3; "
                      "SET LOCAL bytea_output = 'hex'; SET LOCAL lc_monetary = 'C'; ");
    const char *encoding = PQparameterStatus(session->conn, "server_encoding");
    if (encoding != NULL && strcmp(encoding, "SQL_ASCII") == 0)
        buf_add_text(out, "SET LOCAL client_encoding = 'SQL_ASCII'; ");
    buf_add_text(out, "SET LOCAL search_path = pg_catalog; ");
}
