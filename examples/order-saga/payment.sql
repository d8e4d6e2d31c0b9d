-- The payment service. Apply behind participant.sql.

CREATE TABLE account (
    id      text   PRIMARY KEY,
    balance bigint NOT NULL CHECK (balance >= 0),
    spent   bigint NOT NULL DEFAULT 0 CHECK (spent >= 0)
);

CREATE FUNCTION do_step(name text, data jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    total bigint := (data ->> 'total')::bigint;
BEGIN
    UPDATE account SET balance = balance - total, spent = spent + total
    WHERE id = data ->> 'account' AND balance >= total;
    RETURN FOUND;
END
$$;

CREATE FUNCTION undo_step(name text, data jsonb) RETURNS void LANGUAGE sql AS $$
    UPDATE account SET balance = balance + (data ->> 'total')::bigint,
                       spent = spent - (data ->> 'total')::bigint
    WHERE id = data ->> 'account'
$$;

CREATE FUNCTION handle(type text, order_id uuid, data jsonb)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF type = 'StockReserved' THEN
        PERFORM say('payment', order_id, CASE perform_step(order_id, 'do', 'pay', data)
                                         WHEN 'done' THEN 'PaymentTaken' ELSE 'PaymentRefused' END, data);
    ELSIF type IN ('do pay', 'undo pay') THEN
        PERFORM answer_command(type, order_id, data);
    END IF;
END
$$;
