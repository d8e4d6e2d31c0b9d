-- Undo of 012_causality.sql: drops the three columns with what is in them. walferry.outbox_emit makes
-- members of headers of its arguments again. Where the relay polls, let it catch up first: rows that it
-- has not read lose these headers. What it reads from the write-ahead log keeps them. May be applied
-- again.

BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL lock_timeout = '5s';

ALTER TABLE IF EXISTS public.outbox
    DROP COLUMN IF EXISTS correlation_id,
    DROP COLUMN IF EXISTS causation_id,
    DROP COLUMN IF EXISTS traceparent;

COMMIT;
