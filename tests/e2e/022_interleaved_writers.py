"""Transactions that overlap arrive in the order of their commits, also where they share keys."""

import random
import threading

import e2e

with e2e.Case() as case:
    relay = case.up()
    sessions = [case.pg.connect(case.db, autocommit=False) for _ in range(6)]
    dice, n = random.Random(7), 1
    for _ in range(10):  # all begin, then write in turn, then commit in another order
        for turn in range(3):
            for number, session in enumerate(sessions):
                session.cursor().execute("SELECT e2e.put('order', %s, 2, %s, 2, 10)",
                                         ("w%d" % number, n))
                n += 2
        dice.shuffle(sessions)
        for session in sessions:
            session.commit() if dice.random() < 0.8 else session.rollback()

    case.sql("CREATE SEQUENCE e2e.n START 1000000")

    def shared(number):
        """Writers of one key: n is taken under a lock that is held beyond the commit."""
        session = sessions[number]
        for _ in range(40):
            cursor = session.cursor()
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_database()))")
            cursor.execute("SELECT e2e.put('order', 'shared', 1, nextval('e2e.n'), 1, 10)")
            session.commit()

    threads = [threading.Thread(target=shared, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    case.shop(writers=6, rollback=0.2).run(15)
    for thread in threads:
        thread.join()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
