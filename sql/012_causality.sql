-- Three columns of the outbox that say what led to an event: correlation_id, causation_id and
-- traceparent. walferry.outbox_emit (006) puts its arguments of these names there once they exist, and
-- the relay makes headers of them; NULL is no header. For either form of the outbox; behind 001. May be
-- applied again at any time.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 012_causality.sql
--
-- Without this file the three are members of headers. So that no event is without them, let the relay
-- know both places before this file is applied; a column that is not there yet is no header:
--
--   columns: {headers: headers}
--   headers:
--     id: "{id}"
--     eventType: "{type}"
--     correlation_id: "{correlation_id|optional}"
--     causation_id: "{causation_id|optional}"
--     traceparent: "{traceparent|optional}"
--
-- No row is rewritten. The table is locked for a moment, and waits for transactions that use it; after
-- five seconds it gives up, and nothing has changed: apply it again. Undo: 012_causality.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL lock_timeout = '5s';

ALTER TABLE public.outbox
    ADD COLUMN IF NOT EXISTS correlation_id text,
    ADD COLUMN IF NOT EXISTS causation_id   text,
    ADD COLUMN IF NOT EXISTS traceparent    text;

COMMENT ON COLUMN public.outbox.correlation_id IS
    'The story that the event belongs to, handed on unchanged by all who react to it. A header.';
COMMENT ON COLUMN public.outbox.causation_id IS
    'The id of the event or command that this one answers. A header.';
COMMENT ON COLUMN public.outbox.traceparent IS 'Trace context of the W3C, as the request had it. A header.';

COMMIT;
