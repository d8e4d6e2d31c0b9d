-- The outbox table: the application inserts a row in the transaction that changes its own tables,
-- and the row becomes an event when that transaction commits. May be applied again at any time.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 001_outbox.sql
--
-- Then let the application write to it (the identity column needs no grant of its own):
--   GRANT INSERT ON public.outbox TO your_application;
--
-- Rows are needed only until they are committed: the relay reads them from the write-ahead log. The
-- application may delete a row in the transaction that inserted it, or a job may clear the table.
-- Where there are so many rows that deleting costs too much, begin with 001_outbox_partitioned.sql
-- instead of this file. Undo: 001_outbox.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

CREATE TABLE IF NOT EXISTS public.outbox (
    seq           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid        NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    aggregatetype text        NOT NULL,
    aggregateid   text        NOT NULL,
    type          text        NOT NULL,
    payload       jsonb,
    headers       jsonb,
    xid           xid8        NOT NULL DEFAULT pg_current_xact_id(),
    created_at    timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE public.outbox IS
    'Events of the application, inserted in the transaction they belong to; read by walferry.';
COMMENT ON COLUMN public.outbox.seq IS
    'Order of insertion. Not the order of the events: that is the order of commits.';
COMMENT ON COLUMN public.outbox.id IS 'Identity of the event, for consumers.';
COMMENT ON COLUMN public.outbox.aggregatetype IS 'Kind of thing the event is about; the topic.';
COMMENT ON COLUMN public.outbox.aggregateid IS 'Which one; the Kafka key, so order holds for it.';
COMMENT ON COLUMN public.outbox.type IS 'What happened, as in OrderPlaced.';
COMMENT ON COLUMN public.outbox.payload IS 'The event itself. NULL becomes a tombstone.';
COMMENT ON COLUMN public.outbox.headers IS 'A JSON object: one Kafka header for each member.';
COMMENT ON COLUMN public.outbox.xid IS 'The transaction that inserted the row. Leave the default.';

COMMIT;
