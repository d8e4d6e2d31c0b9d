-- Commands to a running relay, through the log. Optional. As a superuser, or as the administrator of
-- your provider; after 002, so that the relay's role may read them. May be applied again.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 005_command.sql
--   GRANT walferry_operator TO your_operator;
--
--   SELECT walferry.send('orders', '{"do": "ping"}');
--   SELECT * FROM walferry.command ORDER BY id DESC LIMIT 10;
--
-- A command has a place in the log like any row: the relay meets it once, behind what was committed
-- before and ahead of what is committed after it, also where it is down for an hour or killed in the
-- middle. What becomes of it is written to the topic walferry.<relay>.control in one Kafka transaction
-- with what it did; and into the row, where 005_command_status.sql allows the relay that.
--
--   {"do": "ping"}                    is answered with its place in the log
--   {"do": "mark", "text": "..."}     the same; the text stands in the answer, 1 to 1000 characters
--   {"do": "retry", "key": "..."}     dead letters are sent again: of a key, an "id", or "all": true
--   {"do": "drop", "key": "..."}      or left be, the same; "route" besides, one of them in a transaction
--
-- Only members of walferry_operator can send. Never grant that role to PUBLIC, to an application's
-- role or to the relay's: the message in the log carries no more than the number of a row, and is
-- worth nothing without the row, which nobody else can write. A row may be deleted once the relay is
-- past it. Undo: 005_command.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

-- A relay does what the table says. Whoever owns the schema, or a part of this, could put another
-- one in its place.
DO $$
DECLARE
    other record;
BEGIN
    SELECT o.what, r.rolname AS owner INTO other FROM (
            SELECT 1 AS first, 'SCHEMA walferry' AS what, nspowner AS owner
            FROM pg_catalog.pg_namespace WHERE nspname = 'walferry'
            UNION ALL
            SELECT 2, 'TABLE walferry.command', relowner
            FROM pg_catalog.pg_class WHERE oid = to_regclass('walferry.command')
            UNION ALL
            SELECT 3, format('FUNCTION %s', oid::regprocedure), proowner
            FROM pg_catalog.pg_proc WHERE pronamespace = to_regnamespace('walferry')
            AND proname = 'send') o
        JOIN pg_catalog.pg_roles r ON r.oid = o.owner
        WHERE r.rolname <> current_user AND NOT r.rolsuper
        ORDER BY o.first LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% belongs to %, who could send commands in anybody''s name',
            lower(other.what), other.owner
            USING HINT = format('ALTER %s OWNER TO %I;', other.what, current_user);
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS walferry;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry_operator') THEN
        CREATE ROLE walferry_operator NOLOGIN;
        COMMENT ON ROLE walferry_operator IS 'May send commands to walferry relays.';
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS walferry.command (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relay      text        NOT NULL CHECK (relay ~ '^[a-z][a-z0-9_]{0,39}$'),
    command    jsonb       NOT NULL CHECK (jsonb_typeof(command) = 'object'
                                           AND octet_length(command::text) <= 65536),
    xid        xid8        NOT NULL DEFAULT pg_current_xact_id(),
    lsn        pg_lsn      NOT NULL,
    status     text        NOT NULL DEFAULT 'sent'
                           CHECK (status IN ('sent', 'done', 'failed', 'ignored')),
    outcome    jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE walferry.command IS
    'Commands to relays; written by walferry.send alone. The relay does what stands here.';
COMMENT ON COLUMN walferry.command.id IS
    'What the message in the log carries, and the key of the answer in walferry.<relay>.control.';
COMMENT ON COLUMN walferry.command.relay IS 'The relay''s name, as in its file.';
COMMENT ON COLUMN walferry.command.command IS 'An object; its member do says what is to be done.';
COMMENT ON COLUMN walferry.command.xid IS
    'The transaction that sent it. A message from any other one does not count.';
COMMENT ON COLUMN walferry.command.lsn IS
    'Where its message stands in the log. A copy at another place does not count.';
COMMENT ON COLUMN walferry.command.status IS
    'sent, or what became of it, where the relay may write that (005_command_status.sql).';
COMMENT ON COLUMN walferry.command.outcome IS
    'As in the topic walferry.<relay>.control, which has it for certain; here it may be missing.';

REVOKE ALL ON walferry.command FROM PUBLIC;

-- Row and message are of one transaction, so that a command that was rolled back is neither.
CREATE OR REPLACE FUNCTION walferry.send(relay text, command jsonb)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    sent  bigint;
    place pg_lsn;
BEGIN
    IF send.relay IS NULL OR send.relay !~ '^[a-z][a-z0-9_]{0,39}$' THEN
        RAISE EXCEPTION 'no relay can be called "%"', coalesce(send.relay, 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'It is the word behind relay: in the relay''s file.';
    END IF;
    IF jsonb_typeof(send.command -> 'do') IS DISTINCT FROM 'string' THEN
        RAISE EXCEPTION 'a command is an object with a member "do", a text'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'As in: SELECT walferry.send(''orders'', ''{"do": "ping"}'');';
    END IF;
    IF octet_length(send.command::text) > 65536 THEN
        RAISE EXCEPTION 'a command of % bytes; 65536 are allowed', octet_length(send.command::text)
            USING ERRCODE = 'program_limit_exceeded';
    END IF;
    sent := nextval(pg_get_serial_sequence('walferry.command', 'id'));
    place := pg_logical_emit_message(true, 'walferry:' || send.relay,
                                     format('{"v":1,"id":%s}', sent));
    -- A message of a subtransaction is decoded behind the first record that follows it. The spacer
    -- is that record.
    PERFORM pg_logical_emit_message(true, 'walferry', '');
    INSERT INTO walferry.command (id, relay, command, lsn) OVERRIDING SYSTEM VALUE
        VALUES (sent, send.relay, send.command, place);
    RETURN sent;
END
$$;

COMMENT ON FUNCTION walferry.send(text, jsonb) IS
    'Sends a command to the relay of this name, at this place in the log. Returns its id.';

REVOKE ALL ON FUNCTION walferry.send(text, jsonb) FROM PUBLIC;
GRANT USAGE ON SCHEMA walferry TO walferry_operator;
GRANT EXECUTE ON FUNCTION walferry.send(text, jsonb) TO walferry_operator;
GRANT SELECT ON walferry.command TO walferry_operator;

-- Of another name: GRANT USAGE ON SCHEMA walferry TO ...; GRANT SELECT ON walferry.command TO ...;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry') THEN
        GRANT USAGE ON SCHEMA walferry TO walferry;
        GRANT SELECT ON walferry.command TO walferry;
    END IF;
END
$$;

COMMIT;
