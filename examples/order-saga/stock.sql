-- The stock service. Apply behind participant.sql.

CREATE TABLE item (
    id        text   PRIMARY KEY,
    available bigint NOT NULL CHECK (available >= 0),
    held      bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    sold      bigint NOT NULL DEFAULT 0 CHECK (sold >= 0)
);

CREATE FUNCTION do_step(name text, data jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    quantity bigint := (data ->> 'quantity')::bigint;
BEGIN
    IF name = 'reserve' THEN
        UPDATE item SET available = available - quantity, held = held + quantity
        WHERE id = data ->> 'item' AND available >= quantity;
    ELSE
        UPDATE item SET held = held - quantity, sold = sold + quantity WHERE id = data ->> 'item';
    END IF;
    RETURN FOUND;
END
$$;

CREATE FUNCTION undo_step(name text, data jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    quantity bigint := (data ->> 'quantity')::bigint;
BEGIN
    IF name = 'reserve' THEN
        UPDATE item SET available = available + quantity, held = held - quantity
        WHERE id = data ->> 'item';
    ELSE
        UPDATE item SET held = held + quantity, sold = sold - quantity WHERE id = data ->> 'item';
    END IF;
END
$$;

CREATE FUNCTION handle(type text, order_id uuid, data jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    event text;
BEGIN
    IF type = 'OrderPlaced' THEN
        event := CASE perform_step(order_id, 'do', 'reserve', data)
                 WHEN 'done' THEN 'StockReserved' ELSE 'StockRefused' END;
    ELSIF type = 'PaymentTaken' THEN
        PERFORM perform_step(order_id, 'do', 'deliver', data);
        event := 'StockDelivered';
    ELSIF type = 'PaymentRefused' THEN
        PERFORM perform_step(order_id, 'undo', 'reserve', data);
        event := 'StockReleased';
    ELSIF type IN ('do reserve', 'undo reserve', 'do deliver', 'undo deliver') THEN
        PERFORM answer_command(type, order_id, data);
    END IF;
    IF event IS NOT NULL THEN
        PERFORM say('stock', order_id, event, data);
    END IF;
END
$$;
