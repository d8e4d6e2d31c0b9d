-- Undo of 012_retention.sql: the role may no longer delete from public.outbox or lock its rows. Take
-- retention out of the configuration first, or the relay says that it may not. The right to read stays,
-- which polling needs, too. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DO $$
BEGIN
    IF to_regclass('public.outbox') IS NOT NULL
        AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry') THEN
        REVOKE DELETE, UPDATE (created_at) ON public.outbox FROM walferry;
    END IF;
END
$$;

DROP INDEX IF EXISTS public.outbox_created_at;

COMMIT;
