-- Undo of 013_retention.sql: the role may no longer delete from public.outbox, lock its rows or drop its
-- partitions. Take retention out of the configuration first, or the relay says that it may not. The right
-- to read stays, which polling needs, too. May be applied again.

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
DROP FUNCTION IF EXISTS walferry.drop_published_partition(regclass, timestamptz, pg_snapshot);

-- Nothing else of walferry's may need the schema.
DO $$
BEGIN
    IF to_regnamespace('walferry') IS NOT NULL
        AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry')
        AND to_regclass('walferry.slot_lag') IS NULL
        AND to_regclass('walferry.guarded') IS NULL
        AND to_regclass('walferry.command') IS NULL
        AND to_regclass('walferry.claim') IS NULL THEN
        REVOKE USAGE ON SCHEMA walferry FROM walferry;
    END IF;
END
$$;

-- The schema goes with the last thing in it.
DO $$
BEGIN
    DROP SCHEMA IF EXISTS walferry;
EXCEPTION WHEN dependent_objects_still_exist THEN
    NULL;
END
$$;

COMMIT;
