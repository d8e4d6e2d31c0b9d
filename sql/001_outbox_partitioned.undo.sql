-- Undo of 001_outbox_partitioned.sql: drops the outbox, all its partitions and the functions. Rows
-- that were committed before are still in the write-ahead log and a relay needs the table's
-- publication to deliver them, so let it catch up first. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP TABLE IF EXISTS public.outbox;
DROP FUNCTION IF EXISTS walferry.outbox_keep_partition();
DROP FUNCTION IF EXISTS walferry.outbox_add_partitions(integer);
DROP FUNCTION IF EXISTS walferry.outbox_drop_partitions(timestamptz);

-- The schema goes with the last thing in it.
DO $$
BEGIN
    DROP SCHEMA IF EXISTS walferry;
EXCEPTION WHEN dependent_objects_still_exist THEN
    NULL;
END
$$;

COMMIT;
