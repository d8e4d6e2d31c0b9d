-- Undo of 005_command_status.sql: the relay's role no longer writes into rows of commands. May be
-- applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DO $$
BEGIN
    IF to_regclass('walferry.command') IS NOT NULL
        AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry') THEN
        REVOKE UPDATE (status, outcome) ON walferry.command FROM walferry;
    END IF;
END
$$;

COMMIT;
