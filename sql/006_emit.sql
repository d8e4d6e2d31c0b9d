-- Functions that write events: walferry.outbox_emit into the outbox table, plain or numbered, and
-- walferry.outbox_emit_message without any table. Apply after 001 (either form) where outbox_emit
-- is wanted. May be applied again at any time.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 006_emit.sql
--
--   SELECT * FROM walferry.outbox_emit('order', '42', 'OrderPaid', '{"total": "19.90"}');
--   SELECT * FROM walferry.outbox_emit('order', '42', 'OrderPaid', '{"total": "19.90"}',
--                                      sequenced => true, correlation_id => 'c-1');
--
-- Numbered events of one aggregate (type and id together) carry 1, 2, 3 and so on in the header
-- aggregate_seq, without a gap: the number is kept in a row that stays locked until the transaction
-- ends, and goes back with it where it is rolled back. The lock also decides the order: whoever gets
-- 7 commits before anybody gets 8. So
--   - writers of one aggregate wait for each other, from emit to the end of the transaction;
--   - a transaction that numbers several aggregates should take them in one order (sorted by type
--     and id), or two of them can deadlock, and PostgreSQL ends one of them (40P01);
--   - under REPEATABLE READ and SERIALIZABLE who had to wait gets 40001 instead of the next number,
--     and its transaction must be run again; under READ COMMITTED it gets the next number.
-- Plain events wait for nobody, and nothing differs between the levels.
--
-- correlation_id, causation_id and traceparent go into the columns of these names where the outbox has
-- them (012_causality.sql). Otherwise, and in messages, they become members of headers, and Kafka
-- headers where the route says columns: {headers: headers}, as all members do.
--
-- The functions run with the rights of whoever calls them. The application's role needs:
--   GRANT USAGE ON SCHEMA walferry TO your_application;
--   GRANT INSERT ON public.outbox TO your_application;
--   GRANT SELECT, INSERT, UPDATE ON walferry.outbox_sequence TO your_application;  -- for numbers
--   GRANT EXECUTE ON FUNCTION walferry.outbox_emit, walferry.outbox_emit_message,
--       walferry.outbox_headers TO your_application;
--
-- Numbers begin again at 1 where a row of walferry.outbox_sequence is deleted; consumers would take
-- what follows for old. Undo: 006_emit.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

CREATE SCHEMA IF NOT EXISTS walferry;

-- A row is updated with each numbered event, so pages keep space for that.
CREATE TABLE IF NOT EXISTS walferry.outbox_sequence (
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    last_seq       bigint NOT NULL CHECK (last_seq > 0),
    PRIMARY KEY (aggregate_type, aggregate_id)
) WITH (fillfactor = 70);

COMMENT ON TABLE walferry.outbox_sequence IS
    'The last number of each aggregate whose events are numbered. Rows stay for ever.';
COMMENT ON COLUMN walferry.outbox_sequence.last_seq IS
    'aggregate_seq of its last event; the row is locked from that event to the end of the transaction.';

REVOKE ALL ON walferry.outbox_sequence FROM PUBLIC;

-- The headers of an event, with its number where it has one. What a relay would refuse later is
-- refused here, where the application can still see it.
CREATE OR REPLACE FUNCTION walferry.outbox_headers(
    aggregate_type text,
    aggregate_id   text,
    headers        jsonb,
    sequenced      boolean,
    correlation_id text,
    causation_id   text,
    traceparent    text,
    OUT merged        jsonb,
    OUT aggregate_seq bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    bad text;
BEGIN
    IF jsonb_typeof(headers) NOT IN ('object', 'null') THEN
        RAISE EXCEPTION 'headers of an event must be a JSON object, not a JSON %',
            jsonb_typeof(headers) USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(headers) = 'object' THEN
        merged := headers;
        SELECT name INTO bad FROM jsonb_object_keys(headers) AS given (name)
        WHERE name IN ('', 'aggregate_seq') OR starts_with(name, 'walferry-') LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'header "%" cannot be set', bad
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Names that begin with walferry- are the relay''s, aggregate_seq is '
                             'set by sequenced => true, and a name must not be empty.';
        END IF;
    END IF;
    IF sequenced THEN
        INSERT INTO walferry.outbox_sequence AS s (aggregate_type, aggregate_id, last_seq)
        VALUES (outbox_headers.aggregate_type, outbox_headers.aggregate_id, 1)
        ON CONFLICT ON CONSTRAINT outbox_sequence_pkey DO UPDATE SET last_seq = s.last_seq + 1
        RETURNING s.last_seq INTO aggregate_seq;
    END IF;
    IF num_nonnulls(aggregate_seq, correlation_id, causation_id, traceparent) > 0 THEN
        merged := coalesce(merged, '{}') || jsonb_strip_nulls(jsonb_build_object(
            'aggregate_seq', aggregate_seq, 'correlation_id', correlation_id,
            'causation_id', causation_id, 'traceparent', traceparent));
    END IF;
END
$$;

-- One event as a row of public.outbox. Returns its id (event_id where that is given) and its number,
-- which is NULL for a plain one. payload: NULL becomes a tombstone.
CREATE OR REPLACE FUNCTION walferry.outbox_emit(
    aggregate_type text,
    aggregate_id   text,
    type           text,
    payload        jsonb,
    headers        jsonb   DEFAULT NULL,
    sequenced      boolean DEFAULT false,
    correlation_id text    DEFAULT NULL,
    causation_id   text    DEFAULT NULL,
    traceparent    text    DEFAULT NULL,
    event_id       uuid    DEFAULT NULL,
    OUT id            uuid,
    OUT aggregate_seq bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    merged  jsonb;
    columns boolean := false;  -- of 012_causality.sql
BEGIN
    IF num_nonnulls(correlation_id, causation_id, traceparent) > 0 THEN
        columns := (SELECT count(*) = 3 FROM pg_attribute
                    WHERE attrelid = 'public.outbox'::regclass AND NOT attisdropped
                      AND attname IN ('correlation_id', 'causation_id', 'traceparent'));
    END IF;
    IF columns THEN
        SELECT h.merged, h.aggregate_seq INTO merged, aggregate_seq
        FROM walferry.outbox_headers(aggregate_type, aggregate_id, headers, sequenced, NULL, NULL,
                                     NULL) AS h;
        -- An argument stands for a member of its name here, too: one header, not two.
        merged := merged - array_remove(ARRAY[
            CASE WHEN correlation_id IS NOT NULL THEN 'correlation_id' END,
            CASE WHEN causation_id IS NOT NULL THEN 'causation_id' END,
            CASE WHEN traceparent IS NOT NULL THEN 'traceparent' END], NULL);
        id := coalesce(event_id, gen_random_uuid());
        INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload, headers,
                                   correlation_id, causation_id, traceparent)
        VALUES (id, aggregate_type, aggregate_id, type, payload, merged, correlation_id,
                causation_id, traceparent);
        RETURN;
    END IF;
    SELECT h.merged, h.aggregate_seq INTO merged, aggregate_seq
    FROM walferry.outbox_headers(aggregate_type, aggregate_id, headers, sequenced, correlation_id,
                                 causation_id, traceparent) AS h;
    id := coalesce(event_id, gen_random_uuid());
    INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload, headers)
    VALUES (id, aggregate_type, aggregate_id, type, payload, merged);
END
$$;

-- One event as a logical message, for a route with from: message:<prefix>. Nothing is stored but in
-- the write-ahead log, and it is an event only if the transaction commits. The value in Kafka is
-- the same, byte for byte, as outbox_emit makes of the same payload.
--
-- In a transaction that uses both functions and savepoints, which of a message and the row right
-- behind it comes first is not certain; among messages, and among rows, the order holds.
CREATE OR REPLACE FUNCTION walferry.outbox_emit_message(
    aggregate_type text,
    aggregate_id   text,
    type           text,
    payload        jsonb,
    headers        jsonb   DEFAULT NULL,
    sequenced      boolean DEFAULT false,
    correlation_id text    DEFAULT NULL,
    causation_id   text    DEFAULT NULL,
    traceparent    text    DEFAULT NULL,
    event_id       uuid    DEFAULT NULL,
    prefix         text    DEFAULT 'outbox',
    OUT id            uuid,
    OUT aggregate_seq bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    merged jsonb;
BEGIN
    IF prefix IS NULL OR prefix = '' OR prefix = 'walferry' OR prefix LIKE 'walferry:%' THEN
        RAISE EXCEPTION 'no event can have the prefix "%"', coalesce(prefix, 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'It is the word behind message: in the route. walferry is the relay''s own.';
    END IF;
    IF num_nulls(aggregate_type, aggregate_id, type) > 0 THEN
        RAISE EXCEPTION 'aggregate_type, aggregate_id and type of an event must not be NULL'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT h.merged, h.aggregate_seq INTO merged, aggregate_seq
    FROM walferry.outbox_headers(aggregate_type, aggregate_id, headers, sequenced, correlation_id,
                                 causation_id, traceparent) AS h;
    id := coalesce(event_id, gen_random_uuid());
    -- The relay takes a JSON text as the text itself and null as a tombstone, so these two are
    -- written as a text that holds them.
    PERFORM pg_logical_emit_message(true, prefix, json_build_object(
        'id', id, 'aggregatetype', aggregate_type, 'aggregateid', aggregate_id, 'type', type,
        'payload', CASE WHEN jsonb_typeof(payload) IN ('string', 'null')
                        THEN to_json(payload::text) ELSE payload::json END,
        'headers', merged)::text);
END
$$;

COMMENT ON FUNCTION walferry.outbox_headers(text, text, jsonb, boolean, text, text, text) IS
    'The headers of an event, with its number; called by outbox_emit and outbox_emit_message.';
COMMENT ON FUNCTION walferry.outbox_emit(text, text, text, jsonb, jsonb, boolean, text, text, text,
    uuid) IS 'Writes an event into public.outbox; numbered where sequenced is true.';
COMMENT ON FUNCTION walferry.outbox_emit_message(text, text, text, jsonb, jsonb, boolean, text, text,
    text, uuid, text) IS 'Writes an event as a logical message, without a table.';

REVOKE ALL ON FUNCTION
    walferry.outbox_headers(text, text, jsonb, boolean, text, text, text),
    walferry.outbox_emit(text, text, text, jsonb, jsonb, boolean, text, text, text, uuid),
    walferry.outbox_emit_message(text, text, text, jsonb, jsonb, boolean, text, text, text, uuid,
        text)
    FROM PUBLIC;

COMMIT;
