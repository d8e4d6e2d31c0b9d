-- The order service: its orders, and what it does with the answers of the others. Apply behind
-- say.sql and sql/010.

CREATE TABLE orders (
    id    uuid  PRIMARY KEY,
    mode  text  NOT NULL CHECK (mode IN ('choreography', 'orchestration')),
    data  jsonb NOT NULL,              -- account, item, quantity, total
    state text  NOT NULL DEFAULT 'placed' CHECK (state IN ('placed', 'completed', 'compensated'))
);

-- Sends what a function of 010_saga.sql has answered, or notes that the saga has ended.
CREATE FUNCTION take_next(order_id uuid, changed boolean, saga_state text, action text, step text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT changed THEN
        RETURN;
    ELSIF action IS NOT NULL THEN
        PERFORM say('command', id, action || ' ' || step, data)
        FROM orders WHERE id = order_id;
    ELSE
        UPDATE orders SET state = saga_state WHERE id = order_id;
    END IF;
END
$$;

CREATE FUNCTION place_order(order_id uuid, mode text, data jsonb)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orders VALUES (order_id, mode, data);
    IF mode = 'choreography' THEN
        PERFORM say('order', order_id, 'OrderPlaced', data);
    ELSE
        PERFORM take_next(order_id, s.changed, s.state, s.action, s.next_step)
        FROM walferry.saga_start(order_id, 'order', ARRAY['reserve', 'pay', 'deliver'], data,
                                 '2 seconds') AS s;
    END IF;
END
$$;

CREATE FUNCTION handle(type text, order_id uuid, data jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    step text := split_part(type, ' ', 2);
    next record;
BEGIN
    -- Choreography: the others have settled it among themselves.
    IF type = 'StockDelivered' THEN
        UPDATE orders SET state = 'completed' WHERE id = order_id;
    ELSIF type IN ('StockRefused', 'StockReleased') THEN
        UPDATE orders SET state = 'compensated' WHERE id = order_id;
    END IF;
    -- Orchestration: an answer, and what comes next.
    IF type LIKE 'done %' THEN
        next := walferry.saga_step_done(order_id, step);
    ELSIF type LIKE 'failed %' THEN
        next := walferry.saga_step_failed(order_id, step);
    ELSIF type LIKE 'undone %' THEN
        next := walferry.saga_compensate_next(order_id, step);
    ELSE
        RETURN;
    END IF;
    PERFORM take_next(order_id, next.changed, next.state, next.action, next.next_step);
END
$$;

-- Steps whose answer is overdue are sent again, or given up and undone.
CREATE FUNCTION each_second() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM take_next(o.saga_id, s.changed, s.state, s.action, s.next_step)
    FROM (SELECT saga_id, step FROM walferry.saga_overdue ORDER BY saga_id LIMIT 100) AS o,
         LATERAL walferry.saga_step_overdue(o.saga_id, o.step, 3) AS s;
END
$$;
