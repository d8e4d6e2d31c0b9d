-- Undo of 001_outbox.sql: drops the outbox with all its rows. Rows that were committed before are
-- still in the write-ahead log and a relay needs the table's publication to deliver them, so let it
-- catch up first. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP TABLE IF EXISTS public.outbox;

COMMIT;
