"""What was rolled back, whole or to a savepoint, is never seen; updates and deletes are no events."""

import e2e

PUT = "SELECT e2e.put('order', 'k', 1, %s, 2, 10)"

with e2e.Case() as case:
    relay = case.up()
    connection = case.pg.connect(case.db, autocommit=False)
    cursor = connection.cursor()

    cursor.execute(PUT, (1,))
    connection.rollback()

    cursor.execute(PUT, (11,))
    cursor.execute("SAVEPOINT a")
    cursor.execute(PUT, (21,))
    cursor.execute("SAVEPOINT b")
    cursor.execute(PUT, (31,))
    cursor.execute("ROLLBACK TO a")
    cursor.execute(PUT, (41,))
    cursor.execute("RELEASE a")
    cursor.execute("SAVEPOINT c")
    cursor.execute(PUT, (51,))
    connection.commit()

    for depth in range(50):
        cursor.execute("SAVEPOINT s%d" % depth)
        cursor.execute(PUT, (100 + 2 * depth,))
    cursor.execute("ROLLBACK TO s25")
    connection.commit()

    cursor.execute(PUT, (301,))
    cursor.execute("UPDATE public.outbox SET type = 'Changed'")
    cursor.execute("DELETE FROM public.outbox")
    connection.commit()
    connection.close()

    case.shop(writers=3, rollback=0.4, savepoint=0.5, delete=0.3).run(20)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
