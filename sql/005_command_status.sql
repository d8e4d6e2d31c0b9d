-- Allows the relay's role to write what became of a command into its row: the columns status and
-- outcome of walferry.command, and nothing else. Optional: without it the relay writes nothing into
-- this database, and the answers stand in the topic walferry.<relay>.control alone. After 002 and
-- 005_command.sql. May be applied again.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 005_command_status.sql
--
-- A row may stay "sent" although the command is done: where the relay was killed just then, where the
-- database was away, or where it reads from a standby. The topic has the answer for certain.
-- Undo: 005_command_status.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

-- For a role of another name, the same line with that name.
GRANT UPDATE (status, outcome) ON walferry.command TO walferry;

COMMIT;
