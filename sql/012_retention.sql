-- Retention: what the relay's role needs to delete published rows of public.outbox (retention: {keep: 7d}),
-- and the index by which it finds them. After 001 (either form) and 002_role.sql. May be applied again at
-- any time.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 012_retention.sql
--
-- A table with many rows gets its index first, without a lock that stops its writers (a partitioned one:
-- each partition, then the table):
--   CREATE INDEX CONCURRENTLY outbox_created_at ON public.outbox (created_at);
--
-- The relay locks the rows that it deletes, and passes over those that somebody else has locked. PostgreSQL
-- wants UPDATE of some column for a lock; the relay updates nothing. For an outbox or a role of another
-- name, the same lines with that name. Undo: 012_retention.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

CREATE INDEX IF NOT EXISTS outbox_created_at ON public.outbox (created_at);

GRANT USAGE ON SCHEMA public TO walferry;
GRANT SELECT, DELETE, UPDATE (created_at) ON public.outbox TO walferry;

COMMIT;
