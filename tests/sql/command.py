"""sql/005_command.sql: who may send a command, what stands in row and log, what is refused."""

import os

from sessions import ROOT, Sessions, apply, check_rights, refused, with_files

PING = "SELECT walferry.send('orders', '{\"do\": \"ping\"}')"
CHANGES = "SELECT lsn::text, data FROM pg_logical_slot_get_changes('sent', NULL, NULL)"


def messages(server):
    """Prefix, content and LSN of what is in the log since the last call, rows as 'row'; spacers have no
    LSN."""
    found = []
    for lsn, line in server.sql(CHANGES):
        if line.startswith("message:"):
            prefix, content = line.split("prefix: ")[1].split(",")[0], line.split("content:")[1]
            found.append((prefix, content, lsn if content else None))
        elif line.startswith("table public.sent"):
            found.append("row")
    return found


@with_files("002_role", "005_command", "005_command_status")
def a_command(server):
    """The row, its transaction and the message agree; also out of a savepoint, where the message
    keeps its place; what was rolled back is neither."""
    server.sql("SELECT pg_create_logical_replication_slot('sent', 'test_decoding')")
    server.sql("CREATE TABLE public.sent (id int)")
    with Sessions(server, 1) as (a,):
        a.begin()
        first = a.sql(PING)[0][0]
        xid = a.sql("SELECT pg_current_xact_id()::text")[0][0]
        a.sql("SAVEPOINT s")
        second = a.sql(PING)[0][0]
        a.sql("RELEASE s")
        a.sql("INSERT INTO public.sent VALUES (1)")
        a.sql("SAVEPOINT s")
        a.sql(PING)
        a.sql("ROLLBACK TO s")
        a.sql("COMMIT")
        a.begin()
        a.sql(PING)
        a.sql("ROLLBACK")
    assert server.sql("SELECT id, relay, command, xid::text, status, outcome FROM walferry.command"
                      " ORDER BY id") == [(number, "orders", {"do": "ping"}, xid, "sent", None)
                                          for number in (first, second)]
    spacer = ("walferry", "", None)
    places = dict(server.sql("SELECT id, lsn::text FROM walferry.command"))
    assert messages(server) == [
        ("walferry:orders", '{"v":1,"id":%d}' % first, places[first]), spacer,
        ("walferry:orders", '{"v":1,"id":%d}' % second, places[second]), spacer, "row"]
    # Wherever in a page of the log it ends.
    server.sql("SELECT pg_logical_emit_message(true, 'x', repeat('x', i % 40)),"
               " walferry.send('orders', '{\"do\": \"ping\"}') FROM generate_series(1, 1000) i")
    places = server.sql("SELECT id, lsn::text FROM walferry.command WHERE id > %s ORDER BY id", (second,))
    found = [one for one in messages(server) if one[0] == "walferry:orders"]
    assert found == [("walferry:orders", '{"v":1,"id":%d}' % number, lsn) for number, lsn in places]
    assert len(found) == 1000
    server.sql("DROP TABLE public.sent")
    server.sql("SELECT pg_drop_replication_slot('sent')")


@with_files("005_command")
def what_is_refused(server):
    for relay in ("", "Orders", "a b", "orders:x", "*", "o" * 41, None):
        refused(server, "SELECT walferry.send(%s, '{\"do\": \"ping\"}')", "22023", parameters=(relay,))
    for command in ("{}", "[]", '"ping"', '{"do": 1}', '{"do": null}', None):
        refused(server, "SELECT walferry.send('orders', %s)", "22023", "\"do\"", parameters=(command,))
    refused(server, "SELECT walferry.send('orders', jsonb_build_object('do', repeat('x', 65536)))",
            "54000", "65536")
    assert server.sql("SELECT count(*) FROM walferry.command") == [(0,)]


@with_files("002_role", "005_command", "005_command_status")
def rights(server):
    """An operator sends and reads, the relay's role reads and writes two columns, nobody else
    anything; and what runs as its owner finds nothing of a caller's on its search path."""
    assert server.sql("SELECT proconfig, prosecdef, has_function_privilege('public', oid, 'EXECUTE')"
                      " FROM pg_proc WHERE proname = 'send' AND pronamespace = 'walferry'::regnamespace"
                      ) == [(["search_path=pg_catalog, pg_temp"], True, False)]
    check_rights(server, "005_command.sql", (PING, "SELECT * FROM walferry.command"))
    insert = "INSERT INTO walferry.command (relay, command, lsn) VALUES ('orders', '{}', '0/1')"
    status = "UPDATE walferry.command SET status = 'done', outcome = '{}' WHERE id = 1"
    server.sql("CREATE ROLE app LOGIN; GRANT walferry_operator TO app; GRANT USAGE ON SCHEMA public TO app")
    for text in (insert, status, "DELETE FROM walferry.command"):
        refused(server, text, "42501", user="app")
    server.sql("CREATE TEMP TABLE command (id int); " + PING, user="app")
    server.sql("SELECT * FROM walferry.command", user="walferry")
    server.sql(status, user="walferry")
    for text in (insert, PING, "UPDATE walferry.command SET command = '{}'",
                 "UPDATE walferry.command SET xid = '9'", "DELETE FROM walferry.command"):
        refused(server, text, "42501", user="walferry")
    apply(server, "005_command_status.undo.sql")
    refused(server, status, "42501", user="walferry")
    for role in ("walferry", "public"):
        assert server.sql("SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
                          " JOIN pg_roles g ON g.oid = m.member WHERE r.rolname = 'walferry_operator'"
                          " AND g.rolname = %s", (role,)) == [(0,)]
    server.sql("DROP OWNED BY app; DROP ROLE app")


def a_schema_of_another(server):
    """Who owns the schema could put another table in the place of this one."""
    server.sql("CREATE ROLE app LOGIN; CREATE SCHEMA walferry AUTHORIZATION app")
    code, output = server.psql("-f", os.path.join(ROOT, "sql", "005_command.sql"))
    assert code != 0 and "schema walferry belongs to app" in output, (code, output)
    server.sql("ALTER SCHEMA walferry OWNER TO postgres")
    apply(server, "005_command.sql")
    apply(server, "005_command.undo.sql")
    server.sql("DROP ROLE app")


TESTS = (a_command, what_is_refused, rights, a_schema_of_another)
