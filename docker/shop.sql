-- A small shop, as load: ten times a second one step of one order, in one transaction with its
-- outbox rows; every sixth is rolled back after its last write. Run by psql until it is stopped.
\set ON_ERROR_STOP on
\set QUIET on
\o /dev/null
SET client_min_messages = warning;
SET synchronous_commit = on;

CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text NOT NULL,
    total numeric NOT NULL, status text NOT NULL);

CREATE OR REPLACE PROCEDURE shop_step() LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    people constant text[] := '{Ada,Barbara,Edsger,Grace,Leslie,Niklaus,Tony}';
BEGIN
    IF random() < 0.6 THEN
        SELECT * INTO o FROM orders WHERE status <> 'shipped' ORDER BY id LIMIT 1 FOR UPDATE;
    END IF;
    IF o.id IS NULL THEN
        INSERT INTO orders (customer, total, status)
        VALUES (people[1 + floor(random() * 7)::int], round((random() * 98 + 1)::numeric, 2),
                'placed')
        RETURNING * INTO o;
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
        VALUES ('customer', o.customer, 'CustomerOrdered',
                jsonb_build_object('customer', o.customer, 'order', o.id));
    ELSE
        UPDATE orders SET status = CASE status WHEN 'placed' THEN 'paid' ELSE 'shipped' END
        WHERE id = o.id RETURNING * INTO o;
    END IF;
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
    VALUES ('order', o.id::text, 'Order' || initcap(o.status), to_jsonb(o));
    IF random() < 1.0 / 6 THEN
        ROLLBACK;
    END IF;
END
$$;

CALL shop_step() \watch 0.1
